"""A bit-serial logarithm to base 2: the leading one and the bits below it."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["MANTISSA", "SerialLogarithm"]

MANTISSA = 10


class SerialLogarithm(wiring.Component):
    """floor(log2) and the 10 bits below the leading one, of a number that arrives bit by bit, lowest first.

    The last one that arrives is the leading one. Latency: none, after the last bit. Cost: about 40 LUT4.

    Members
    -------
    clear : In(1), a number begins in the next cycle; bit : In(1); enable : In(1), `bit` is one of its
    exponent : Out(6), mantissa : Out(10), some : Out(1), it is not 0
    """

    def __init__(self) -> None:
        super().__init__(
            {
                **dict.fromkeys(("clear", "bit", "enable"), In(1)),
                "exponent": Out(6),
                "mantissa": Out(MANTISSA),
                "some": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        below, place = Signal(MANTISSA), Signal(6)
        with m.If(self.enable):
            m.d.sync += [below.eq(Cat(below[1:], self.bit)), place.eq(place + 1)]
            with m.If(self.bit):
                m.d.sync += [self.exponent.eq(place), self.mantissa.eq(below), self.some.eq(1)]
        with m.If(self.clear):
            m.d.sync += [below.eq(0), place.eq(0), self.some.eq(0)]
        return m
