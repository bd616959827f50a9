"""The receiver, by a line that is set bit by bit, and a consumer that is too slow."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.i2s_clocks import Clocks
from boards.gateware.i2s_receiver import Receiver
from boards.gateware.sample_rate import SampleRate
from tests.support.hw_bench import Bench, few
from tests.support.i2s import EXTREMES, plain_level, slot_of

RATE = SampleRate(0, 4, None)

FRAMES_OF_ONE_BIT = [[int(place == one) for place in range(64)] for one in range(64)]


class Bus:
    """A receiver on its bus. `lines` are the bits of each frame, which change where SCLK falls."""

    def __init__(self, lines, **options):
        self.receiver, self.clocks = Receiver(**options), Clocks(RATE)
        top = Module()
        top.submodules.receiver, top.submodules.clocks = self.receiver, self.clocks
        wiring.connect(top, self.clocks.beat, self.receiver.beat)
        self.bench = Bench(top, limit=(len(lines) + 2) * RATE.cycles)
        self.lines = lines
        self.bench.script(self._line)

    async def _line(self, ctx):
        await ctx.tick().repeat(RATE.divisor)  # to the first edge of WS
        for line in self.lines:
            for bit in line:
                ctx.set(self.receiver.sd, bit)
                await ctx.tick().repeat(RATE.divisor)

    def taken(self, count):
        log = self.bench.drain(self.receiver.o, count)
        self.bench.run()
        return [int(payload) for _, payload in log]


@pytest.mark.parametrize("right", [False, True])
@pytest.mark.parametrize("shift", [0, 8])
def test_every_period_of_the_frame_has_its_value(shift, right):
    """One period is 1, the others 0: the sample is that bit's value, or 0 if the period has none."""
    start = 32 if right else 0
    words = []
    for one in range(64):
        place = one - start
        words.append({1: -(1 << 23)}.get(place, 1 << (24 - place)) if 1 <= place <= 24 else 0)
    bus = Bus(FRAMES_OF_ONE_BIT, shift=shift, right=right)
    assert bus.taken(64) == [plain_level(word, shift) for word in words]


@given(words=st.lists(st.integers(-(1 << 23), (1 << 23) - 1), max_size=8), shift=st.integers(0, 8), right=st.booleans())
@few
def test_words_come_in(words, shift, right):
    words = [*words, *EXTREMES]
    noise = [1] * 32  # the other channel must not matter
    lines = [noise + slot_of(word, 24) if right else slot_of(word, 24) + noise for word in words]
    bus = Bus(lines, shift=shift, right=right)
    assert bus.taken(len(words)) == [plain_level(word, shift) for word in words]


@pytest.mark.parametrize("right", [False, True])
def test_a_sample_is_there_when_its_last_period_ends(right):
    bus = Bus([[0] * 64] * 2, right=right)
    log = bus.bench.drain(bus.receiver.o, 2)
    bus.bench.run()
    period = 24 + 32 * right
    assert [cycle for cycle, _ in log] == [(1 + frame * 64 + period + 1) * RATE.divisor for frame in range(2)]


def slow(frames, takes):
    """A consumer that takes at the starts of some frames: the samples, and (overrun, lost) after each frame."""
    words = [(frame + 1) << 8 for frame in range(frames)]
    bus = Bus([slot_of(word, 24) + [0] * 32 for word in words])
    got, states = [], []
    receiver = bus.receiver

    async def consumer(ctx):
        await ctx.tick().repeat(RATE.divisor)
        for frame in range(frames):
            if frame in takes:
                ctx.set(receiver.o.ready, 1)
                _, _, valid, payload = await ctx.tick().sample(receiver.o.valid, receiver.o.payload)
                ctx.set(receiver.o.ready, 0)
                got.extend([payload] if valid else [])
            else:
                await ctx.tick()
            await ctx.tick().repeat(RATE.cycles - 1)
            states.append((ctx.get(receiver.overrun), ctx.get(receiver.lost)))

    bus.bench.script(consumer)
    bus.bench.run()
    return got, states


def test_a_slow_consumer_loses_the_next_samples_and_they_are_counted():
    got, states = slow(6, {3, 5})
    assert got == [1, 4]  # 2 and 3 were lost while 1 waited, 5 while 4 did
    assert states == [(0, 0), (1, 1), (1, 2), (1, 2), (1, 3), (1, 3)]


def test_the_count_of_losses_ends_at_255():
    _, states = slow(260, set())
    assert states[255:] == [(1, 255)] * 5


def test_a_sample_may_be_taken_in_the_cycle_in_which_the_next_is_complete():
    bus = Bus([slot_of(word << 8, 24) + [0] * 32 for word in (1, 2)])
    receiver, got = bus.receiver, []

    async def consumer(ctx):
        await ctx.tick().repeat((1 + 64 + 25) * RATE.divisor - 1)  # the cycle before the second sample
        for _ in range(2):
            ctx.set(receiver.o.ready, 1)
            _, _, valid, payload = await ctx.tick().sample(receiver.o.valid, receiver.o.payload)
            got.append((valid, payload))
        assert not ctx.get(receiver.overrun)

    bus.bench.script(consumer)
    bus.bench.run()
    assert got == [(1, 1), (1, 2)]


def test_reset_forgets_losses_and_the_word_that_is_coming_in():
    bus = Bus([], shift=8)
    receiver, sync = bus.receiver, bus.bench.sync

    async def reset(ctx):
        ctx.set(receiver.sd, 1)
        await ctx.tick().repeat(2 * RATE.cycles + 12 * RATE.divisor)
        assert ctx.get(receiver.overrun) and ctx.get(receiver.o.valid)
        ctx.set(receiver.sd, 0)
        ctx.set(sync.rst, 1)
        await ctx.tick()
        ctx.set(sync.rst, 0)
        assert (ctx.get(receiver.overrun), ctx.get(receiver.lost), ctx.get(receiver.o.valid)) == (0, 0, 0)
        await ctx.tick().repeat((1 + 25) * RATE.divisor - 1)
        assert not ctx.get(receiver.o.valid)
        await ctx.tick()
        assert (ctx.get(receiver.o.valid), ctx.get(receiver.o.payload)) == (1, 0)

    bus.bench.limit = 4 * RATE.cycles
    bus.bench.script(reset)
    bus.bench.run()
