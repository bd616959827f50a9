"""Measures when a pin changes, to check a chip's timing rules. Simulation only."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["PinWatch"]


class PinWatch(wiring.Component):
    """Edges of a pin, and how long each level lasts. Times are in cycles of `sync` and saturate at `longest`.

    Members
    -------
    pin : In(1)
    rises, falls : Out(1), in the first cycle of the new level
    age : Out, cycles since the last edge: 0 in the first cycle of a level
    low, high : Out, cycles of the last complete low and high, 0 before the first
    """

    def __init__(self, longest: int) -> None:
        self.longest = longest
        length = range(longest + 1)
        members = {"rises": Out(1), "falls": Out(1), "age": Out(length), "low": Out(length), "high": Out(length)}
        super().__init__({"pin": In(1), **members})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        before, since, seen = Signal(), Signal(range(self.longest + 1), init=self.longest), Signal()
        powered = Signal()  # the level at power-up is not an edge
        changed = self.rises | self.falls
        m.d.comb += [
            self.rises.eq(powered & self.pin & ~before),
            self.falls.eq(powered & ~self.pin & before),
            self.age.eq(Mux(changed, 0, since)),
        ]
        m.d.sync += [
            powered.eq(1),
            before.eq(self.pin),
            since.eq(Mux(self.age == self.longest, self.longest, self.age + 1)),
        ]
        m.d.sync += seen.eq(seen | changed)
        for ends, length in ((self.rises, self.low), (self.falls, self.high)):
            last = Signal.like(length)
            m.d.comb += length.eq(Mux(ends & seen, since, last))
            m.d.sync += last.eq(length)
        return m
