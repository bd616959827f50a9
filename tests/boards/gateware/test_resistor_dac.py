"""Samples from a stream to codes, at the pace of the bus."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from boards.gateware.i2s_clocks import Clocks
from boards.gateware.resistor_dac import ResistorDac
from boards.gateware.sample_rate import SampleRate
from tests.support.hw_bench import Bench

RATE = SampleRate(0, 4, None)


def codes(samples, divide):
    """The code in every cycle, and what was missed."""
    dac, clocks = ResistorDac(divide), Clocks(RATE)
    top = Module()
    top.submodules.dac, top.submodules.clocks = dac, clocks
    wiring.connect(top, clocks.beat, dac.beat)
    bench = Bench(top)
    bench.feed(dac.i, samples)
    log = bench.watch(dac.code)
    missed = []

    async def wait(ctx):
        await ctx.tick().repeat(RATE.divisor + (len(samples) + 2) * RATE.cycles - 1)
        missed.append((ctx.get(dac.underrun), ctx.get(dac.missed)))

    bench.script(wait)
    bench.run()
    return [code for (code,) in log], missed[0]


@pytest.mark.parametrize("divide", [1, 3])
def test_each_sample_is_held_for_its_frame_and_the_last_one_repeated(divide):
    samples = [-(1 << 15), (1 << 15) - 1, 0x2000]
    found, missed = codes(samples, divide)
    assert missed == (1, 2)
    start, step = RATE.divisor, 1 << divide
    for frame, sample in enumerate([*samples, samples[-1], samples[-1]]):
        first = start + frame * RATE.cycles + step + 1  # the sample's first code is there by then
        held = found[first : start + (frame + 1) * RATE.cycles : step]
        mean = sum(held) / len(held)
        assert mean == pytest.approx((3 * sample + 122880) / 16384, abs=2 / len(held) + 0.02)


def test_codes_change_once_in_so_many_cycles():
    found, _ = codes([12345] * 3, 3)
    changes = [cycle for cycle in range(1, len(found)) if found[cycle] != found[cycle - 1]]
    assert changes and len({cycle % 8 for cycle in changes}) == 1


def test_before_the_first_sample_the_output_is_in_the_middle():
    found, missed = codes([], 1)
    assert set(found) == {7, 8}
    assert missed == (0, 0)
