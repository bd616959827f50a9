"""The noise shaper against integers, and what it never does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.noise_shaper import CODE, MIDDLE, QUANTUM, SCALE, NoiseShaper
from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.shape.family import ECP5, ICE40
from tests.support.hw_bench import Bench, some

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1


def plain(samples):
    """The codes, and the u that they are of, by the words of the docstring."""
    codes, sums, e1, e2 = [], [], 0, 0
    for sample in samples:
        u = 3 * sample + 122880 + 2 * e1 - e2
        codes.append(u // 16384)
        sums.append(u)
        e1, e2 = u % 16384, e1
    return codes, sums


def made(samples):
    """The gateware's codes, one for each sample."""
    dut = NoiseShaper()
    bench, found = Bench(dut), []

    async def testbench(ctx):
        ctx.set(dut.step, 1)
        for sample in samples:
            ctx.set(dut.sample, sample)
            await ctx.tick()
            found.append(ctx.get(dut.code))

    bench.script(testbench)
    bench.run()
    return found


SAMPLES = st.integers(LOWEST, HIGHEST) | st.sampled_from([LOWEST, HIGHEST, 0, -1])


@given(st.lists(st.tuples(SAMPLES, st.integers(1, 40)), max_size=20))
@some
def test_it_makes_the_codes_that_it_says(held):
    samples = [sample for sample, count in held for _ in range(count)]
    assert made(samples) == plain(samples)[0]


def test_nothing_overflows_whatever_samples_and_errors_are():
    errors = (0, QUANTUM - 1)
    sums = [SCALE * sample + MIDDLE + 2 * e1 - e2 for sample in (LOWEST, HIGHEST) for e1 in errors for e2 in errors]
    assert (min(sums), max(sums)) == (8193, 253947)
    assert min(sums) >= 0 and max(sums) < QUANTUM << CODE


@given(st.lists(st.tuples(SAMPLES, st.integers(1, 400)), max_size=40))
def test_the_sum_stays_within_its_range(held):
    codes, sums = plain([sample for sample, count in held for _ in range(count)])
    assert all(8193 <= u <= 253947 for u in sums)
    assert all(0 <= code <= 15 for code in codes)


@pytest.mark.parametrize("pattern", [[LOWEST], [HIGHEST], [LOWEST, HIGHEST], [HIGHEST] * 50 + [LOWEST] * 50])
def test_extremes_do_not_wrap(pattern):
    samples = (pattern * 1000)[:1000]
    codes = made(samples)
    assert codes == plain(samples)[0]
    wanted = np.mean([(3 * sample + 122880) / 16384 for sample in samples])
    assert np.mean(codes) == pytest.approx(wanted, abs=0.01)


@given(st.integers(LOWEST, HIGHEST))
@some
def test_the_mean_of_the_codes_is_the_sample(sample):
    """The errors telescope: after n steps the sum of codes is off by the last change of the error at most."""
    codes = made([sample] * 200)
    assert abs(16384 * sum(codes) - 200 * (3 * sample + 122880)) <= 16383


def test_without_a_step_nothing_changes():
    dut = NoiseShaper()
    bench = Bench(dut)
    log = bench.watch(dut.code)

    async def wait(ctx):
        ctx.set(dut.sample, HIGHEST)
        await ctx.tick().repeat(20)

    bench.script(wait)
    bench.run()
    assert set(log) == {(8,)}


@pytest.mark.synthesis
@pytest.mark.parametrize(("family", "lut4"), [(ICE40, 104), (ECP5, 60)], ids=["ice40", "ecp5"])
def test_it_costs_what_it_says(family, lut4):
    cost = synthesise(to_rtlil(NoiseShaper(), "top"), "top", family)
    assert cost["lut4"] <= lut4 and cost["ff"] <= 32
