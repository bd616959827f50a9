"""The shift that lets a bin's magnitudes be squared."""

from amaranth.hdl import Cat, Const, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.audio.multiplier import COEFFICIENT

__all__ = ["Magnitude"]

SQUARED = 15
"""Bits of a magnitude that is squared, without its two bits more."""


class Magnitude(wiring.Component):
    """The power of two that brings the larger of two magnitudes below 2^15, and its exponent.

    Latency: one cycle. Cost: about four LUT4 a bit above 15.

    Members
    -------
    value : In(width), a magnitude; load : In(1), it is the first; too : In(1), it is the second
    shift : Out, r; power : Out(signed(16)), 2^(15 - r), but -2^15 where r is 0
    """

    def __init__(self, width: int) -> None:
        self.width = width
        self.places = width - SQUARED
        super().__init__(
            {
                "value": In(width),
                "load": In(1),
                "too": In(1),
                "shift": Out(range(self.places + 1)),
                "power": Out(signed(COEFFICIENT)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        above = Signal(self.places)
        high = self.value[SQUARED:]
        with m.If(self.load):
            m.d.sync += above.eq(high)
        with m.Elif(self.too):
            m.d.sync += above.eq(above | high)
        leading = [above[place] & ~above[place + 1 :].any() for place in range(self.places)]
        # r is the leading place plus one.
        powers = [Const(0, 1)] * COEFFICIENT
        powers[COEFFICIENT - 1] = ~above.any()
        for place, is_leading in enumerate(leading):
            powers[COEFFICIENT - 2 - place] = is_leading
        m.d.comb += self.power.eq(Cat(*powers))
        for bit in range(len(self.shift)):
            chosen = [is_leading for place, is_leading in enumerate(leading) if (place + 1) >> bit & 1]
            if chosen:
                m.d.comb += self.shift[bit].eq(Cat(*chosen).any())
        return m
