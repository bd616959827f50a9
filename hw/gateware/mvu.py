"""MVU: the matrix-vector unit, `pe` rows and `simd` columns per cycle."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.arithmetic import Arithmetic
from hw.gateware.popcount import Popcount, delayed, packed_sums
from hw.gateware.streams import Word
from hw.shape.engine_spec import mvu_latency, operands
from hw.shape.number_format import accumulator_bits

__all__ = ["MVU"]


class MVU(wiring.Component):
    """Multiply, count and accumulate over the words of a row group; output which rows ended at 0 or above.

    A row group is `pe` rows; its words come one per cycle, the first with `first`, the last with `last`. A row's
    accumulator starts at the row's bias and adds its products of +1; bit `p` of the result is 1 if row p ended at 0
    or above (ties give 1). So the sign is the comparison, and padding needs no logic: padding weights add nothing, and
    no sum reaches the bias of a padding row.

    Widths: a row's accumulator is just wide enough for every possible sum (`hw.shape.number_format.accumulator_bits`).
    Latency: `latency` cycles from the last word to the result: the popcount's, plus one to accumulate.
    Throughput: one word per cycle, without back-pressure: the user must have room for the results.
    Cost per row: a LUT4 per product, `hw.shape.popcount.cost` of all products but one, two LUT4 per bit of the
    accumulator; on ECP5 a third of the products and half of the accumulator move into the carry chains
    (`hw/flow/absorb.py`).

    Members
    -------
    i : In(stream of {weights, x, first, last, start}, always ready); x is one operand word, or two if `dynamic`
    biases : In(pe biases) of the row group whose first word came `latency` - 1 cycles ago
    o : Out(stream of Word(pe), always ready)
    """

    marks = ("first", "last", "start")

    def __init__(self, arithmetic: Arithmetic, pe: int, simd: int, columns: int, dynamic: bool) -> None:
        self.arithmetic, self.pe, self.simd, self.dynamic = arithmetic, pe, simd, dynamic
        self.total = signed(accumulator_bits(columns, dynamic))
        self.operands = operands(dynamic)
        # One product goes to the accumulator's carry in.
        self.counted = self.operands * simd - 1
        self.latency = mvu_latency(simd, dynamic)
        word = {
            "weights": data.ArrayLayout(arithmetic.format.bits * simd, pe),
            "x": data.ArrayLayout(simd, self.operands),
            **dict.fromkeys(self.marks, 1),
        }
        super().__init__(
            {
                "i": In(stream.Signature(data.StructLayout(word), always_ready=True)),
                "biases": In(data.ArrayLayout(self.total, pe)),
                "o": Out(stream.Signature(Word(pe), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = self.i.payload
        stages = self.latency - 1
        first, last, start = (delayed(m, word[mark], stages) for mark in ("first", "last", "start"))
        valid = Signal()
        done = Signal()
        m.d.sync += [done.eq(valid & last), self.o.payload.start.eq(start)]
        m.d.comb += self.o.valid.eq(done)

        for row in range(self.pe):
            weights = word.weights[row]
            products = Cat(self.arithmetic.products(weights, word.x[index]) for index in range(self.operands))
            m.submodules[f"count_{row}"] = count = Popcount(self.counted)
            m.d.comb += [count.i.payload.eq(products[1:]), count.i.valid.eq(self.i.valid)]
            if row == 0:
                m.d.comb += valid.eq(count.o.valid)

            total = Signal(self.total, reset_less=True, name=f"total_{row}")
            before = Mux(first, self.biases[row], total).as_unsigned()
            (after,) = packed_sums([(before, count.o.payload, delayed(m, products[0], stages))])
            with m.If(valid):
                m.d.sync += total.eq(after)
            m.d.comb += self.o.payload.data[row].eq(total >= 0)
        return m
