"""The prover: what holds for ever, what holds for some cycles, and what neither."""

import pytest
from amaranth.hdl import Signal

from proofs.harness import Harness
from proofs.prover import Unknown, decide

pytestmark = pytest.mark.synthesis


def counter(limit, invariant=True):
    """A counter of three bits from 0 to 5 that is said to stay below `limit`."""
    h = Harness()
    count = Signal(3)
    with h.m.If(h.free(1, "go")):
        h.m.d.sync += count.eq(count + 1)
        with h.m.If(count == 5):
            h.m.d.sync += count.eq(0)
    h.check(count < limit)
    return h.rtlil()


def test_what_holds_for_ever_is_proved_by_induction():
    assert decide(counter(6), "induction", 1).verdict == "proved"


def test_a_bound_is_as_deep_as_it_says():
    assert decide(counter(5), "bounded", 5).verdict == "proved"
    answer = decide(counter(5), "bounded", 6)
    assert answer.verdict == "refuted"
    assert answer.trace is not None


def test_a_step_that_fails_without_a_counterexample_is_unknown():
    # 7 is followed by 0, not by 6, so the counter could come from 6 itself.
    with pytest.raises(Unknown, match="k = 1"):
        decide(counter(7), "induction", 1)


def test_fixed_values_never_change_and_free_ones_do():
    h = Harness()
    fixed, free = h.fixed(3, "fixed"), h.free(3, "free")
    h.check(~h.begun | (fixed == h.past(fixed)))
    assert decide(h.rtlil(), "induction", 2).verdict == "proved"
    h = Harness()
    free = h.free(3, "free")
    h.check(~h.begun | (free == h.past(free)))
    assert decide(h.rtlil(), "bounded", 3).verdict == "refuted"


def test_assumptions_are_kept():
    h = Harness()
    free = h.free(3, "free")
    h.assume(free < 5)
    h.check(free < 5)
    assert decide(h.rtlil(), "induction", 1).verdict == "proved"


def test_the_first_cycle_is_the_one_after_reset():
    h = Harness()
    h.check(h.begun | (h.past(1) == 0))
    assert decide(h.rtlil(), "bounded", 3).verdict == "proved"
