"""Multiply and accumulate: all arithmetic of the engine."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.shape.audio_program import Bias

__all__ = ["COEFFICIENT", "MultiplyAccumulate"]

COEFFICIENT = 16
FRACTION = 15
CUT = 15
"""Low bits of the operand that one of the two multipliers takes."""


class MultiplyAccumulate(wiring.Component):
    """sum +-= operand * coefficient, or +-= operand * 2^15; the result is the sum's bits from 15 on, or from 16 on.

    The operand's low 15 bits and the rest have a multiplier each, of 16 x 16 bits: two SB_MAC16 or MULT18X18D for a
    word of up to 31 bits. Latency: 3 cycles from operand and coefficient to the sum. Throughput: a term every cycle.
    Cost on iCE40: about five LUT4 a bit.

    Members
    -------
    operand : In(signed(width)); coefficient : In(signed(16)); in one cycle
    zero : In(1), a cycle later: if directly added, the operand counts as 0
    add, first, direct, invert, bias : In, two cycles later: the term counts; it is the first; directly; negated
    halve : In(1), two cycles later, a result is to be halved: another half bit with the bias
    energy : In, what the bias `ENERGY` is where `seed`; else the sum goes on
    sum : Out(signed(width + 16)), three cycles later; sign : Out(1), of the operand, one cycle later
    """

    def __init__(self, width: int, output_shift: int) -> None:
        self.width, self.output_shift = width, output_shift
        self.sum_width = max(width + 16, 48)
        super().__init__(
            {
                "operand": In(signed(width)),
                "coefficient": In(signed(COEFFICIENT)),
                "zero": In(1),
                "sign": Out(1),
                "add": In(1),
                "first": In(1),
                "direct": In(1),
                "invert": In(1),
                "bias": In(Bias),
                "halve": In(1),
                "energy": In(self.sum_width),
                "seed": In(1),
                "sum": Out(signed(self.sum_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = self.width
        low, high = Signal(signed(CUT + COEFFICIENT)), Signal(signed(width - CUT + COEFFICIENT))
        product = Signal(signed(width + COEFFICIENT))
        operand, direct = Signal(signed(width)), Signal(signed(width))
        m.d.sync += [
            low.eq(Cat(self.operand[:CUT], Const(0, 1)).as_signed() * self.coefficient),
            high.eq(self.operand[CUT:].as_signed() * self.coefficient),
            product.eq(Cat(low[:CUT], high + (low >> CUT))),
            operand.eq(self.operand),
            direct.eq(operand),
        ]
        with m.If(self.zero):
            m.d.sync += direct.eq(0)
        m.d.comb += self.sign.eq(operand[-1])

        term, base = Signal(signed(self.sum_width)), Signal(signed(self.sum_width))
        chosen = Mux(self.direct, direct << FRACTION, product).as_signed()
        m.d.comb += [term.eq(chosen ^ self.invert.replicate(self.sum_width).as_signed()), base.eq(self.sum)]
        half = Const(1 << (FRACTION - 1), self.sum_width)
        with m.If(self.first):
            with m.Switch(self.bias):
                with m.Case(Bias.UP):
                    m.d.comb += base.eq(half | (self.halve << FRACTION))
                with m.Case(Bias.DOWN):
                    m.d.comb += base.eq((half - 1) | (self.halve << FRACTION))
                with m.Case(Bias.OUTPUT):
                    m.d.comb += base.eq(half | (1 << (FRACTION + self.output_shift - 1)))
                with m.Case(Bias.ENERGY):
                    m.d.comb += base.eq(Mux(self.seed, self.energy, self.sum))
                with m.Default():
                    m.d.comb += base.eq(0)
        with m.If(self.add):
            m.d.sync += self.sum.eq(base + term + self.invert)
        return m
