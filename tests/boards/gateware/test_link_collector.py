"""Answers are counted, those of skipped frames too."""

import numpy as np
import pytest
from hypothesis import example, given

from boards.gateware.link_collector import AnswerCollector
from boards.gateware.link_format import LinkFormat
from tests.support.hw_bench import Bench, few
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator


@given(seed=seeds)
@example(seed=0)
@few
def test_an_answer_that_ends_while_another_frame_is_skipped_counts_too(seed):
    """Weights that fail late leave frames in the network, while those behind them are skipped."""
    rng = np.random.default_rng(seed)
    form = LinkFormat(frame_bytes=3, answer_bytes=3, slots=4, info=b"")
    dut = AnswerCollector(form)
    bench = Bench(dut)
    events = (rng.random((120, 2)) < 0.7).astype(int).tolist()
    together = 0

    async def script(ctx):
        nonlocal together
        done = taken = 0
        for valid, skipped in events:
            ctx.set(dut.i.valid, valid)
            ctx.set(dut.skipped, skipped)
            await ctx.tick()
            taken += valid
            ends = valid and taken % 3 == 0
            together += ends and skipped
            done += ends + skipped
            assert ctx.get(dut.done) == done % 256

    bench.script(script)
    bench.run()
    assert together
