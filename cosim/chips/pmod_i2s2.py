"""Digilent's Pmod I2S2, as a bus master sees it: an ADC in slave mode and a DAC. Simulation only.

Pmod I2S2 reference manual: CS5343 for line in, CS4344 for line out, each with its own clock pins; jumper JP1 at SLV
makes the ADC a slave. Both use I2S: 24 bits, two's complement, most significant bit first, one SCLK after the edge of
LRCK; left while LRCK is 0.

CS5343, data sheet DS687F4, "System Clocking and Serial Audio Interface", slave mode, single speed:

- 4 to 54 kHz; MCLK of 256, 384, 512 or 768 times that, high for 40 to 60 % of the time;
- SCLK of 64 times that, high for 45 to 55 %; LRCK changes within 20 ns of the fall of SCLK;
- SDOUT valid 10 ns before SCLK rises and 40 ns after.

CS4344, data sheet DS613PP2:

- section 4.1: the ratio of MCLK to LRCK is found by counting MCLK in a period of LRCK. "Switching Characteristics -
  Serial Audio Interface": below 30 kHz only 256, 384 and 1024 have a range; MCLK from 0.512 MHz, high for 45 to 55 %;
- SCLK high for 45 to 55 %; LRCK and SDIN stable for 20 ns before and 20 ns after SCLK rises, where SDIN is sampled.
"""

from enum import IntEnum
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from cosim.chips.i2s_slot import SlotWatch
from cosim.chips.pin_watch import PinWatch

__all__ = ["CS4344", "CS5343", "Fault", "Stereo"]

WORD = 24

Stereo = data.StructLayout({"left": signed(WORD), "right": signed(WORD)})
"""The pair of samples that a converter takes or plays at once."""

ADC_RATIOS, DAC_RATIOS = (256, 384, 512, 768), (256, 384, 1024)
SLOWEST_HZ = 2_000
"""No clock on the pins is slower than the DAC's slowest LRCK."""
MARGIN_NS, SDOUT_HOLD_NS = 20, 40


class Fault(IntEnum):
    """A violation of the data sheets by the master."""

    NONE = 0
    RATIO = 1
    DUTY = 2
    FRAME = 3
    LRCK_EDGE = 4
    SDIN_UNSTABLE = 5


class _Converter(wiring.Component):
    """The common part: clock pins with rules, and a fault that stays until reset."""

    def __init__(
        self,
        clock_hz: int,
        ratios: tuple[int, ...],
        mclk_duty: tuple[int, int],
        members: dict[str, Any],
    ) -> None:
        self.clock_hz, self.ratios, self.mclk_duty = clock_hz, ratios, mclk_duty
        clocks = {name: In(1) for name in ("mclk", "lrck", "sclk")}
        super().__init__({**clocks, **members, "fault": Out(Fault)})

    def _watch(self, m: Module) -> tuple[PinWatch, PinWatch, SlotWatch, Value]:
        """SCLK, LRCK, the place in the slot, and whether the last period of LRCK had a permitted ratio."""
        longest = self.clock_hz // SLOWEST_HZ
        m.submodules.mclk = mclk = PinWatch(longest)
        m.submodules.sclk = sclk = PinWatch(longest)
        m.submodules.lrck = lrck = PinWatch(longest)
        m.submodules.slot = slot = SlotWatch()
        m.d.comb += [
            mclk.pin.eq(self.mclk),
            sclk.pin.eq(self.sclk),
            lrck.pin.eq(self.lrck),
            slot.rises.eq(sclk.rises),
            slot.ws.eq(self.lrck),
        ]
        for pin, (least, most) in ((mclk, self.mclk_duty), (sclk, (45, 55))):
            period = pin.low + pin.high
            with m.If(pin.rises & (pin.high != 0)):
                with m.If((100 * pin.high < least * period) | (100 * pin.high > most * period)):
                    self._blame(m, Fault.DUTY)
        with m.If(slot.broken):
            self._blame(m, Fault.FRAME)

        counted, counting, locked = Signal(range(2 * max(self.ratios))), Signal(), Signal()
        with m.If(mclk.rises & ~counted.all()):
            m.d.sync += counted.eq(counted + 1)
        with m.If(lrck.falls):
            m.d.sync += [counted.eq(mclk.rises), counting.eq(1)]
            with m.If(counting):
                allowed = counted.matches(*self.ratios)
                m.d.sync += locked.eq(allowed)
                with m.If(~allowed):
                    self._blame(m, Fault.RATIO)
        return sclk, lrck, slot, locked

    def _blame(self, m: Module, fault: Fault) -> None:
        with m.If(self.fault == Fault.NONE):
            m.d.sync += self.fault.eq(fault)


