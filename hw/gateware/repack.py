"""Repack: carry a vector over from words of one width to words of another."""

from math import gcd

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.streams import Word, used_lanes, words

__all__ = ["Repack"]


class Repack(wiring.Component):
    """Cut words of `source` bits into pieces of gcd(source, sink) bits and join these to words of `sink` bits.

    The vector has `length` bits; what a source word carries beyond them is dropped, what a sink word has
    beyond them is zero.

    Throughput: one piece per cycle. Latency from a source word to the sink word that it completes: one cycle
    to cut (none where source divides sink), one to join (none where sink divides source).
    Cost: source flip-flops and LUT4 to cut, sink flip-flops to join (and as many LUT4 where the last word is
    short); nothing for a step that is not needed.

    Members
    -------
    i : In(stream of Word(source))
    o : Out(stream of Word(sink))
    """

    def __init__(self, length: int, source: int, sink: int) -> None:
        self.length, self.source, self.sink = length, source, sink
        self.piece = gcd(source, sink)
        super().__init__(
            {
                "i": In(stream.Signature(Word(source))),
                "o": Out(stream.Signature(Word(sink))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A piece is on its way from the cutting to the joining half.
        piece, start = Signal(self.piece), Signal()
        pieces = words(self.length, self.piece)
        valid, ready, last = Signal(), Signal(), Signal(init=pieces == 1)
        index = Signal(range(pieces))
        if pieces > 1:
            with m.If(valid & ready):
                m.d.sync += [index.eq(Mux(last, 0, index + 1)), last.eq(index == pieces - 2)]

        cut: Value = self._cut(m, start, valid, ready, last)
        m.d.comb += piece.eq(Mux(last, cut & Const(used_lanes(self.length, self.piece), self.piece), cut))
        self._join(m, piece, start, valid, ready, last)
        return m

    def _cut(self, m: Module, start: Signal, valid: Signal, ready: Signal, last: Signal) -> Value:
        word: Value = self.i.payload.data
        if self.piece == self.source:
            m.d.comb += [valid.eq(self.i.valid), self.i.ready.eq(ready), start.eq(self.i.payload.start)]
            return word
        count = self.source // self.piece
        shift, left = Signal(self.source), Signal(range(count))
        finished = ready & ((left == 0) | last)
        m.d.comb += self.i.ready.eq(~valid | finished)
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), left.eq(count - 1), start.eq(self.i.payload.start), shift.eq(word)]
        with m.Elif(ready):
            m.d.sync += [shift.eq(shift >> self.piece), left.eq(left - 1)]
        return shift[: self.piece]

    def _join(self, m: Module, piece: Signal, start: Signal, valid: Signal, ready: Signal, last: Signal) -> None:
        if self.piece == self.sink:
            m.d.comb += [
                self.o.valid.eq(valid),
                self.o.payload.data.eq(piece),
                self.o.payload.start.eq(start),
                ready.eq(self.o.ready),
            ]
            return
        count = self.sink // self.piece
        place = Signal(range(count))
        shifted = Cat(self.o.payload.data[self.piece :], piece)
        # The last word of a vector is always short by the same number of pieces: a fixed shift puts it right.
        short = -words(self.length, self.piece) % count
        m.d.comb += ready.eq(~self.o.valid | self.o.ready)
        with m.If(ready):
            complete = last | (place == count - 1)
            m.d.sync += self.o.valid.eq(valid & complete)
            with m.If(valid):
                m.d.sync += [
                    place.eq(Mux(complete, 0, place + 1)),
                    self.o.payload.start.eq(start),
                    self.o.payload.data.eq(Mux(last, shifted >> (short * self.piece), shifted)),
                ]
