"""A button that bounces."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.button import Button
from tests.support.hw_bench import Bench, some

SETTLE = 8


def pressed(levels):
    """The output in each cycle, for the pin's level in each."""
    dut = Button(SETTLE, settle_seconds=1)
    bench = Bench(dut)
    log = bench.watch(dut.pressed)

    async def finger(ctx):
        for level in levels:
            ctx.set(dut.pin, level)
            await ctx.tick()

    bench.script(finger)
    bench.run()
    return [value for (value,) in log]


def plain(levels):
    """The output follows a level that the synchronised pin has had for SETTLE cycles."""
    pin, output, found, rested = [0, 0, *levels], 0, [], 0
    for level in pin[: len(levels)]:
        found.append(output)
        rested = rested + 1 if level != output else 0
        if rested == SETTLE:
            output, rested = level, 0
    return found


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 2 * SETTLE)), max_size=20))
@some
def test_it_follows_a_level_that_rests(runs):
    levels = [level for level, count in runs for _ in range(count)]
    assert pressed(levels) == plain(levels)


def test_a_bouncing_press_is_one_press():
    bounce = [1, 0, 1, 1, 0, 1]
    found = pressed([0] * 5 + bounce + [1] * 20 + bounce[::-1] + [0] * 30)
    assert sum(before != after for before, after in itertools.pairwise(found)) == 2


def test_a_press_is_there_after_the_time_that_it_says():
    assert pressed([1] * 20).index(1) == SETTLE + 2


def test_the_default_rests_for_10_ms():
    assert Button(24_000_000).settle == 240_000
