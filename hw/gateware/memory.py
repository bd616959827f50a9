"""Memories: how they are described to the tools, and one that is read cyclically."""

from collections.abc import Sequence

from amaranth.hdl import Elaboratable, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.shape.cyclic_memory import CyclicShape

__all__ = ["COPY", "CyclicMemory", "ram", "read"]

COPY = "copy"
"""Name of the modules that synthesis must not merge."""


def ram(shape: int, depth: int, init: Sequence[int] = (), **attributes: str) -> memory.Memory:
    """A memory whose readers never use a word in the cycle it is written.

    Each user says why. Without this promise (`no_rw_check`), Yosys adds registers and multiplexers that define the
    result of such a read.
    """
    return memory.Memory(shape=shape, depth=depth, init=init, attrs={"no_rw_check": 1, **attributes})


def read(m: Module, bank: memory.Memory, address: ValueLike, enable: ValueLike = 1) -> Signal:
    """The word at `address`, one cycle later; held while `enable` is low.

    Written as a register behind an asynchronous port, the only form in which Yosys honours `no_rw_check`.
    """
    port = bank.read_port(domain="comb")
    data = Signal(port.data.shape(), reset_less=True)
    m.d.comb += port.addr.eq(address)
    with m.If(enable):
        m.d.sync += data.eq(port.data)
    return data


class Copy(Elaboratable):
    """A copy of a register for a group of memories; `hw.flow.synth` keeps Yosys from merging the copies."""

    def __init__(self, value: Value) -> None:
        self.value, self.copy = value, Signal.like(value, reset_less=True)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.copy.eq(self.value)
        return m


class CyclicMemory(wiring.Component):
    """Read the words of a memory in order, wrapping around after the last.

    Weights and biases are stored in the order of use, so the address is a counter. A ROM (`contents` given) is ready
    from reset on. A RAM first takes `depth` words on `load`, in order, and again after each reset.

    Slices as wide as a block RAM is at this depth need no multiplexers between block RAMs (docs/hardware.md). Nothing
    is enabled or held, so only the address goes to every slice. Many slices are spread over the device, so the address
    is duplicated for them.

    A ROM is in block RAM whatever its size, so its contents can be replaced in a placed design
    (`boards/flow/bram_patch.py`). A small one ends with a word of zeros and one of ones, which are never read: without
    them Yosys would remove a bit that is the same in all words.

    Latency: `shape.latency` cycles from `next` to the word. Throughput: one word per cycle. Memory: `depth * width`
    bits, one port with a registered output. Cost: a counter, and a register of its width for each copy.

    Members
    -------
    next : In(1), request a word; only while `ready`
    ready : Out(1), there are words
    o : Out(unsigned(width)), the word requested `shape.latency` cycles ago
    load : In(stream of unsigned(width)), RAM only
    """

    def __init__(self, shape: CyclicShape, contents: Sequence[int] = ()) -> None:
        assert len(contents) == (shape.depth if shape.rom else 0)
        self.shape, self.contents = shape, contents
        members = {"next": In(1), "ready": Out(1), "o": Out(shape.width)}
        if not shape.rom:
            members["load"] = In(stream.Signature(shape.width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rom, depth = self.shape.rom, self.shape.depth
        # The previous address tells whether this one is the last, which takes the comparison off the path.
        address, last = Signal(range(depth)), Signal(init=depth == 1)
        load = Signal()
        if rom:
            m.d.comb += self.ready.eq(1)
        else:
            # One address for both ports, never both at once: a single-port RAM is enough.
            m.d.comb += [self.load.ready.eq(~self.ready), load.eq(self.load.valid & ~self.ready)]
            with m.If(load & last):
                m.d.sync += self.ready.eq(1)
        if depth > 1:
            with m.If(self.next | load):
                m.d.sync += [address.eq(Mux(last, 0, address + 1)), last.eq(address == depth - 2)]

        addresses = [address]
        if self.shape.copies:
            addresses = []
            for index in range(self.shape.copies):
                m.submodules[f"{COPY}_{index}"] = copy = Copy(address)
                addresses.append(copy.copy)
        # By default Yosys builds a ROM of a few kbit from some hundred LUTs.
        style = {"ram_style": "block"} if rom else {}
        for index, (low, (width, contents)) in enumerate(self.shape.cut(self.contents).items()):
            m.submodules[f"bits_{low}"] = bank = ram(width, len(contents) or depth, contents, **style)
            m.d.comb += self.o[low : low + width].eq(read(m, bank, addresses[index % len(addresses)]))
            if not rom:
                write = bank.write_port()
                data = self.load.payload[low : low + width]
                m.d.comb += [write.addr.eq(address), write.en.eq(load), write.data.eq(data)]
        return m
