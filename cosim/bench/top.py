"""The simulated top: a network, a recorder on each layer's probe, and the SDRAMs that stream weights."""

from collections.abc import Mapping, Sequence

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.definitions.sdram import ULX3S_SDRAM, Chip
from cosim.chips.sdram import Sdram
from cosim.chips.sdram_timing import Timing
from hw.gateware.layers import LayerComponent, Probe
from hw.gateware.network import Network
from hw.gateware.repack import Repack
from hw.gateware.streams import Word
from hw.shape.layer_spec import LayerSpec, computed_of, vectors_of
from hw.shape.repack import RepackShape
from model.errors import BadInput

__all__ = ["Recorder", "Top", "weight_memory"]

SDRAM_BITS = 16
"""Width of the SDRAM's words."""


def weight_memory(
    layer: LayerComponent, clock_mhz: float, chip: Chip = ULX3S_SDRAM, timing: Timing | None = None
) -> Sdram:
    """An SDRAM with a layer's weights in the order of use, packed without gaps.

    For full speed, the layer's word width must be a multiple or a divisor of 16 bits.
    """
    matrix = layer.engine.matrix
    width = matrix.weight_width
    if width % SDRAM_BITS and SDRAM_BITS % width:
        raise BadInput(
            f"layer {layer.spec.name}: expected weight words of a multiple or a divisor of {SDRAM_BITS} bits, "
            f"which is SDRAM's width, got {width} bits at {layer.folding}"
        )
    return Sdram(_sdram_words(matrix.weight_words, width), clock_mhz, chip, timing)


def _sdram_words(words: Sequence[int], width: int) -> list[int]:
    """Words of `width` bits joined or cut, lowest bits first; the last one is padded with zeros."""
    if width >= SDRAM_BITS:
        mask = (1 << SDRAM_BITS) - 1
        return [word >> low & mask for word in words for low in range(0, width, SDRAM_BITS)]
    each = SDRAM_BITS // width
    joined = (words[begin : begin + each] for begin in range(0, len(words), each))
    return [sum(word << place * width for place, word in enumerate(group)) for group in joined]


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
    sdram : by layer, a `weight_memory` instead of its `load` port

    Members
    -------
    i, o, load_<layer> : the network's
    rec_<layer> : the recorder's outputs
    """

    def __init__(self, network: Network, sdram: Mapping[str, Sdram] | None = None) -> None:
        self.network, self.sdram = network, sdram or {}
        self.recorders = {name: Recorder(layer.spec) for name, layer in network.layers.items()}
        members = {
            "i": In(stream.Signature(Word(network.in_width))),
            "o": Out(stream.Signature(Word(network.out_width))),
        }
        for name, member in network.signature.members.items():
            if name.startswith("load_") and name.removeprefix("load_") not in self.sdram:
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
        for name, memory in self.sdram.items():
            matrix = network.layers[name].engine.matrix
            repack = Repack(
                RepackShape(len(matrix.weight_words) * matrix.weight_width, SDRAM_BITS, matrix.weight_width)
            )
            m.submodules[f"sdram_{name}"], m.submodules[f"repack_{name}"] = memory, repack
            load = getattr(network, f"load_{name}")
            m.d.comb += [
                repack.i.payload.data.eq(memory.o.payload),
                repack.i.valid.eq(memory.o.valid),
                memory.o.ready.eq(repack.i.ready),
                load.payload.eq(repack.o.payload.data),
                load.valid.eq(repack.o.valid),
                repack.o.ready.eq(load.ready),
            ]
        return m
