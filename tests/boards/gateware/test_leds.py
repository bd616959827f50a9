"""The LEDs: how often they blink."""

from itertools import pairwise

import pytest
from amaranth.sim import Simulator
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.gateware.leds import Leds


def lit(clock_hz: int, cycles: int, overrun: int = 0, failed: int = 0) -> tuple[list[int], list[int]]:
    """Both LEDs in each of so many cycles."""
    leds = Leds(clock_hz)
    alive, error = list[int](), list[int]()

    async def bench(ctx):
        ctx.set(leds.overrun, overrun)
        ctx.set(leds.failed, failed)
        for _ in range(cycles):
            await ctx.tick()
            alive.append(ctx.get(leds.alive))
            error.append(ctx.get(leds.error))

    simulator = Simulator(leds)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return alive, error


def rises(led: list[int]) -> int:
    return sum(not before and after for before, after in pairwise(led))


@given(clock_hz=st.integers(64, 500))
@settings(max_examples=10)
def test_alive_blinks_once_a_second_and_four_to_eight_times_after_an_overrun(clock_hz):
    seconds = 3
    assert rises(lit(clock_hz, seconds * clock_hz + 1)[0]) == seconds
    fast = rises(lit(clock_hz, seconds * clock_hz + 1, overrun=1)[0]) / seconds
    assert 4 <= fast <= 8


@pytest.mark.parametrize("failed", [0, 1])
def test_error_is_lit_while_the_weights_are_unusable(failed):
    assert set(lit(100, 20, failed=failed)[1][1:]) == {failed}
