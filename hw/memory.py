"""Memories: how they are told to the tools, and one that is read in a fixed order, over and over."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal, ValueLike
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CyclicMemory", "cells", "read"]

BLOCK_FROM_BITS = 1024
"""From this size on, a ROM asks for block RAM."""


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


class CyclicMemory(wiring.Component):
    """Stream the words of a memory in order, from the first again after the last, for ever.

    Weights and biases are stored in the order in which the schedule uses them, so an address is a counter.
    As ROM (`contents` given) it starts by itself. As RAM it first takes `depth` words on `load`, in order, and
    streams once it has them all; reset forgets that they are there.

    The words are kept in slices of at most `slice_width` bits, each a memory of its own: slices as wide as a
    block RAM is at this depth need no multiplexers between block RAMs (docs/hardware.md).

    Latency: one cycle from reset (or from the last loaded word plus one) to the first word. Throughput: one
    word per cycle. Memory: `depth * width` bits, one port with a registered output.

    Members
    -------
    o : Out(stream of unsigned(width))
    load : In(stream of unsigned(width)), RAM only
    """

    def __init__(self, width: int, depth: int, contents: Sequence[int] | None, slice_width: int) -> None:
        self.width, self.depth, self.contents, self.slice_width = width, depth, contents, slice_width
        members = {"o": Out(stream.Signature(width))}
        if contents is None:
            members["load"] = In(stream.Signature(width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        address = Signal(range(self.depth))
        advance, load = Signal(), Signal()
        if self.contents is not None:
            m.d.comb += advance.eq(~self.o.valid | self.o.ready)
        else:
            # One address for both ports, never both at once: a single-port RAM is enough.
            loaded = Signal()
            m.d.comb += [
                self.load.ready.eq(~loaded),
                load.eq(self.load.valid & ~loaded),
                advance.eq(loaded & (~self.o.valid | self.o.ready)),
            ]
            with m.If(load & (address == self.depth - 1)):
                m.d.sync += loaded.eq(1)
        with m.If(advance):
            m.d.sync += self.o.valid.eq(1)
        with m.If(advance | load):
            m.d.sync += address.eq(Mux(address == self.depth - 1, 0, address + 1))

        for low in range(0, self.width, self.slice_width):
            high = min(low + self.slice_width, self.width)
            mask = (1 << (high - low)) - 1
            contents = [] if self.contents is None else [(word >> low) & mask for word in self.contents]
            # Left to itself, Yosys makes a ROM of a few kbit out of LUTs, some hundred of them.
            rom = self.contents is not None
            style = {"ram_style": "block"} if rom and self.depth * self.width >= BLOCK_FROM_BITS else {}
            m.submodules[f"bits_{low}"] = bank = cells(high - low, self.depth, contents, **style)
            m.d.comb += self.o.payload[low:high].eq(read(m, bank, address, advance))
            if self.contents is None:
                write = bank.write_port()
                m.d.comb += [write.addr.eq(address), write.en.eq(load), write.data.eq(self.load.payload[low:high])]
        return m
