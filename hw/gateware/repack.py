"""Repack: change the word width of a vector."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.streams import Word
from hw.shape.repack import RepackShape
from hw.shape.words import used_lanes

__all__ = ["Repack"]


class Repack(wiring.Component):
    """Cut words of `source` bits into pieces of gcd(source, sink) bits and join these to words of `sink` bits.

    Bits beyond the vector's length are dropped from source words and zero in sink words.

    Throughput: one piece per cycle. Latency from a source word to the sink word it completes: one cycle to cut
    (none if source divides sink), one to join (none if sink divides source).
    Cost: source flip-flops and LUT4 to cut, sink flip-flops to join (and as many LUT4 if the last word is short);
    nothing for a step that is not needed.

    Members
    -------
    i : In(stream of Word(source))
    o : Out(stream of Word(sink))
    """

    def __init__(self, shape: RepackShape) -> None:
        self.shape = shape
        super().__init__(
            {
                "i": In(stream.Signature(Word(shape.source))),
                "o": Out(stream.Signature(Word(shape.sink))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        # A piece passes from the cutting to the joining half.
        length, width, pieces = self.shape.length, self.shape.piece, self.shape.pieces
        piece, start = Signal(width), Signal()
        valid, ready, last = Signal(), Signal(), Signal(init=pieces == 1)
        index = Signal(range(pieces))
        if pieces > 1:
            with m.If(valid & ready):
                m.d.sync += [index.eq(Mux(last, 0, index + 1)), last.eq(index == pieces - 2)]

        cut: Value = self._cut(m, start, valid, ready, last)
        m.d.comb += piece.eq(Mux(last, cut & Const(used_lanes(length, width), width), cut))
        self._join(m, piece, start, valid, ready, last)
        return m

    def _cut(self, m: Module, start: Signal, valid: Signal, ready: Signal, last: Signal) -> Value:
        word: Value = self.i.payload.data
        if not self.shape.cuts:
            m.d.comb += [valid.eq(self.i.valid), self.i.ready.eq(ready), start.eq(self.i.payload.start)]
            return word
        count = self.shape.per_source
        shift, left = Signal(self.shape.source), Signal(range(count))
        finished = ready & ((left == 0) | last)
        m.d.comb += self.i.ready.eq(~valid | finished)
        with m.If(self.i.ready):
            m.d.sync += [valid.eq(self.i.valid), left.eq(count - 1), start.eq(self.i.payload.start), shift.eq(word)]
        with m.Elif(ready):
            m.d.sync += [shift.eq(shift >> self.shape.piece), left.eq(left - 1)]
        return shift[: self.shape.piece]

    def _join(self, m: Module, piece: Signal, start: Signal, valid: Signal, ready: Signal, last: Signal) -> None:
        if not self.shape.joins:
            m.d.comb += [
                self.o.valid.eq(valid),
                self.o.payload.data.eq(piece),
                self.o.payload.start.eq(start),
                ready.eq(self.o.ready),
            ]
            return
        count = self.shape.per_sink
        place = Signal(range(count))
        shifted = Cat(self.o.payload.data[self.shape.piece :], piece)
        # The last word of a vector is always short by the same number of pieces: a fixed shift aligns it.
        short = -self.shape.pieces % count
        m.d.comb += ready.eq(~self.o.valid | self.o.ready)
        with m.If(ready):
            complete = last | (place == count - 1)
            m.d.sync += self.o.valid.eq(valid & complete)
            with m.If(valid):
                m.d.sync += [
                    place.eq(Mux(complete, 0, place + 1)),
                    self.o.payload.start.eq(start),
                    self.o.payload.data.eq(Mux(last, shifted >> (short * self.shape.piece), shifted)),
                ]
