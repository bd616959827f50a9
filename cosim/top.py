"""The simulated top: a network with a recorder on each layer's probe."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.layers import Probe, vectors_of
from hw.network import Network
from hw.streams import Word

__all__ = ["Recorder", "Top"]


class Recorder(wiring.Component):
    """Collect a layer's chunks into whole vectors, to be read once a frame rather than once a cycle.

    Simulation only. Row groups come in order, so a vector is a shift register.

    Members
    -------
    probe : In(Probe)
    <vector> : Out(groups * pe), each vector of the last frame; they hold until the next frame's first result
    frames : Out(32), frames recorded since reset; changes when the last frame's vectors are complete
    cycles : Out(32), cycles for which the layer held that frame
    """

    def __init__(self, kind: str, pe: int, groups: int) -> None:
        self.kind, self.pe, self.groups = kind, pe, groups
        vectors = {name: Out(groups * pe) for name in vectors_of(kind)}
        super().__init__({"probe": In(Probe(pe)), **vectors, "frames": Out(32), "cycles": Out(32)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        probe, names = self.probe, vectors_of(self.kind)
        computed = [name for name in names if name != "h"]  # h has a candidate's chunk and no turn of its own
        for index, name in enumerate(computed):
            with m.If(probe.valid & (probe.vector == index)):
                register = getattr(self, name)
                m.d.sync += register.eq(Cat(register[self.pe :], probe.data))
                if name == "candidate":
                    m.d.sync += self.h.eq(Cat(self.h[self.pe :], probe.h))
        chunk = Signal(range(self.groups))
        with m.If(probe.valid):
            m.d.sync += chunk.eq(chunk + 1)
            with m.If(chunk == self.groups - 1):
                m.d.sync += chunk.eq(0)
                with m.If(probe.vector == len(computed) - 1):
                    m.d.sync += self.frames.eq(self.frames + 1)

        # A frame is let go of when the layer falls idle or, with the next already waiting, in the same cycle.
        busy = Signal(32)
        with m.If(probe.released):
            m.d.sync += [self.cycles.eq(busy + 1), busy.eq(0)]
        with m.Elif(probe.busy):
            m.d.sync += busy.eq(busy + 1)
        return m


class Top(wiring.Component):
    """Network and recorders, with everything that the bench drives and reads as ports.

    Members
    -------
    i, o, load_<layer> : the network's
    rec_<layer> : the recorder's outputs
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self.recorders = {
            name: Recorder(layer.layer.kind, layer.folding.pe, layer.groups) for name, layer in network.layers.items()
        }
        members = {
            "i": In(stream.Signature(Word(network.in_width))),
            "o": Out(stream.Signature(Word(network.out_width))),
        }
        for name, member in network.signature.members.items():
            if name.startswith("load_"):
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
        return m
