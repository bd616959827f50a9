"""Synthetic noise: every clip is usable, repeatable, and sounds as its kind says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.corpora import synthetic_noise
from model.corpora.corpus import kind
from model.corpora.synthetic_noise import KINDS, LEVEL, clips

RATE = 16000
VOICES = [np.random.default_rng(index).normal(0, 0.1, 9000).astype(np.float32) for index in range(4)]


@given(st.integers(0, 2**32), st.sampled_from([8000, 16000, 48000]), st.floats(0.3, 2.0))
def test_every_clip_is_finite_of_one_level_and_length(seed: int, rate: int, seconds: float) -> None:
    made = clips(9, seconds, rate, seed, VOICES)
    assert {kind(name) for name in made} == {*KINDS, "babble"}
    for name, clip in made.items():
        assert clip.shape == (round(seconds * rate),) and clip.dtype == np.float32, name
        assert np.sqrt(np.mean(np.square(clip))) == pytest.approx(LEVEL, rel=1e-3), name


def test_a_clip_depends_on_the_seed_and_its_number_only() -> None:
    few, many, other = clips(4, 0.5, RATE, 1), clips(12, 0.5, RATE, 1), clips(4, 0.5, RATE, 2)
    for name, clip in few.items():
        np.testing.assert_array_equal(clip, many[name])
        assert not np.array_equal(clip, other[name])


def test_kinds_take_turns_and_babble_needs_talkers() -> None:
    counts = [sum(kind(name) == one for name in clips(18, 0.1, RATE, 0, VOICES)) for one in (*KINDS, "babble")]
    assert counts == [2] * 9
    assert "babble" not in {kind(name) for name in clips(18, 0.1, RATE, 0)}


def tonality(clip: np.ndarray) -> float:
    """Share of the energy in the 2 % of the bins that have most of it."""
    spectrum = np.sort(np.square(np.abs(np.fft.rfft(clip))))[::-1]
    return float(spectrum[: len(spectrum) // 50].sum() / spectrum.sum())


def test_hum_is_tonal_and_stationary_noise_is_not() -> None:
    """Of eight clips each, as parameters are drawn from wide ranges."""
    tonal = {
        name: np.median([tonality(KINDS[name](RATE, RATE, np.random.default_rng(seed))) for seed in range(8)])
        for name in ("hum", "stationary")
    }
    assert tonal["hum"] > 0.9 > tonal["stationary"]


def test_hum_is_made_of_multiples_of_its_mains() -> None:
    clip = KINDS["hum"](10 * RATE, RATE, np.random.default_rng(0))
    strongest = np.argmax(np.abs(np.fft.rfft(clip))) / 10.0
    assert min(abs(strongest % mains) for mains in (50, 60)) < 2 or min(-strongest % mains for mains in (50, 60)) < 2


def test_babble_is_a_sum_of_the_talkers() -> None:
    tones = [np.sin(2 * np.pi * frequency * np.arange(RATE) / RATE).astype(np.float32) for frequency in (500, 2000)]
    spectrum = np.abs(np.fft.rfft(synthetic_noise.babble(RATE, tones, np.random.default_rng(0))))
    assert set(np.argsort(spectrum)[-2:]) == {500, 2000}
