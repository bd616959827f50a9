"""The models of the Pmod's converters, by a master of the tests' own whose pins are moved by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.chips.pmod_i2s2 import CS4344, CS5343, Fault
from tests.support.hw_bench import Bench, few
from tests.support.i2s import EXTREMES, slot_of

CLOCK_HZ = 16_384_000
"""1,024 cycles a frame at 16 kHz; a cycle is 61 ns, longer than every margin."""

SWEEP = st.lists(st.tuples(*[st.integers(-(1 << 23), (1 << 23) - 1)] * 2), max_size=2)
PAIRS = [*zip(EXTREMES, reversed(EXTREMES), strict=True)]


class Master:
    """Pins as functions of the cycle since the start of a frame; SDOUT is read in the last cycle of SCLK's low."""

    def __init__(self, ctx, chip):
        self.ctx, self.chip, self.cycle = ctx, chip, 0
        self.mclk, self.sclk, self.frame = (4, 2), (16, 8), 1024  # (period, cycles high), cycles
        self.lrck_late = 0
        self.sdin_late = 0

    async def frames(self, words=((0, 0),), periods=64):
        """Frames that bring the DAC `words`, of `periods` bit clocks at most; the ADC's bits in each."""
        return [await self._frame(left, right, periods) for left, right in words]

    async def quick(self, words):
        """`frames` of half as many cycles."""
        self.mclk, self.sclk, self.frame = (2, 1), (8, 4), 512
        return await self.frames(words)

    async def _frame(self, left, right, periods):
        sent = slot_of(left, 24) + slot_of(right, 24)
        came = []
        period, high = self.sclk
        for cycle in range(min(self.frame, periods * period)):
            self._clock("mclk", self.mclk)
            place, phase = divmod(cycle, period)
            self.ctx.set(self.chip.sclk, phase >= period - high)
            self.ctx.set(self.chip.lrck, (cycle - self.lrck_late) % self.frame >= self.frame // 2)
            if hasattr(self.chip, "sdin"):
                self.ctx.set(self.chip.sdin, sent[(place - (phase < self.sdin_late)) % 64])
            await self.ctx.tick()
            self.cycle += 1
            if hasattr(self.chip, "sdout") and phase == period - high - 1:
                came.append(self.ctx.get(self.chip.sdout))
        return came

    def _clock(self, pin, period_and_high):
        period, high = period_and_high
        self.ctx.set(getattr(self.chip, pin), self.cycle % period >= period - high)


def converse(chip, script, sound=()):
    """Run `script(master)`: what it returned, what the DAC made sound of, and the fault at the end."""
    bench, results, log = Bench(chip, limit=40_000), [], []

    async def testbench(ctx):
        results.append(await script(Master(ctx, chip)))
        await ctx.tick().repeat(2)
        results.append(Fault(ctx.get(chip.fault)))

    async def source(ctx):
        for left, right in sound:
            ctx.set(chip.i.valid, 1)
            ctx.set(chip.i.payload, {"left": left, "right": right})
            await ctx.tick().until(chip.i.ready)
        if sound:
            ctx.set(chip.i.valid, 0)

    if hasattr(chip, "o"):
        log = bench.watch(chip.o.valid, chip.o.payload.left, chip.o.payload.right)
    else:
        bench.simulator.add_testbench(source, background=True)
    bench.script(testbench)
    bench.run()
    heard = [(left, right) for valid, left, right in log if valid]
    return results[0], heard, results[1]


LOCKING = [(0x111111, 0x222222)] * 3
"""One frame to the first edge of LRCK, one to count MCLK in; after the third the ratio is known."""


@given(SWEEP)
@few
def test_the_adc_sends_24_bits_in_periods_1_to_24_of_each_slot(words):
    words = [*words, *PAIRS]
    frames, _, fault = converse(CS5343(CLOCK_HZ), lambda master: master.quick([(0, 0)] * (2 + len(words))), words)
    assert frames[2:] == [slot_of(left, 24) + slot_of(right, 24) for left, right in words]
    assert not any(frames[0]) and not any(frames[1])
    assert fault == Fault.NONE


@given(SWEEP)
@few
def test_the_dac_hears_24_bits_in_periods_1_to_24_of_each_slot(words):
    words = [*words, *PAIRS]
    _, heard, fault = converse(CS4344(CLOCK_HZ), lambda master: master.quick([*LOCKING, *words]))
    assert heard == [*LOCKING[2:], *words]
    assert fault == Fault.NONE


@pytest.mark.parametrize(
    ("mclk", "sclk", "adc", "dac"),
    [
        ((8, 4), (16, 8), Fault.RATIO, Fault.RATIO),  # 128
        ((6, 3), (16, 8), Fault.RATIO, Fault.RATIO),  # 170 or 171
        ((4, 2), (16, 8), Fault.NONE, Fault.NONE),  # 256
        ((4, 2), (24, 12), Fault.NONE, Fault.NONE),  # 384
        ((2, 1), (16, 8), Fault.NONE, Fault.RATIO),  # 512
        ((2, 1), (24, 12), Fault.NONE, Fault.RATIO),  # 768
    ],
)
def test_the_ratio_of_the_master_clock_is_checked(mclk, sclk, adc, dac):
    async def script(master):
        master.mclk, master.sclk, master.frame = mclk, sclk, 64 * sclk[0]
        await master.frames([(1, 2)] * 4)

    assert converse(CS5343(CLOCK_HZ), script)[-1] == adc
    _, heard, found = converse(CS4344(CLOCK_HZ), script)
    assert (heard, found) == ([] if dac else [(1, 2)] * 2, dac)


@pytest.mark.parametrize("chip", [CS5343, CS4344])
@pytest.mark.parametrize(
    ("sclk", "fault"), [((16, 8), Fault.NONE), ((16, 7), Fault.DUTY), ((16, 9), Fault.DUTY), ((32, 16), Fault.FRAME)]
)
def test_the_bit_clock_is_checked(chip, sclk, fault):
    async def script(master):
        master.sclk = sclk
        await master.frames([(0, 0)] * 3)

    assert converse(chip(CLOCK_HZ), script)[-1] == fault


@pytest.mark.parametrize(("chip", "mclk", "fault"), [
    (CS5343, (10, 4), Fault.NONE), (CS5343, (10, 3), Fault.DUTY), (CS5343, (10, 7), Fault.DUTY),
    (CS4344, (10, 4), Fault.DUTY), (CS4344, (10, 5), Fault.NONE), (CS4344, (10, 6), Fault.DUTY),
])  # fmt: skip
def test_the_duty_of_the_master_clock_is_checked(chip, mclk, fault):
    async def script(master):
        master.mclk = mclk
        await master.frames(periods=8)  # no whole frame, so that the ratio does not matter

    assert converse(chip(CLOCK_HZ), script)[-1] == fault


@pytest.mark.parametrize(("chip", "late", "fault"), [
    (CS5343, 0, Fault.NONE), (CS5343, 1, Fault.LRCK_EDGE), (CS5343, -1, Fault.LRCK_EDGE), (CS5343, 8, Fault.LRCK_EDGE),
    (CS4344, 0, Fault.NONE), (CS4344, 7, Fault.NONE), (CS4344, 8, Fault.LRCK_EDGE), (CS4344, 9, Fault.NONE),
])  # fmt: skip
def test_the_edge_of_lrck_is_checked(chip, late, fault):
    """At 61 ns a cycle, 20 ns are the very cycle: of the fall of SCLK for the ADC, not of its rise for the DAC."""

    async def script(master):
        master.lrck_late = late
        await master.frames([(0, 0)] * 2)

    assert converse(chip(CLOCK_HZ), script)[-1] == fault


@pytest.mark.parametrize(("late", "fault"), [(0, Fault.NONE), (2, Fault.NONE), (3, Fault.LRCK_EDGE),
                                             (-2, Fault.NONE), (-3, Fault.LRCK_EDGE)])  # fmt: skip
def test_on_a_faster_clock_the_adc_allows_20_ns_around_the_fall(late, fault):
    async def script(master):
        if late > 0:
            await master.frames()  # so that LRCK is 1 before
        master.lrck_late = late
        await master.frames()
        await master.frames(periods=40)  # where no edge is near

    assert converse(CS5343(100_000_000), script)[-1] == fault


@pytest.mark.parametrize(("late", "fault"), [(0, Fault.NONE), (7, Fault.NONE), (8, Fault.SDIN_UNSTABLE)])
def test_sdin_is_stable_where_it_is_sampled(late, fault):
    async def script(master):
        master.sdin_late = late
        await master.frames([(0x555555, 0x2AAAAA)] * 3)

    assert converse(CS4344(CLOCK_HZ), script)[-1] == fault
