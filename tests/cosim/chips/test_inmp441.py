"""The microphone model, by a master of the tests' own whose pins are moved by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.chips.inmp441 import Fault, Inmp441
from tests.support.hw_bench import Bench, few
from tests.support.i2s import EXTREMES, slot_of

MHZ = 1_000_000
CLOCK_HZ = 20 * MHZ  # a cycle is 50 ns


class Master:
    """SCK falls, with WS; then it is low and high for so many cycles. `sd` is read in the last cycle of low."""

    def __init__(self, ctx, chip, low=4, high=4):
        self.ctx, self.chip, self.low, self.high = ctx, chip, low, high

    async def period(self, ws):
        """A bit clock: (driven, SD) where SCK rises."""
        self.ctx.set(self.chip.sck, 0)
        self.ctx.set(self.chip.ws, ws)
        await self.ctx.tick().repeat(self.low)
        seen = self.ctx.get(self.chip.driven), self.ctx.get(self.chip.sd)
        self.ctx.set(self.chip.sck, 1)
        await self.ctx.tick().repeat(self.high)
        return seen

    async def slot(self, ws, periods=32):
        return [await self.period(ws) for _ in range(periods)]


def converse(chip, script, words=(), **options):
    """Run `script(master)`; what it returned, and the fault at the end."""
    bench, results = Bench(chip), []

    async def testbench(ctx):
        results.append(await script(Master(ctx, chip, **options)))
        await ctx.tick().repeat(2)
        results.append(Fault(ctx.get(chip.fault)))

    async def sound(ctx):
        for word in words:
            ctx.set(chip.i.valid, 1)
            ctx.set(chip.i.payload, word)
            await ctx.tick().until(chip.i.ready)
        ctx.set(chip.i.valid, 0)
        while True:
            await ctx.tick()

    bench.simulator.add_testbench(sound, background=True)
    bench.script(testbench)
    bench.run()
    return results


async def heard(master, slots, first=1):
    """So many slots after one of `first` that lets the chip find its place, as (driven, bit) pairs."""
    await master.slot(first, 3)
    return [await master.slot(1 ^ first if number % 2 == 0 else first) for number in range(slots)]


def spoken(word):
    return list(zip([0, *[1] * 24, *[0] * 7], slot_of(word, 24), strict=True))


SILENT = [(0, 0)] * 32


@given(words=st.lists(st.integers(-(1 << 23), (1 << 23) - 1), max_size=2), right=st.booleans())
@few
def test_a_word_is_in_periods_1_to_24_of_its_own_channel_and_the_line_is_free_otherwise(words, right):
    words = [*words, *EXTREMES]
    chip = Inmp441(CLOCK_HZ, right, startup=0)
    slots, fault = converse(chip, lambda master: heard(master, 2 * len(words)), words)
    pairs = [(SILENT, spoken(word)) if right else (spoken(word), SILENT) for word in words]
    assert slots == [slot for pair in pairs for slot in pair]
    assert fault == Fault.NONE


def test_it_is_silent_until_it_works():
    """35 rises are in the third period after the first whole slot begins: the next word is the first."""
    chip = Inmp441(CLOCK_HZ, startup=35)
    slots, fault = converse(chip, lambda master: heard(master, 5), [0x123456, 0x654321])
    assert slots == [spoken(0), SILENT, spoken(0x123456), SILENT, spoken(0x654321)]
    assert fault == Fault.NONE


def test_without_sound_it_sends_zeros():
    slots, _ = converse(Inmp441(CLOCK_HZ, startup=0), lambda master: heard(master, 1))
    assert slots == [spoken(0)]


def test_sd_is_wrong_where_nothing_is_promised():
    """94 ns after SCK falls are two cycles: in them, and while SCK is high, SD is not the bit."""
    chip = Inmp441(CLOCK_HZ, startup=0)
    lines = []

    async def script(master):
        await master.slot(1, 3)
        await master.slot(0, 2)  # to the rise in the period of the highest bit
        master.ctx.set(chip.sck, 0)
        for level in (0, 1):
            master.ctx.set(chip.sck, level)
            for _ in range(4):
                lines.append(master.ctx.get(chip.sd))
                await master.ctx.tick()

    converse(chip, script, [0b011 << 21])
    bit = 1  # of period 2
    assert lines[2:4] == [bit] * 2
    assert lines[1] == 1 - bit and lines[4:] == [1 - bit] * 4


@pytest.mark.parametrize(
    ("clock_hz", "low", "high", "fault"),
    [
        (64 * MHZ, 10, 10, Fault.NONE),  # 3.2 MHz
        (64 * MHZ, 10, 9, Fault.SCK_TOO_FAST),
        (20 * MHZ, 20, 20, Fault.NONE),  # 0.5 MHz
        (20 * MHZ, 20, 21, Fault.SCK_TOO_SLOW),
        (20 * MHZ, 1, 7, Fault.NONE),  # 50 ns low
        (40 * MHZ, 1, 14, Fault.SCK_TOO_FAST),  # 25 ns low
        (40 * MHZ, 14, 1, Fault.SCK_TOO_FAST),
    ],
)
def test_the_bit_clock_has_limits(clock_hz, low, high, fault):
    chip = Inmp441(clock_hz, startup=0)
    assert converse(chip, lambda master: master.slot(0), low=low, high=high)[1] == fault


@pytest.mark.parametrize("periods", [31, 33, 64])
def test_a_slot_of_another_length_is_a_fault(periods):
    async def script(master):
        await master.slot(1, 3)
        await master.slot(0, periods)
        await master.slot(1, 3)

    assert converse(Inmp441(CLOCK_HZ, startup=0), script)[1] == Fault.FRAME


@pytest.mark.parametrize(("after", "fault"), [(0, Fault.WS_UNSTABLE), (1, Fault.WS_UNSTABLE), (2, Fault.NONE)])
def test_word_select_is_stable_for_20_ns_after_the_bit_clock_rises(after, fault):
    chip = Inmp441(100 * MHZ, startup=0)  # 20 ns are two cycles

    async def script(master):
        await master.slot(0, 4)
        master.ctx.set(chip.sck, 0)
        await master.ctx.tick().repeat(50)
        master.ctx.set(chip.sck, 1)
        if after:
            await master.ctx.tick().repeat(after)
        master.ctx.set(chip.ws, 1)
        await master.ctx.tick().repeat(50)

    assert converse(chip, script, low=50, high=50)[1] == fault


def test_the_first_fault_stays():
    async def script(master):
        await master.slot(1, 3)
        await master.slot(0, 31)
        await master.slot(1, 3)
        master.high = 60
        await master.slot(1, 3)

    assert converse(Inmp441(CLOCK_HZ, startup=0), script)[1] == Fault.FRAME
