"""Holding the last sample, against a few lines of Python."""

from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.sample_hold import SampleHold
from tests.support.hw_bench import Bench, some

SAMPLES = st.integers(-(1 << 15), (1 << 15) - 1)


def held(offers):
    """Take once for each offer, None for an empty stream: (sample, underrun, missed) after each."""
    dut = SampleHold()
    bench, states = Bench(dut), []

    async def testbench(ctx):
        for offer in offers:
            ctx.set(dut.i.valid, offer is not None)
            ctx.set(dut.i.payload, offer or 0)
            assert not ctx.get(dut.i.ready)
            await ctx.tick()
            ctx.set(dut.take, 1)
            assert ctx.get(dut.i.ready)
            await ctx.tick()
            ctx.set(dut.take, 0)
            states.append((ctx.get(dut.sample), ctx.get(dut.underrun), ctx.get(dut.missed)))

    bench.script(testbench)
    bench.run()
    return states


@given(st.lists(st.none() | SAMPLES, max_size=30))
@some
def test_it_repeats_the_last_sample_and_counts(offers):
    expected, sample, missed = [], None, 0
    for offer in offers:
        missed += offer is None and sample is not None
        sample = sample if offer is None else offer
        expected.append((sample or 0, int(missed > 0), missed))
    assert held(offers) == expected


def test_the_count_of_misses_ends_at_255():
    assert [missed for *_, missed in held([1] + [None] * 258)][-4:] == [255] * 4
