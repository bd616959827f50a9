"""The network: a bundle's layers one behind the other."""

import warnings
from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module, UnusedElaboratable
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.bgru import BGRULayer
from hw.gateware.dense import DenseLayer
from hw.gateware.layers import Folding, Probe
from hw.gateware.repack import Repack
from hw.gateware.streams import Word
from hw.shape.family import Family
from model.bundle.bundle import Bundle, Layer
from model.errors import BadInput

__all__ = ["Network", "check_folding", "make_layer"]

# A network is often made only to ask for its shape, which is no mistake.
warnings.filterwarnings("ignore", category=UnusedElaboratable)

Folded = Mapping[str, Folding]
"""Layer name to folding."""


def check_folding(layer: Layer, folding: Folding) -> None:
    """Refuse PE beyond the layer's units, SIMD beyond its columns, and packing of binary weights."""
    for what, value, limit, unit in (
        ("PE", folding.pe, layer.units, "units"),
        ("SIMD", folding.simd, layer.columns, "columns"),
    ):
        if not 1 <= value <= limit:
            raise BadInput(f"layer {layer.name}: expected {what} from 1 to {limit} (its {unit}), got {value}")
    if folding.packed and layer.binary:
        raise BadInput(f"layer {layer.name}: expected no packing, for it has no weight that is 0; got {folding}")


def make_layer(layer: Layer, folding: Folding, family: Family) -> BGRULayer | DenseLayer:
    """The hardware of one layer; raises `BadInput` as `check_folding` does."""
    check_folding(layer, folding)
    return (BGRULayer if layer.kind == "bgru" else DenseLayer)(layer, folding, family)


class Network(wiring.Component):
    """Feature bits in, mask bits out. Layers work at the same time, each on its own frame.

    Initiation interval: the slowest layer's cycles. Latency: the sum of the layers'. Both ends may wait at any
    time. A frame whose words carry `start` begins a new utterance; so does the first one after reset.

    Members
    -------
    i : In(stream of Word(in_width)), features per frame; o : Out(stream of Word(out_width)), bins per frame
    probe_<layer> : Out(Probe), each layer's
    load_<layer> : In(stream of weight words), of each layer that hasn't them in a ROM
    """

    def __init__(
        self,
        bundle: Bundle,
        folding: Folded,
        family: Family,
        in_width: int,
        out_width: int,
    ) -> None:
        self.bundle, self.family = bundle, family
        self.in_width, self.out_width = in_width, out_width
        self.layers: dict[str, Any] = {
            layer.name: make_layer(layer, folding[layer.name], family) for layer in bundle.layers
        }
        members = {"i": In(stream.Signature(Word(in_width))), "o": Out(stream.Signature(Word(out_width)))}
        for name, layer in self.layers.items():
            members[f"probe_{name}"] = Out(Probe(layer.folding.pe))
            if "load" in layer.signature.members:
                members[f"load_{name}"] = layer.signature.members["load"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        source: Any = wiring.flipped(self.i)
        width = self.in_width
        for name, layer in self.layers.items():
            m.submodules[name] = layer
            source = self._carry(m, f"into_{name}", layer.layer.inputs, source, width, layer.folding.simd)
            wiring.connect(m, source, layer.i)
            wiring.connect(m, layer.probe, wiring.flipped(getattr(self, f"probe_{name}")))
            if hasattr(self, f"load_{name}"):
                wiring.connect(m, wiring.flipped(getattr(self, f"load_{name}")), layer.load)
            source, width = layer.o, layer.folding.pe
        source = self._carry(m, "out_of_network", self.bundle.layers[-1].units, source, width, self.out_width)
        wiring.connect(m, source, wiring.flipped(self.o))
        return m

    @staticmethod
    def _carry(m: Module, name: str, length: int, source: Any, width: int, sink_width: int) -> Any:
        m.submodules[name] = repack = Repack(length, width, sink_width)
        wiring.connect(m, source, repack.i)
        return repack.o
