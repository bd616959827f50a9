"""The clocks of an I2S bus, divided from the system clock."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from boards.gateware.sample_rate import BIT_CLOCKS, SampleRate

__all__ = ["Beat", "Clocks"]

Beat = wiring.Signature({"rise": Out(1), "fall": Out(1), "frame": Out(1), "place": Out(range(BIT_CLOCKS))})
"""Where the bus is. `place` is the bit period since the start of the frame; a period begins when the bit clock falls.
`rise` and `fall` are 1 in the last cycle before the bit clock does that on its pin, so that a register that they enable
changes with the pin; `frame` is the `fall` that begins a frame."""


class Clocks(wiring.Component):
    """Bit clock, word select and master clock of an I2S bus, as its master.

    Word select is 0 in periods 0 to 31 (left) and 1 in periods 32 to 63 (right); it changes where the bit clock falls.
    After reset the bus is in period 63, so the first frame begins with an edge of word select.
    All pins are driven by registers, so they do not glitch.

    Cost on iCE40 at 24 MHz / 24: 31 LUT4, 16 flip-flops.

    Members
    -------
    mclk, sclk, ws : Out(1), to the pins; `mclk` stays 0 if the rate has none
    beat : Out(Beat)
    """

    def __init__(self, rate: SampleRate) -> None:
        self.rate = rate
        super().__init__({"mclk": Out(1), "sclk": Out(1), "ws": Out(1), "beat": Out(Beat)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat, divisor = self.beat, self.rate.divisor
        place = Signal.like(beat.place, init=BIT_CLOCKS - 1)
        m.d.comb += [
            beat.place.eq(place),
            beat.frame.eq(beat.fall & (place == BIT_CLOCKS - 1)),
            self.ws.eq(place[-1]),
        ]
        count = self._divide(m, divisor)
        m.d.comb += [beat.rise.eq(count == (divisor + 1) // 2 - 1), beat.fall.eq(count == divisor - 1)]
        with m.If(beat.rise):
            m.d.sync += self.sclk.eq(1)
        with m.If(beat.fall):
            m.d.sync += [self.sclk.eq(0), place.eq(place + 1)]
        if self.rate.mclk_divisor is not None:
            half = (self.rate.mclk_divisor + 1) // 2
            m.d.sync += self.mclk.eq(self._divide(m, self.rate.mclk_divisor) >= half)
        return m

    def _divide(self, m: Module, divisor: int) -> Signal:
        """A counter modulo `divisor`."""
        count = Signal(range(divisor))
        with m.If(count == divisor - 1):
            m.d.sync += count.eq(0)
        with m.Else():
            m.d.sync += count.eq(count + 1)
        return count
