"""The input buffer: a double buffer for a layer's input vector."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.memory import ram, read
from hw.gateware.streams import Word
from hw.shape.words import ceil_log2, used_lanes, words

__all__ = ["InputBuffer"]


class InputBuffer(wiring.Component):
    """Two vectors of `length` bits in `simd`-bit words: one is read, the other is filled.

    With `clean`, bits of the last word beyond `length` are stored as zero.
    Latency: one cycle from `address` to `data`, and one from the last word in to `full`.
    Memory: twice the vector, one write and one read port.

    Members
    -------
    i : In(stream of Word(simd))
    full : Out(1), a vector is ready to read; start : Out(1), its `start`
    address, enable : In, the word to read; data : Out(simd), the word a cycle later (held while `enable` is low)
    release : In(1), done with the vector
    """

    def __init__(self, length: int, simd: int, clean: bool) -> None:
        self.length, self.simd, self.clean, self.words = length, simd, clean, words(length, simd)
        super().__init__(
            {
                "i": In(stream.Signature(Word(simd))),
                "full": Out(1),
                "start": Out(1),
                "address": In(range(self.words)),
                "enable": In(1),
                "data": Out(simd),
                "release": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.cells = both = ram(self.simd, 2 << ceil_log2(self.words))  # one is read, the other written
        write = both.write_port()
        filling, reading = Signal(), Signal()
        full, start, index = Signal(2), Signal(2), Signal(range(self.words))
        last = index == self.words - 1
        used = Const(used_lanes(self.length, self.simd) if self.clean else -1, self.simd)

        m.d.comb += [
            self.i.ready.eq(~full.bit_select(filling, 1)),
            write.en.eq(self.i.valid & self.i.ready),
            write.addr.eq(Cat(index, filling)),
            write.data.eq(self.i.payload.data & Mux(last, used, -1)),
            self.full.eq(full.bit_select(reading, 1)),
            self.start.eq(start.bit_select(reading, 1)),
            self.data.eq(read(m, both, Cat(self.address, reading), self.enable)),
        ]
        with m.If(write.en):
            m.d.sync += [index.eq(Mux(last, 0, index + 1)), start.bit_select(filling, 1).eq(self.i.payload.start)]
            with m.If(last):
                m.d.sync += [full.bit_select(filling, 1).eq(1), filling.eq(~filling)]
        with m.If(self.release):
            m.d.sync += [full.bit_select(reading, 1).eq(0), reading.eq(~reading)]
        return m
