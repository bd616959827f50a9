"""The LED of every top that shows life."""

from amaranth.hdl import Module, Signal, Value

__all__ = ["alive"]


def alive(m: Module, clock_hz: int, overrun: Value) -> Value:
    """A blink, 1 for lit: once a second, and four to eight times a second after an overrun.

    Adds a counter of `clock_hz` cycles to `m`.
    """
    seconds = Signal(range(clock_hz))
    with m.If(seconds == clock_hz - 1):
        m.d.sync += seconds.eq(0)
    with m.Else():
        m.d.sync += seconds.eq(seconds + 1)
    slow, fast = seconds[-1], seconds[-4]
    return (overrun & fast) | (~overrun & slow)
