"""Metrics against their definitions."""

from pathlib import Path

import numpy as np
import pytest
import soxr

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")

from model.evaluation import metrics
from model.reference import audio

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


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return audio.read(Path("samples/clean.flac"), RATE)


def by_definition(clean: np.ndarray, noise: np.ndarray, estimate: np.ndarray) -> dict[str, float]:
    """Vincent et al. 2006: orthogonal projections of the estimate on delayed copies of the sources."""
    pad, taps = np.zeros(511), 512
    padded = np.concatenate([estimate, pad])
    delayed = {
        name: np.stack([np.roll(np.concatenate([source, pad]), delay) for delay in range(taps)], axis=1)
        for name, source in (("clean", clean), ("noise", noise))
    }
    both = np.concatenate([delayed["clean"], delayed["noise"]], axis=1)
    target, explained = (
        columns @ np.linalg.lstsq(columns, padded, rcond=None)[0] for columns in (delayed["clean"], both)
    )
    ratios = {
        "sdr": (target, padded - target),
        "sir": (target, explained - target),
        "sar": (explained, padded - explained),
    }
    return {name: 10 * np.log10((top @ top) / (rest @ rest)) for name, (top, rest) in ratios.items()}


def test_bss_eval_is_its_definition(clean: np.ndarray, noise: np.ndarray) -> None:
    short, other, third = (x.astype(np.float64) for x in (clean[4000:7000], noise[4000:7000], noise[8000:11000]))
    estimate = short + 0.5 * np.roll(short, 3) + 0.3 * np.roll(other, 5) + 0.2 * third
    single = (x.astype(np.float32) for x in (short, other, estimate))
    assert metrics.bss_eval(*single) == pytest.approx(by_definition(short, other, estimate), abs=1e-3)


def test_sdr_of_bss_eval_does_not_depend_on_the_noise(clean: np.ndarray, noise: np.ndarray) -> None:
    estimate = clean + np.float32(0.3) * noise
    assert metrics.bss_eval(clean, noise, estimate)["sdr"] == pytest.approx(metrics.sdr(clean, estimate), abs=1e-6)


def test_only_sir_rises_as_interference_goes_and_only_sar_falls_with_artefacts(
    clean: np.ndarray, noise: np.ndarray
) -> None:
    other = np.random.default_rng(2).normal(0, 0.01, len(clean)).astype(np.float32)
    loud, quiet = (metrics.bss_eval(clean, noise, clean + np.float32(level) * noise) for level in (1.0, 0.1))
    rough = metrics.bss_eval(clean, noise, clean + np.float32(0.1) * noise + other)
    assert quiet["sir"] - loud["sir"] == pytest.approx(20.0, abs=0.3)
    assert min(loud["sar"], quiet["sar"]) > 79
    assert rough["sir"] == pytest.approx(quiet["sir"], abs=0.3)
    assert 10 < rough["sar"] < 20


def test_the_clean_recording_gets_the_top_of_every_scale(speech: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech)).astype(np.float32)
    top = metrics.scores(speech, noise, speech, RATE)
    assert top == pytest.approx({"sdr": 80, "sir": 80, "sar": 80, "si_sdr": 80, "stoi": 1, "pesq": 4.644}, abs=1e-3)


def test_pesq_falls_with_noise_at_any_rate(speech: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, len(speech)).astype(np.float32)
    little, much = (metrics.pesq(speech, speech + np.float32(level) * noise, RATE) for level in (0.01, 0.1))
    assert little is not None and much is not None
    assert 4.6 > little > much + 0.5 > 1.5
    fast = [soxr.resample(signal, RATE, 48000) for signal in (speech, speech + np.float32(0.01) * noise)]
    assert metrics.pesq(fast[0], fast[1], 48000) == pytest.approx(little, abs=0.1)


def test_pesq_of_what_has_no_speech_or_is_too_short_is_left_out(speech: np.ndarray) -> None:
    assert metrics.pesq(np.zeros_like(speech), speech, RATE) is None
    assert metrics.pesq(speech[:3000], speech[:3000], RATE) is None


def test_silence_has_a_finite_score(clean: np.ndarray, noise: np.ndarray) -> None:
    silence = np.zeros_like(clean)
    assert metrics.sdr(clean, silence) == metrics.si_sdr(clean, silence) == metrics.SILENCE
    assert metrics.sdr(silence, clean) == metrics.si_sdr(silence, clean) == metrics.SILENCE
    assert set(metrics.bss_eval(clean, noise, silence).values()) == {metrics.SILENCE}
    assert metrics.pesq(clean, silence, RATE) == metrics.WORST_PESQ


def test_sdr_of_a_pure_tone_is_finite(noise: np.ndarray) -> None:
    """Its delayed copies are dependent, so that BSS Eval's equations are singular."""
    tone = np.sin(2 * np.pi * 1000 * np.arange(len(noise)) / RATE).astype(np.float32)
    assert np.isfinite(metrics.sdr(tone, tone + noise))
    assert np.all(np.isfinite([*metrics.bss_eval(tone, noise, tone + noise).values()]))


def test_scores_are_those_asked_for(clean: np.ndarray, noise: np.ndarray) -> None:
    every = metrics.scores(clean, noise, clean + noise, RATE)
    assert [*every, "mask_accuracy", "weighted_mask_accuracy"] == [*metrics.METRICS]
    some = metrics.scores(clean, noise, clean + noise, RATE, ("stoi", "sdr"))
    assert some == pytest.approx({key: every[key] for key in ("sdr", "stoi")}, abs=1e-6)


def test_mask_accuracy_is_the_fraction_of_equal_bits() -> None:
    assert metrics.mask_accuracy(np.array([1, 1, 0, 0]), np.array([1, 0, 0, 0])) == 0.75


def test_weighted_mask_accuracy_is_the_share_of_energy_that_is_right() -> None:
    rng = np.random.default_rng(0)
    speech, noise = rng.exponential(size=(2, 5, 9)).astype(np.float32)
    mask = rng.integers(0, 2, (5, 9)).astype(np.uint8)
    right = total = 0.0
    for s, n, bit in zip(speech.ravel(), noise.ravel(), mask.ravel(), strict=True):
        total += abs(float(s) - float(n))
        right += abs(float(s) - float(n)) if bit == (s > n) else 0.0
    assert metrics.weighted_mask_accuracy(speech - noise, mask) == pytest.approx(right / total)
    assert metrics.weighted_mask_accuracy(speech - noise, speech > noise) == 1.0
    assert metrics.mask_scores(speech - noise, mask, ("mask_accuracy",)) == {
        "mask_accuracy": np.mean(mask == (speech > noise))
    }
