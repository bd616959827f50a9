"""The transmitter's line, bit by bit."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.i2s_clocks import Clocks
from boards.gateware.i2s_transmitter import Transmitter
from boards.gateware.sample_rate import SampleRate
from tests.support.hw_bench import Bench, few
from tests.support.i2s import slot_of, slots

RATE = SampleRate(0, 4, None)


class Bus:
    def __init__(self):
        self.transmitter, self.clocks = Transmitter(), Clocks(RATE)
        top = Module()
        top.submodules.transmitter, top.submodules.clocks = self.transmitter, self.clocks
        wiring.connect(top, self.clocks.beat, self.transmitter.beat)
        self.bench = Bench(top, limit=100_000)
        self.log = self.bench.watch(self.clocks.sclk, self.clocks.ws, self.transmitter.sd)

    def run(self, frames):
        """The whole slots of so many frames: (right, bits)."""

        async def wait(ctx):
            await ctx.tick().repeat(frames * RATE.cycles + 3 * RATE.divisor)

        self.bench.script(wait)
        self.bench.run()
        return slots(*zip(*self.log, strict=True))


@given(st.lists(st.integers(-(1 << 15), (1 << 15) - 1), max_size=6))
@few
def test_each_sample_is_on_both_channels_one_period_after_the_edge_of_word_select(samples):
    samples = [*samples, -(1 << 15), (1 << 15) - 1, -1, 1, 0x5555]
    bus = Bus()
    bus.bench.feed(bus.transmitter.i, samples)
    expected = [(right, slot_of(sample, 16)) for sample in samples for right in (0, 1)]
    assert bus.run(len(samples)) == expected


def test_the_line_changes_only_where_the_bit_clock_falls():
    bus = Bus()
    bus.bench.feed(bus.transmitter.i, [0x5555, -0x5556])
    bus.run(2)
    for (before, _, last), (now, _, line) in zip(bus.log, bus.log[1:], strict=False):
        assert line == last or (before and not now)


def test_an_empty_stream_repeats_the_last_sample_and_before_the_first_there_is_silence():
    bus = Bus()
    states = []

    async def feed(ctx):
        await ctx.tick().repeat(RATE.divisor + RATE.cycles)
        states.append((ctx.get(bus.transmitter.underrun), ctx.get(bus.transmitter.missed)))
        ctx.set(bus.transmitter.i.valid, 1)
        ctx.set(bus.transmitter.i.payload, 0x1234)
        await ctx.tick().repeat(RATE.cycles)
        ctx.set(bus.transmitter.i.valid, 0)
        await ctx.tick().repeat(2 * RATE.cycles)
        states.append((ctx.get(bus.transmitter.underrun), ctx.get(bus.transmitter.missed)))

    bus.bench.script(feed)
    words = [0, 0, *[0x1234] * 3]
    assert bus.run(5) == [(right, slot_of(word, 16)) for word in words for right in (0, 1)]
    assert states == [(0, 0), (1, 2)]
