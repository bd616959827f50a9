"""What is predicted of an audio engine against its simulation and its synthesis."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.bench.sound import Pauses
from hw.shape.audio import AudioSpec
from hw.shape.audio_passes import Name, passes
from hw.shape.audio_program import Coefficient, Gate
from hw.shape.family import ECP5
from tests.support.audio_engine import check, random_front_end, random_samples
from tests.support.hw_bench import few
from tests.support.random_bundles import seeds


@pytest.mark.simulator
@given(
    seeds, st.sampled_from([(16, 1, 4, 1), (16, 3, 1, 4), (32, 2, 2, 4), (64, 3, 2, 8), (64, 1, 3, 64), (512, 3, 2, 4)])
)
@few
def test_a_frame_takes_the_predicted_cycles(seed, shape):
    rng = np.random.default_rng(seed)
    it = random_front_end(rng, *shape)
    spec = AudioSpec.of(it, ECP5)
    run = check(it, [random_samples(rng, 5 * it.hop)], rng)
    assert set(np.diff(run.features[:, 0])) == {spec.interval}
    assert set(np.diff(run.out[:, 0])) == {spec.interval}


@pytest.mark.simulator
@given(seeds, st.sampled_from([(16, 1, 4, 1), (32, 2, 2, 4), (64, 3, 2, 8), (512, 3, 2, 4)]))
@few
def test_an_idle_engine_answers_in_the_predicted_cycles(seed, shape):
    rng = np.random.default_rng(seed)
    it = random_front_end(rng, *shape)
    spec = AudioSpec.of(it, ECP5)
    slow = Pauses(100, 8 * spec.interval // it.hop)
    run = check(it, [random_samples(rng, 4 * it.hop)], rng, (slow, Pauses(), Pauses(), Pauses()))
    assert set(run.out[:, 0] - run.taken.reshape(-1, it.hop)[:, -1]) == {spec.latency}


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("mask_bits", [1, 2, 3])
def test_the_masks_pass_takes_each_word_once_for_each_mask_bit(mask_bits, limited):
    """What the proof of the gates in `proofs.audio` takes from the program: its terms, and a write at its end."""
    body = passes(32, mask_bits, limited)[Name.MASK].body
    terms = [(step.lane, step.gate, step.first, step.take) for step in body if step.add]
    assert terms == [
        (lane, Gate(Gate.MASK_0.value + place), place == 0, place == mask_bits - 1)
        for lane in (0, 1)
        for place in range(mask_bits)
    ]
    assert all(step.direct and not step.minus and not step.absolute for step in body if step.add)
    assert all((step.coefficient == Coefficient.POWER) == limited for step in body if step.add)
    assert not any(step.add for step in body[-2:])
