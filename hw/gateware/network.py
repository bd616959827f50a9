# amaranth: UnusedElaboratable=no
# A network whose RTLIL is in the cache is never elaborated (`hw.flow.rtl.elaborated`).
"""The network: a pipeline of a bundle's layers."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.bgru import BGRULayer
from hw.gateware.dense import DenseLayer
from hw.gateware.gru import GruLayer
from hw.gateware.integer_dense import IntegerDenseLayer
from hw.gateware.layers import LayerComponent, Probe
from hw.gateware.repack import Repack
from hw.gateware.streams import Word
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.layer_spec import LayerSpec
from hw.shape.network_spec import NetworkSpec, spec_of
from hw.shape.repack import RepackShape
from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer

__all__ = ["Network", "make_layer"]


def make_layer(layer: Layer | IntegerLayer, folding: Folding, family: Family) -> LayerComponent:
    """The hardware of one layer; raises `BadInput` as `spec_of` does."""
    return _hardware(layer, spec_of(layer, folding, family))


def _hardware(layer: Layer | IntegerLayer, spec: LayerSpec) -> LayerComponent:
    if isinstance(layer, IntegerLayer) and isinstance(spec, IntegerLayerSpec):
        return GruLayer(layer, spec) if spec.recurrent else IntegerDenseLayer(layer, spec)
    return BGRULayer(layer, spec) if spec.recurrent else DenseLayer(layer, spec)


class Network(wiring.Component):
    """Features in, mask out, in bits: an integer feature or gain is as many in two's complement.

    Layers work at the same time, each on its own frame.

    Initiation interval: the slowest layer's cycles (`hw.shape.cycles`). Latency: `hw.shape.latency`. Both ends may wait
    at any time. A frame whose words carry `start` begins a new utterance; so does the first one after reset.

    Members
    -------
    i : In(stream of Word(in_width)), features per frame; o : Out(stream of Word(out_width)), bins per frame
    probe_<layer> : Out(Probe), each layer's
    load_<layer> : In(stream of weight words), of each layer whose weights are not in a ROM
    """

    def __init__(
        self,
        bundle: Bundle,
        folding: Mapping[str, Folding],
        family: Family,
        in_width: int,
        out_width: int,
    ) -> None:
        self.bundle, self.family = bundle, family
        self.in_width, self.out_width = in_width, out_width
        self.spec = NetworkSpec.of(bundle, folding, family, in_width, out_width)
        made = zip(bundle.layers, self.spec.layers, strict=True)
        self.layers = {layer.name: _hardware(layer, spec) for layer, spec in made}
        members = {"i": In(stream.Signature(Word(in_width))), "o": Out(stream.Signature(Word(out_width)))}
        for name, layer in self.layers.items():
            members[f"probe_{name}"] = Out(Probe(layer.spec.result_bits))
            if layer.folding.weights != "rom":
                members[f"load_{name}"] = layer.signature.members["load"]
        super().__init__(members)

    @classmethod
    def of(cls, bundle: Bundle, spec: NetworkSpec) -> "Network":
        """The hardware of a shape, with a bundle's arrays."""
        foldings = {layer.name: layer.folding for layer in spec.layers}
        return cls(bundle, foldings, spec.family, spec.in_width, spec.out_width)

    @property
    def synthesis_family(self) -> Family:
        """The family that it is synthesised for: with multipliers if a layer has integers."""
        integers = any(isinstance(layer.spec, IntegerLayerSpec) for layer in self.layers.values())
        return self.family.with_multipliers() if integers else self.family

    def elaborate(self, platform: object) -> Module:
        m = Module()
        *before, last = zip(self.spec.repack_names, self.spec.repacks, strict=True)
        source: Any = wiring.flipped(self.i)
        for (name, layer), repack in zip(self.layers.items(), before, strict=True):
            m.submodules[name] = layer
            source = self._carry(m, *repack, source)
            wiring.connect(m, source, layer.i)
            wiring.connect(m, layer.probe, wiring.flipped(getattr(self, f"probe_{name}")))
            if layer.folding.weights != "rom":
                wiring.connect(m, wiring.flipped(getattr(self, f"load_{name}")), layer.load)
            source = layer.o
        wiring.connect(m, self._carry(m, *last, source), wiring.flipped(self.o))
        return m

    @staticmethod
    def _carry(m: Module, name: str, shape: RepackShape, source: Any) -> Any:
        m.submodules[name] = repack = Repack(shape)
        wiring.connect(m, source, repack.i)
        return repack.o
