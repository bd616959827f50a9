"""MVU: the matrix-vector unit, `pe` rows and `simd` columns at a time."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.arithmetic import Arithmetic
from hw.streams import Word

__all__ = ["MVU"]


class MVU(wiring.Component):
    """Multiply, accumulate over the words of a row group, compare with the rows' limits.

    A row group is `pe` rows; its words come one per cycle, the first with `first`, the last with `last`.
    Bit `p` of the result is `accumulated[p] >= limit[p]` (ties give 1). Padding rows and columns need no
    logic: padding weights contribute nothing, and a padding row's limit is out of reach.

    Latency: `latency` cycles from the last word to the result: the multiplier's, one to accumulate, one to
    compare. Throughput: one word per cycle, without back-pressure: whoever feeds it must have room for what
    comes out. Memory: none; flip-flops per row: the accumulator's width and the pipeline of the multiplier.

    Members
    -------
    i : In(stream of {weights, x, active, first, last, start}, always ready)
    limits : In(stream of pe limits, always valid); one is taken with each result
    o : Out(stream of Word(pe), always ready)
    """

    def __init__(self, arithmetic: Arithmetic, pe: int, simd: int, columns: int, dynamic: bool) -> None:
        self.arithmetic, self.pe, self.simd, self.dynamic = arithmetic, pe, simd, dynamic
        self.limit = arithmetic.accumulator(columns, dynamic)
        self.multiplier: Any = arithmetic.multiplier(pe, simd, dynamic)
        self.latency: int = self.multiplier.latency + 2
        weights = data.ArrayLayout(arithmetic.weight_bits * simd, pe)
        word = data.StructLayout({"weights": weights, "x": simd, "active": simd, "first": 1, "last": 1, "start": 1})
        super().__init__(
            {
                "i": In(stream.Signature(word, always_ready=True)),
                "limits": In(stream.Signature(data.ArrayLayout(self.limit, pe), always_valid=True)),
                "o": Out(stream.Signature(Word(pe), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiplier = multiplier = self.multiplier
        m.d.comb += [
            multiplier.i.valid.eq(self.i.valid),
            multiplier.i.payload.weights.eq(self.i.payload.weights),
            multiplier.i.payload.x.eq(self.i.payload.x),
            multiplier.i.payload.active.eq(self.i.payload.active),
        ]

        # The marks of a word travel beside its products.
        marks = [self.i.payload[name] for name in ("first", "last", "start")]
        for stage in range(multiplier.latency):
            delayed = [Signal(name=f"mark{index}_{stage}", reset_less=True) for index in range(len(marks))]
            m.d.sync += [register.eq(mark) for register, mark in zip(delayed, marks, strict=True)]
            marks = delayed
        first, last, start = marks

        accumulator = Signal(data.ArrayLayout(self.limit, self.pe), reset_less=True)
        done, done_start = Signal(), Signal(reset_less=True)
        with m.If(multiplier.o.valid):
            for total, product in zip(accumulator, multiplier.o.payload, strict=True):
                with m.If(first):
                    m.d.sync += total.eq(product)
                with m.Else():
                    m.d.sync += total.eq(total + product)
        m.d.sync += [done.eq(multiplier.o.valid & last), done_start.eq(start)]

        m.d.sync += [self.o.valid.eq(done), self.o.payload.start.eq(done_start)]
        m.d.comb += self.limits.ready.eq(done)
        for row, (total, limit) in enumerate(zip(accumulator, self.limits.payload, strict=True)):
            m.d.sync += self.o.payload.data[row].eq(total >= limit)
        return m
