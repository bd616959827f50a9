"""The simulated top: a network, a recorder on each layer's probe, and the SDRAM that streams weights."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cosim.chips.sdram import StreamedWeights
from hw.gateware.layers import Probe
from hw.gateware.network import Network
from hw.gateware.streams import Word
from hw.shape.layer_spec import LayerSpec, computed_of, vectors_of

__all__ = ["Recorder", "Top"]


FLAGS = ("ready", "failed", "broken")
"""Of the weights in SDRAM."""


class Recorder(wiring.Component):
    """Collect a layer's results into whole vectors, so the testbench reads once per frame, not once per cycle.

    Simulation only. Results come in order, so a vector is a shift register.

    Members
    -------
    probe : In(Probe)
    <vector> : Out(results * result_bits), each vector of the last frame, valid until the next frame's first result
    frames : Out(32), frames recorded since reset; changes when the last frame's vectors are complete
    releases : Out(32), frames that the layer has released since reset
    cycles : Out(32), cycles for which it held the last frame; changes with `releases`
    """

    def __init__(self, spec: LayerSpec) -> None:
        self.kind, self.bits, self.results = spec.kind, spec.result_bits, spec.results
        vectors = {name: Out(self.results * self.bits) for name in vectors_of(self.kind)}
        super().__init__(
            {"probe": In(Probe(self.bits)), **vectors, **dict.fromkeys(("frames", "releases", "cycles"), Out(32))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        probe, computed = self.probe, computed_of(self.kind)
        for index, (name, together) in enumerate(computed.items()):
            with m.If(probe.valid & (probe.vector == index)):
                for vector, data in ((name, probe.data), (together, probe.h)):
                    if vector is not None:
                        register = getattr(self, vector)
                        m.d.sync += register.eq(Cat(register[self.bits :], data))
        result = Signal(range(self.results))
        with m.If(probe.valid):
            m.d.sync += result.eq(result + 1)
            with m.If(result == self.results - 1):
                m.d.sync += result.eq(0)
                with m.If(probe.vector == len(computed) - 1):
                    m.d.sync += self.frames.eq(self.frames + 1)

        # A layer releases a frame when it becomes idle or, if the next is already waiting, in the same cycle.
        busy = Signal(32)
        with m.If(probe.released):
            m.d.sync += [self.cycles.eq(busy + 1), busy.eq(0), self.releases.eq(self.releases + 1)]
        with m.Elif(probe.busy):
            m.d.sync += busy.eq(busy + 1)
        return m


class Top(wiring.Component):
    """Network and recorders; what the testbench drives and reads are ports.

    Parameters
    ----------
    weights : those of the streamed layers, instead of their `load` ports

    Members
    -------
    i, o, load_<layer> : the network's
    rec_<layer> : the recorder's outputs
    ready, failed, broken : of the weights, the last in the domain `sdram`
    """

    def __init__(self, network: Network, weights: StreamedWeights | None = None) -> None:
        self.network, self.weights = network, weights
        self.recorders = {name: Recorder(layer.spec) for name, layer in network.layers.items()}
        members = {
            "i": In(stream.Signature(Word(network.in_width))),
            "o": Out(stream.Signature(Word(network.out_width))),
        }
        inside = weights.signature.members if weights else {}
        members |= {name: inside[name] for name in FLAGS if name in inside}
        for name, member in network.signature.members.items():
            if name.startswith("load_") and name not in inside:
                members[name] = member
        for name, recorder in self.recorders.items():
            outputs = {key: member for key, member in recorder.signature.members.items() if key != "probe"}
            members[f"rec_{name}"] = Out(wiring.Signature(outputs))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = network = self.network
        wiring.connect(m, wiring.flipped(self.i), network.i)
        wiring.connect(m, network.o, wiring.flipped(self.o))
        for name, recorder in self.recorders.items():
            m.submodules[f"rec_{name}"] = recorder
            wiring.connect(m, getattr(network, f"probe_{name}"), recorder.probe)
            outputs = getattr(self, f"rec_{name}")
            for key in outputs.signature.members:
                m.d.comb += getattr(outputs, key).eq(getattr(recorder, key))
            if hasattr(self, f"load_{name}"):
                wiring.connect(m, wiring.flipped(getattr(self, f"load_{name}")), getattr(network, f"load_{name}"))
        if self.weights is not None:
            m.submodules.weights = self.weights
            m.d.comb += [getattr(self, name).eq(getattr(self.weights, name)) for name in FLAGS]
            for name in self.weights.signature.members:
                if name.startswith("load_"):
                    wiring.connect(m, getattr(self.weights, name), getattr(network, name))
        return m
