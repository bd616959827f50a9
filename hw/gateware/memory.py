"""Memories: how they are told to the tools, and one that is read in a fixed order, over and over."""

from collections.abc import Sequence

from amaranth.hdl import Elaboratable, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["COPY", "CyclicMemory", "cells", "read"]

BARE_FROM = 255
"""A ROM of fewer words gets two more (see `CyclicMemory`); they fit the shallowest block RAM of any family."""

FANOUT = 16
"""Memories that one register addresses, or a few more."""

COPY = "copy"
"""Name of the modules that synthesis must not merge."""


def cells(shape: int, depth: int, init: Sequence[int] = (), **attributes: str) -> memory.Memory:
    """A memory whose readers never use a word that they look at in the cycle in which it is written.

    Each user says why that is so. Without the promise (`no_rw_check`), Yosys adds registers and multiplexers
    that define what such a read returns.
    """
    return memory.Memory(shape=shape, depth=depth, init=init, attrs={"no_rw_check": 1, **attributes})


def read(m: Module, bank: memory.Memory, address: ValueLike, enable: ValueLike = 1) -> Signal:
    """The word at `address`, one cycle later; held while `enable` is low.

    Written as a register behind an asynchronous port, the form in which Yosys heeds `no_rw_check`.
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
    """Give the words of a memory in order, from the first again after the last, for ever.

    Weights and biases are stored in the order in which the schedule uses them, so an address is a counter. As ROM
    (`contents` given) it may be asked from reset on. As RAM it first takes `depth` words on `load`, in order; reset
    forgets that they are there.

    The words are kept in slices of at most `slice_width` bits, each a memory of its own: slices as wide as a block RAM
    is at this depth need no multiplexers between block RAMs (docs/hardware.md). Nothing is enabled or held, so nothing
    but the address goes to each of them; where they are more than `FANOUT`, each so many have a copy of it, for they
    are spread over the device.

    A ROM is in block RAM, whatever its size, so that its contents can be replaced in a placed design
    (`boards/flow/bram_patch.py`). Behind the words of a small one lie one of zeros and one of ones, which are never
    read: without them Yosys would take out a bit that is the same in all words.

    Latency: `latency` cycles from `next` to the word. Throughput: one word per cycle. Memory: `depth * width` bits, one
    port with a registered output. Cost: a counter, and a register of its width for each copy.

    Members
    -------
    next : In(1), a word is asked for; only while `ready`
    ready : Out(1), there are words
    o : Out(unsigned(width)), the word that was asked for `latency` cycles ago
    load : In(stream of unsigned(width)), RAM only
    """

    def __init__(self, width: int, depth: int, contents: Sequence[int] | None, slice_width: int) -> None:
        self.width, self.depth, self.contents, self.slice_width = width, depth, contents, slice_width
        slices = -(-width // slice_width)
        self.copies = slices // FANOUT if slices > FANOUT else 0
        self.latency = 2 if self.copies else 1
        members = {"next": In(1), "ready": Out(1), "o": Out(width)}
        if contents is None:
            members["load"] = In(stream.Signature(width))
        super().__init__(members)

    @property
    def slices(self) -> dict[int, tuple[int, list[int]]]:
        """Lowest bit of each slice to its width and, of a ROM, all the words that it holds."""
        words = list(self.contents or [])
        if words and self.depth < BARE_FROM:
            words += [0, (1 << self.width) - 1]
        found = {}
        for low in range(0, self.width, self.slice_width):
            width = min(self.slice_width, self.width - low)
            found[low] = width, [(word >> low) & ((1 << width) - 1) for word in words]
        return found

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # Whether it is the last is known from the address before, which saves comparing it.
        address, last = Signal(range(self.depth)), Signal(init=self.depth == 1)
        load = Signal()
        if self.contents is not None:
            m.d.comb += self.ready.eq(1)
        else:
            # One address for both ports, never both at once: a single-port RAM is enough.
            m.d.comb += [self.load.ready.eq(~self.ready), load.eq(self.load.valid & ~self.ready)]
            with m.If(load & last):
                m.d.sync += self.ready.eq(1)
        if self.depth > 1:
            with m.If(self.next | load):
                m.d.sync += [address.eq(Mux(last, 0, address + 1)), last.eq(address == self.depth - 2)]

        addresses = [address]
        if self.copies:
            addresses = []
            for index in range(self.copies):
                m.submodules[f"{COPY}_{index}"] = copy = Copy(address)
                addresses.append(copy.copy)
        # Left to itself, Yosys makes a ROM of a few kbit out of LUTs, some hundred of them.
        rom = self.contents is not None
        style = {"ram_style": "block"} if rom else {}
        for index, (low, (width, contents)) in enumerate(self.slices.items()):
            m.submodules[f"bits_{low}"] = bank = cells(width, len(contents) or self.depth, contents, **style)
            m.d.comb += self.o[low : low + width].eq(read(m, bank, addresses[index % len(addresses)]))
            if self.contents is None:
                write = bank.write_port()
                data = self.load.payload[low : low + width]
                m.d.comb += [write.addr.eq(address), write.en.eq(load), write.data.eq(data)]
        return m
