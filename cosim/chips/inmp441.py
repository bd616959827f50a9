"""A model of the INMP441, a microphone with an I2S output. Simulation only.

From the data sheet, InvenSense DS-INMP441-00, revision 1.1:

- "I2S Data Interface", Figures 7 to 10: 24 bits, two's complement, most significant bit first, one SCK after the edge
  of WS; 64 SCK to a frame; left while WS is 0, right while it is 1; SD is released after the least significant bit.
- "Startup": it works 2^18 SCK after power-up.
- Table 3: SCK 0.5 to 3.2 MHz, high and low for 50 ns at least; WS stable for 0 ns before and 20 ns after SCK rises.
- Table 1: group delay of 17.2 samples; -26 dBFS for 94 dB SPL. Neither is modelled.

The sheet gives no timing for SD, so this is from the I2S bus specification (NXP UM11732, Table 1, for the shortest SCK
period): valid 0.8 T after the last rise of SCK, 94 ns after it falls, and until it rises again.
"""

from enum import IntEnum

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from cosim.chips.i2s_slot import SlotWatch
from cosim.chips.pin_watch import PinWatch

__all__ = ["STARTUP", "Fault", "Inmp441"]

STARTUP = 1 << 18
"""SCK from power-up to the first sound."""

WORD = 24
SCK_HZ = (500_000, 3_200_000)
LEVEL_NS, WS_HOLD_NS, SD_DELAY_NS = 50, 20, 94


class Fault(IntEnum):
    """A violation of the data sheet by the master."""

    NONE = 0
    SCK_TOO_FAST = 1
    SCK_TOO_SLOW = 2
    WS_UNSTABLE = 3
    FRAME = 4


class Inmp441(wiring.Component):
    """One microphone. The first fault stays until reset.

    While it drives SD but SD is not guaranteed valid, SD is the inverse of the bit, so a master that samples at the
    wrong edge reads wrong bits. Undriven, SD is 0: the sheet requires a pull-down of 100 kOhm.

    Parameters
    ----------
    clock_hz : of the `sync` domain, by which pins are sampled
    right : level of the L/R pin
    startup : SCK until it works; until then its words are 0

    Members
    -------
    sck, ws : In(1); sd : Out(1), driven : Out(1), whether SD is
    i : In(stream of signed(24)), the sound: one word is taken at the start of each of its slots, 0 if there is none
    fault : Out(Fault)
    """

    def __init__(self, clock_hz: int, right: bool = False, startup: int = STARTUP) -> None:
        self.right, self.startup = right, startup
        slowest, fastest = SCK_HZ
        self.shortest, self.longest = -(-clock_hz // fastest), clock_hz // slowest
        self.level, self.ws_hold, self.sd_delay = (
            -(-clock_hz * span // 10**9) for span in (LEVEL_NS, WS_HOLD_NS, SD_DELAY_NS)
        )
        super().__init__(
            {
                "sck": In(1),
                "ws": In(1),
                "sd": Out(1),
                "driven": Out(1),
                "i": In(stream.Signature(signed(24))),
                "fault": Out(Fault),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.sck = sck = PinWatch(self.longest + 1)
        m.submodules.ws = ws = PinWatch(self.longest + 1)
        m.submodules.slot = slot = SlotWatch()
        m.d.comb += [sck.pin.eq(self.sck), ws.pin.eq(self.ws), slot.rises.eq(sck.rises), slot.ws.eq(self.ws)]

        edges, word = Signal(range(self.startup + 1)), Signal(WORD)
        awake = edges == self.startup
        with m.If(sck.rises & ~awake):
            m.d.sync += edges.eq(edges + 1)
        with m.If(sck.falls):
            m.d.sync += [word.eq(word << 1), self.driven.eq((slot.right == self.right) & (slot.place < WORD))]
            with m.If((slot.right == self.right) & (slot.place == 0)):
                m.d.comb += self.i.ready.eq(awake)
                m.d.sync += word.eq(Mux(awake & self.i.valid, self.i.payload.as_unsigned(), 0))
        promised = ~self.sck & (sck.age >= self.sd_delay)
        m.d.comb += self.sd.eq(self.driven & (word[-1] ^ ~promised))

        with m.If(sck.rises & (sck.high != 0)):
            with m.If((sck.low + sck.high < self.shortest) | (sck.low < self.level) | (sck.high < self.level)):
                self._blame(m, Fault.SCK_TOO_FAST)
            with m.Elif(sck.low + sck.high > self.longest):
                self._blame(m, Fault.SCK_TOO_SLOW)
        with m.If(slot.broken):
            self._blame(m, Fault.FRAME)
        with m.If((ws.rises | ws.falls) & self.sck & (sck.age < self.ws_hold)):
            self._blame(m, Fault.WS_UNSTABLE)
        return m

    def _blame(self, m: Module, fault: Fault) -> None:
        with m.If(self.fault == Fault.NONE):
            m.d.sync += self.fault.eq(fault)
