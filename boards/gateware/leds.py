"""The two LEDs of every top: is it alive, and are its weights right."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Leds"]


class Leds(wiring.Component):
    """`alive` blinks once a second, and four to eight times a second after an overrun; `error` is lit while
    the weights are unusable.

    Cost: a counter of `clock_hz` cycles and two flip-flops.

    Members
    -------
    overrun, failed : In(1), from the core
    alive, error : Out(1), registered; 1 is lit
    """

    def __init__(self, clock_hz: int) -> None:
        self.clock_hz = clock_hz
        super().__init__({"overrun": In(1), "failed": In(1), "alive": Out(1), "error": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        cycle = Signal(range(self.clock_hz))
        with m.If(cycle == self.clock_hz - 1):
            m.d.sync += cycle.eq(0)
        with m.Else():
            m.d.sync += cycle.eq(cycle + 1)
        slow, fast = cycle[-1], cycle[-4]
        m.d.sync += [self.alive.eq((self.overrun & fast) | (~self.overrun & slow)), self.error.eq(self.failed)]
        return m
