"""Memories that are read in one fixed order, over and over."""

from collections.abc import Sequence

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["CyclicMemory"]


class CyclicMemory(wiring.Component):
    """Stream the words of a memory in order, from the first again after the last, for ever.

    Weights and limits are stored in the order in which the schedule uses them, so an address is a counter.
    As ROM (`contents` given) it starts by itself. As RAM it first takes `depth` words on `load`, in order, and
    streams once it has them all; reset forgets that they are there.

    Latency: one cycle from reset (or from the last loaded word plus one) to the first word. Throughput: one
    word per cycle. Memory: `depth * width` bits, one port with a registered output.

    Members
    -------
    o : Out(stream of unsigned(width))
    load : In(stream of unsigned(width)), RAM only
    """

    def __init__(self, width: int, depth: int, contents: Sequence[int] | None) -> None:
        self.width, self.depth, self.contents = width, depth, contents
        members = {"o": Out(stream.Signature(width))}
        if contents is None:
            members["load"] = In(stream.Signature(width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cells = cells = memory.Memory(shape=self.width, depth=self.depth, init=self.contents or [])
        read = cells.read_port()
        address = Signal(range(self.depth))
        advance = Signal()
        following = Mux(address == self.depth - 1, 0, address + 1)
        m.d.comb += [self.o.payload.eq(read.data), read.addr.eq(address)]

        if self.contents is not None:
            m.d.comb += advance.eq(~self.o.valid | self.o.ready)
            with m.If(advance):
                m.d.sync += [address.eq(following), self.o.valid.eq(1)]
        else:
            # One address serves both ports, so that a single-port RAM is enough.
            write = cells.write_port()
            loaded = Signal()
            m.d.comb += [
                self.load.ready.eq(~loaded),
                write.addr.eq(address),
                write.data.eq(self.load.payload),
                write.en.eq(self.load.valid & ~loaded),
                advance.eq(loaded & (~self.o.valid | self.o.ready)),
            ]
            with m.If(write.en):
                m.d.sync += [address.eq(following), loaded.eq(address == self.depth - 1)]
            with m.If(advance):
                m.d.sync += [address.eq(following), self.o.valid.eq(1)]
        m.d.comb += read.en.eq(advance)
        return m
