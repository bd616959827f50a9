"""The clocks of the I2S bus, cycle by cycle."""

import itertools

import pytest

from boards.gateware.i2s_clocks import Clocks
from boards.gateware.sample_rate import SampleRate, rate
from tests.support.hw_bench import Bench

RATES = [rate(24_000_000, 16_000, True), rate(12_000_000, 16_000, False), SampleRate(0, 11, None), SampleRate(0, 8, 2)]


def seen(sample_rate, frames):
    dut = Clocks(sample_rate)
    bench = Bench(dut)
    beat = dut.beat
    log = bench.watch(dut.mclk, dut.sclk, dut.ws, beat.rise, beat.fall, beat.frame, beat.place)

    async def wait(ctx):
        await ctx.tick().repeat(frames * sample_rate.cycles + 2 * sample_rate.divisor)

    bench.script(wait)
    bench.run()
    return [list(signal) for signal in zip(*log, strict=True)]


def edges(signal, level):
    """Cycles in which the signal first has that level."""
    return [
        cycle for cycle, (before, now) in enumerate(itertools.pairwise(signal), 1) if now != before and now == level
    ]


def steps(cycles):
    return {after - before for before, after in itertools.pairwise(cycles)}


@pytest.mark.parametrize("sample_rate", RATES, ids=lambda found: f"{found.divisor}-{found.mclk_divisor}")
def test_a_frame_is_64_bit_clocks_and_256_master_clocks(sample_rate):
    mclk, sclk, ws, *_ = seen(sample_rate, 3)
    rises, falls = edges(sclk, 1), edges(sclk, 0)
    assert steps(rises) == steps(falls) == {sample_rate.divisor}
    assert falls[0] - rises[0] == sample_rate.divisor // 2
    assert steps(edges(ws, 0)) == steps(edges(ws, 1)) == {64 * sample_rate.divisor}
    assert edges(ws, 1)[0] - edges(ws, 0)[0] == 32 * sample_rate.divisor
    assert set(edges(ws, 0)) | set(edges(ws, 1)) <= set(falls)
    if sample_rate.mclk_divisor is None:
        assert not any(mclk)
        return
    assert steps(edges(mclk, 1)) == {sample_rate.mclk_divisor}
    start, end = edges(ws, 0)[:2]
    assert sum(start <= cycle < end for cycle in edges(mclk, 1)) == 256


@pytest.mark.parametrize("sample_rate", RATES, ids=lambda found: f"{found.divisor}-{found.mclk_divisor}")
def test_the_beat_comes_a_cycle_before_the_pins(sample_rate):
    _, sclk, ws, rise, fall, frame, place = seen(sample_rate, 2)
    assert [cycle + 1 for cycle, bit in enumerate(rise[:-1]) if bit] == edges(sclk, 1)
    assert [cycle + 1 for cycle, bit in enumerate(fall[:-1]) if bit] == edges(sclk, 0)
    assert [cycle + 1 for cycle, bit in enumerate(frame[:-1]) if bit] == edges(ws, 0)
    first = edges(sclk, 0)[0]
    for cycle, number in enumerate(place):
        assert number == (63 if cycle < first else (cycle - first) // sample_rate.divisor % 64)


def test_the_first_frame_begins_one_bit_clock_after_reset():
    _, sclk, ws, *_ = seen(SampleRate(0, 8, 2), 1)
    assert edges(ws, 0)[0] == edges(sclk, 0)[0] == 8
    assert ws[0] == 1 and sclk[0] == 0
