"""The engine's working memory: one port."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.memory import ram as memory_of
from hw.gateware.memory import read

__all__ = ["SinglePortRam"]


class SinglePortRam(wiring.Component):
    """`depth` words, one read or write a cycle: single-port RAM where the family has it, block RAM elsewhere.

    Nothing reads in a cycle that writes: both use one address. Latency: one cycle. Memory: depth x width bits.

    Members
    -------
    address : In; write : In(1), `data` goes there; data : In(width)
    word : Out(width), what was at the address a cycle ago; after a write, unknown
    """

    def __init__(self, depth: int, width: int, single_port: bool) -> None:
        self.depth, self.width, self.single_port = depth, width, single_port
        super().__init__({"address": In(range(depth)), "write": In(1), "data": In(width), "word": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        style = "huge" if self.single_port else "block"
        m.submodules.words = words = memory_of(self.width, self.depth, ram_style=style)
        port = words.write_port()
        m.d.comb += [port.addr.eq(self.address), port.en.eq(self.write), port.data.eq(self.data)]
        m.d.comb += self.word.eq(read(m, words, self.address, ~self.write))
        return m
