# amaranth: UnusedElaboratable=no
# A network whose RTLIL is in the cache is never elaborated (`hw.flow.rtl.elaborated`).
"""The common part of the two kinds of layer: shape, engine, ports, and the probe for simulation."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.engine import Engine, FoldedMatrix
from hw.gateware.input_buffer import InputBuffer
from hw.gateware.streams import Word
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec

__all__ = ["LayerComponent", "Probe"]


class Probe(wiring.Signature):
    """A layer's results as they appear, for simulation; free if unconnected.

    valid : a result is taken this cycle: a row group's bits, or one element of an integer vector
    vector : which one it is, an index into `hw.shape.layer_spec.vectors_of(kind)`: r, z, candidate; y
    data : its `spec.result_bits` bits
    h : as many of the vector that appears with it (`hw.shape.layer_spec.computed_of`): with a candidate, the new h
    busy : the layer holds a frame, waiting or in progress
    released : it releases the frame; a frame's cycles are the busy ones up to and including this one
    """

    def __init__(self, bits: int) -> None:
        super().__init__(
            {"valid": Out(1), "vector": Out(2), "data": Out(bits), "h": Out(bits), "busy": Out(1), "released": Out(1)},
        )


class LayerComponent(wiring.Component):
    """A layer: its shape, the arrays it is built from, its engine, and its ports.

    Members
    -------
    i : In(stream of Word(spec.in_width)); o : Out(stream of Word(spec.out_width)); probe : Out(Probe)
    load : In(stream of weight words), unless they are in a ROM
    """

    def __init__(self, layer: Any, spec: LayerSpec) -> None:
        self.layer, self.spec = layer, spec
        self.engine = self._engine()
        members: dict[str, Any] = {
            "i": In(stream.Signature(Word(spec.in_width))),
            "o": Out(stream.Signature(Word(spec.out_width))),
            "probe": Out(Probe(spec.result_bits)),
        }
        if spec.folding.weights != "rom":
            members["load"] = self.engine.signature.members["load"]
        super().__init__(members)

    def _engine(self) -> Engine:
        return Engine(self.spec.engine, FoldedMatrix.of(self.layer, self.spec))

    @property
    def folding(self) -> Folding:
        """The layer's folding."""
        return self.spec.folding

    def _input(self, m: Module) -> InputBuffer:
        """The buffer of the input vector, fed from `i`."""
        spec = self.spec
        m.submodules.x = x = InputBuffer(spec.inputs * spec.input_bits, spec.in_width, clean=spec.cleans)
        wiring.connect(m, wiring.flipped(self.i), x.i)
        return x

    def _load(self, m: Module) -> None:
        """Weights that are not in a ROM go from `load` to the engine."""
        if self.spec.folding.weights != "rom":
            wiring.connect(m, wiring.flipped(self.load), self.engine.load)
