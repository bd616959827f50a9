"""How often the LED blinks."""

from itertools import pairwise

from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.gateware.leds import alive


def blinks(clock_hz: int, cycles: int, overrun: int) -> int:
    """How often it is lit in so many cycles."""
    m, lit, seen = Module(), Signal(), list[int]()
    m.d.sync += lit.eq(alive(m, clock_hz, Signal(init=overrun)))

    async def bench(ctx):
        for _ in range(cycles):
            await ctx.tick()
            seen.append(ctx.get(lit))

    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return sum(after > before for before, after in pairwise(seen))


@given(clock_hz=st.integers(64, 500))
@settings(max_examples=10)
def test_it_blinks_once_a_second_and_four_to_eight_times_after_an_overrun(clock_hz):
    assert blinks(clock_hz, 3 * clock_hz + 1, overrun=0) == 3
    assert 4 <= blinks(clock_hz, 3 * clock_hz + 1, overrun=1) / 3 <= 8