class CS5343(_Converter):
    """The ADC, as a slave. The first fault stays until reset.

    While SDOUT is not guaranteed valid, it is the inverse of the bit, so a master that samples at the wrong edge reads
    wrong bits. After the 24 bits of a slot it is 0. There is no sound before the ratio is known.

    Members
    -------
    mclk, lrck, sclk : In(1); sdout : Out(1)
    i : In(stream of Stereo), one taken at the start of each frame, zeros if there is none
    fault : Out(Fault)
    """

    def __init__(self, clock_hz: int) -> None:
        self.edge, self.hold = (clock_hz * span // 10**9 for span in (MARGIN_NS, SDOUT_HOLD_NS))
        members = {"sdout": Out(1), "i": In(stream.Signature(Stereo))}
        super().__init__(clock_hz, ADC_RATIOS, (40, 60), members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sclk, lrck, slot, locked = self._watch(m)
        word, other, bit = Signal(WORD), Signal(WORD), Signal()
        with m.If(sclk.falls):
            m.d.sync += [word.eq(word << 1), bit.eq((slot.place < WORD) & word[-1])]
            with m.If(slot.place == 0):
                heard = Mux(locked & self.i.valid, self.i.payload.as_value(), 0)
                start = Mux(slot.right, other, heard[:WORD])
                m.d.comb += self.i.ready.eq(locked & ~slot.right)
                m.d.sync += [word.eq(start << 1), bit.eq(start[-1])]
                with m.If(~slot.right):
                    m.d.sync += other.eq(heard[WORD:])
        promised = Mux(self.sclk, sclk.age < self.hold, sclk.age != 0)
        m.d.comb += self.sdout.eq(bit ^ ~promised)

        # LRCK may change a little before or after SCLK falls.
        early = Signal(range(self.edge + 1))
        with m.If(lrck.rises | lrck.falls):
            with m.If(self.sclk):
                m.d.sync += early.eq(self.edge)
                if not self.edge:
                    self._blame(m, Fault.LRCK_EDGE)
            with m.Elif(sclk.age > self.edge):
                self._blame(m, Fault.LRCK_EDGE)
        with m.Elif(sclk.falls):
            m.d.sync += early.eq(0)
        with m.Elif(early != 0):
            m.d.sync += early.eq(early - 1)
            with m.If(early == 1):
                self._blame(m, Fault.LRCK_EDGE)
        return m


class CS4344(_Converter):
    """The DAC. The first fault stays until reset.

    Members
    -------
    mclk, lrck, sclk, sdin : In(1)
    o : Out(stream of Stereo, always ready), the samples it plays: one per frame, none before the ratio is known
    fault : Out(Fault)
    """

    def __init__(self, clock_hz: int) -> None:
        self.margin = -(-clock_hz * MARGIN_NS // 10**9)
        members = {"sdin": In(1), "o": Out(stream.Signature(Stereo, always_ready=True))}
        super().__init__(clock_hz, DAC_RATIOS, (45, 55), members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sclk, lrck, slot, locked = self._watch(m)
        m.submodules.sdin = sdin = PinWatch(sclk.longest)
        m.d.comb += sdin.pin.eq(self.sdin)
        word = Signal(WORD)
        m.d.sync += self.o.valid.eq(0)
        with m.If(sclk.rises):
            came = Cat(self.sdin, word)[:WORD]
            m.d.sync += word.eq(came)
            with m.If(slot.place == WORD):
                with m.If(slot.right):
                    m.d.sync += [self.o.payload.right.eq(came), self.o.valid.eq(locked)]
                with m.Else():
                    m.d.sync += self.o.payload.left.eq(came)

        for pin, fault in ((lrck, Fault.LRCK_EDGE), (sdin, Fault.SDIN_UNSTABLE)):
            changes = pin.rises | pin.falls
            with m.If(sclk.rises & (pin.age < self.margin)):
                self._blame(m, fault)
            with m.If(changes & self.sclk & (sclk.age < self.margin)):
                self._blame(m, fault)
        return m
