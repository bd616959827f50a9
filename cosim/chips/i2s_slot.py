"""Tracks the position in an I2S frame as a chip on the bus does. Simulation only."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LOST", "SLOT", "SlotWatch"]

SLOT = 32
"""Bit clocks per slot: the only number that INMP441 and Pmod I2S2 both accept."""

LOST = SLOT
"""The place before the first edge of word select, and after a missing one."""


class SlotWatch(wiring.Component):
    """Count the rising edges of the bit clock, starting at the first with a new word select.

    Members
    -------
    rises : In(1), the bit clock rises in this cycle; ws : In(1)
    place : Out, the last rising edge's number in its slot, 0 to 31, or LOST
    right : Out(1), word select at that edge
    broken : Out(1), for one cycle: word select changed after a number of bit clocks other than SLOT
    """

    def __init__(self) -> None:
        super().__init__(
            {"rises": In(1), "ws": In(1), "place": Out(range(SLOT + 1)), "right": Out(1), "broken": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, right, known = Signal.like(self.place, init=LOST), Signal(), Signal()
        m.d.comb += [self.place.eq(place), self.right.eq(right)]
        with m.If(self.rises):
            m.d.comb += self.right.eq(self.ws)
            with m.If(known & (self.ws != right)):
                m.d.comb += [self.place.eq(0), self.broken.eq((place != SLOT - 1) & (place != LOST))]
            with m.Elif(place == SLOT - 1):
                m.d.comb += [self.place.eq(LOST), self.broken.eq(1)]
            with m.Elif(place != LOST):
                m.d.comb += self.place.eq(place + 1)
            m.d.sync += known.eq(1)
        m.d.sync += [place.eq(self.place), right.eq(self.right)]
        return m
