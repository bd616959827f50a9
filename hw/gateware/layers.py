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
from model.bundle.layers import Layer

__all__ = ["LayerComponent", "Probe"]


class Probe(wiring.Signature):
    """A layer's results as they appear, for simulation; free if unconnected.

    valid : a row group's result is taken this cycle
    vector : which one it is, an index into `hw.shape.layer_spec.vectors_of(kind)`: r, z, candidate; y
    data : its `pe` bits
    h : with a candidate, the `pe` bits of the new h
    busy : the layer holds a frame, waiting or in progress
    released : it releases the frame; a frame's cycles are the busy ones up to and including this one
    """

    def __init__(self, pe: int) -> None:
        super().__init__(
            {"valid": Out(1), "vector": Out(2), "data": Out(pe), "h": Out(pe), "busy": Out(1), "released": Out(1)},
        )


class LayerComponent(wiring.Component):
    """A layer: its shape, the arrays it is built from, its engine, and its ports.

    Members
    -------
    i : In(stream of Word(simd)); o : Out(stream of Word(pe)); probe : Out(Probe)
    load : In(stream of weight words), unless they are in a ROM
    """

    def __init__(self, layer: Layer, spec: LayerSpec) -> None:
        self.layer, self.spec = layer, spec
        self.engine = Engine(spec.engine, FoldedMatrix.of(layer, spec))
        members: dict[str, Any] = {
            "i": In(stream.Signature(Word(spec.folding.simd))),
            "o": Out(stream.Signature(Word(spec.folding.pe))),
            "probe": Out(Probe(spec.folding.pe)),
        }
        if spec.folding.weights != "rom":
            members["load"] = self.engine.signature.members["load"]
        super().__init__(members)

    @property
    def folding(self) -> Folding:
        """The layer's folding."""
        return self.spec.folding

    def _input(self, m: Module) -> InputBuffer:
        """The buffer of the input vector, fed from `i`."""
        clean = not self.spec.engine.format.has_zero
        m.submodules.x = x = InputBuffer(self.spec.inputs, self.spec.folding.simd, clean=clean)
        wiring.connect(m, wiring.flipped(self.i), x.i)
        return x

    def _load(self, m: Module) -> None:
        """Weights that are not in a ROM go from `load` to the engine."""
        if self.spec.folding.weights != "rom":
            wiring.connect(m, wiring.flipped(self.load), self.engine.load)
