"""Metrics against their definitions."""

import numpy as np
import pytest

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pystoi")

from model import metrics

RATE = 16000


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    """Two seconds of noise with the rhythm of syllables."""
    time = np.arange(2 * RATE) / RATE
    rhythm = 0.5 + 0.5 * np.sin(2 * np.pi * 4 * time)
    return (np.random.default_rng(0).normal(0, 0.1, len(time)) * rhythm).astype(np.float32)


@pytest.fixture(scope="module")
def noise(clean: np.ndarray) -> np.ndarray:
    """Noise of the same power, orthogonal to the clean signal."""
    other = np.random.default_rng(1).normal(size=len(clean))
    other -= clean * (other @ clean) / (clean @ clean)
    return (other * np.sqrt((clean @ clean) / (other @ other))).astype(np.float32)


@pytest.mark.parametrize("level", [0.1, 1.0, 3.0])
def test_si_sdr_is_the_ratio_of_powers_at_any_scale(clean: np.ndarray, noise: np.ndarray, level: float) -> None:
    estimate = level * (clean + np.float32(0.1) * noise)
    assert metrics.si_sdr(clean, estimate) == pytest.approx(20.0, abs=1e-3)


def test_sdr_forgives_a_short_filter_and_si_sdr_does_not(clean: np.ndarray) -> None:
    echo = clean + np.roll(clean, 40)
    assert metrics.sdr(clean, echo) > 30
    assert metrics.si_sdr(clean, echo) < 3


def test_sdr_of_noisy_speech_is_near_its_snr(clean: np.ndarray, noise: np.ndarray) -> None:
    assert metrics.sdr(clean, clean + np.float32(0.316) * noise) == pytest.approx(10.0, abs=0.3)


def test_stoi_falls_with_noise(clean: np.ndarray, noise: np.ndarray) -> None:
    little, much = (metrics.stoi(clean, clean + np.float32(level) * noise, RATE) for level in (0.1, 2.0))
    assert 1.0 >= little > much >= 0.0


def test_silence_has_a_finite_score(clean: np.ndarray) -> None:
    silence = np.zeros_like(clean)
    assert metrics.sdr(clean, silence) == metrics.si_sdr(clean, silence) == metrics.SILENCE
    assert metrics.sdr(silence, clean) == metrics.si_sdr(silence, clean) == metrics.SILENCE


def test_sdr_of_a_pure_tone_is_finite(noise: np.ndarray) -> None:
    """Its delayed copies are dependent, so that BSS Eval's equations are singular."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(len(noise)) / RATE).astype(np.float32)
    assert np.isfinite(metrics.sdr(tone, tone + noise))


def test_scores_are_those_of_every_metric(clean: np.ndarray, noise: np.ndarray) -> None:
    assert metrics.scores(clean, clean + noise, RATE).keys() == metrics.METRICS.keys()


def test_mask_accuracy_is_the_fraction_of_equal_bits() -> None:
    assert metrics.mask_accuracy(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])) == 0.75
