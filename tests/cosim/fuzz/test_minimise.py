"""Minimising ends, at a case that fails and of which nothing smaller does."""

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.fuzz.case import Layer, draw
from cosim.fuzz.minimise import hunt, smaller
from jobs.queue import Outcome
from tests.support import planted_bug


def answered(case, fails, folder: Path):
    """Drive `hunt` with a predicate's verdicts in place of the simulator's."""
    work = hunt(case, planted_bug.equal_is_below)
    jobs = next(work)
    while True:
        outcomes = []
        for job in jobs:
            bad = fails(job.entry.inputs["case"])
            target = folder / ("bad" if bad else "good")
            target.mkdir(exist_ok=True)
            (target / "mismatch").write_text("differs" if bad else "")
            outcomes.append(Outcome(job, target))
        try:
            jobs = work.send(outcomes)
        except StopIteration as end:
            return end.value


cases = st.integers(0, 2**32 - 1).map(lambda seed: draw(np.random.default_rng(seed), "icarus"))


@settings(max_examples=15)  # each asks for some hundred verdicts
@given(cases, st.integers(1, 5), st.integers(1, 4))
def test_what_is_found_fails_and_nothing_smaller_does(tmp_path_factory, case, units, frames):
    def fails(found):
        return max(one["units"] for one in found["layers"]) >= units and sum(found["frames"]) >= frames

    finding = answered(case, fails, tmp_path_factory.mktemp("verdicts"))[1]
    if not fails(json.loads(case.text)):
        assert finding is None
        return
    small, mismatch = finding
    assert mismatch == "differs"
    assert max(one.units for one in small.layers) == units
    assert not any(fails(json.loads(one.text)) for one in smaller(small))
    assert sum(small.frames) == frames
    assert (small.idle, small.backpressure, small.resets, small.netlist, small.in_width) == (0, 0, 0, False, 1)
    assert {(one.pe, one.simd, one.weights, one.packed, one.w) for one in small.layers} == {(1, 1, "rom", False, "")}


@settings(max_examples=15)  # each asks for some hundred verdicts
@given(cases)
def test_a_case_that_needs_a_layer_of_integers_keeps_the_simplest(tmp_path_factory, case):
    def fails(found):
        return any(one["u"] for one in found["layers"])

    finding = answered(case, fails, tmp_path_factory.mktemp("verdicts"))[1]
    if not fails(json.loads(case.text)):
        assert finding is None
        return
    (layer,) = finding[0].layers
    assert layer == Layer("gru", 1, 1, 1, "rom", False, "binary", "binary", 1)
    assert finding[0].feature_bits == 1


@settings(max_examples=5)  # each makes some fifty networks
@given(cases)
def test_a_smaller_case_is_another_and_possible(case):
    for one in smaller(case):
        assert one != case
        one.made()
