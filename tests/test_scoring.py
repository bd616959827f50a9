"""Scores of a bundle on held-out mixtures."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pystoi")

from model import scoring
from model.bits import pack
from model.bundle import Bundle, Layer, Matrix
from model.frontend import FrontEnd

BINS = 33


def bundle_of_constant_mask(bit: int) -> Bundle:
    """A network that ignores what it hears: every mask bit is `bit`."""
    front_end = FrontEnd(16000, 64, 32, "hann", 0.1, np.ones((BINS, 1), np.float32))
    weights = Matrix(*(pack(np.zeros((BINS, BINS), np.uint8)) for _ in range(2)), BINS)
    threshold = np.full(BINS, 0 if bit else 1, np.int32)
    return Bundle("constant", front_end, (Layer("mask", "dense", BINS, BINS, weights, threshold),))


@pytest.fixture
def trials(tmp_path: Path) -> list[scoring.Trial]:
    rng = np.random.default_rng(0)
    rhythm = np.sin(2 * np.pi * 4 * np.arange(16000) / 16000) > 0
    speech = {}
    for name in ("a", "b"):
        path = tmp_path / name / "1.wav"
        path.parent.mkdir()
        soundfile.write(path, rng.normal(0, 0.1, 16000) * rhythm, 16000)
        speech[name] = (path,)
    noises = {}
    for name in ("hiss", "hum"):
        noises[name] = tmp_path / f"{name}.wav"
        soundfile.write(noises[name], rng.normal(0, 0.1, 40000), 16000)
    return list(scoring.trials(speech, noises, 0.0, 16000, 0.1))


def test_trials_are_every_utterance_in_every_noise(trials: list[scoring.Trial]) -> None:
    assert [(trial.speaker, trial.noise) for trial in trials] == [
        ("a", "hiss"),
        ("a", "hum"),
        ("b", "hiss"),
        ("b", "hum"),
    ]


def test_a_mask_that_keeps_all_scores_as_the_mixture(trials: list[scoring.Trial]) -> None:
    scores = scoring.score(bundle_of_constant_mask(1), iter(trials))
    mean = scores["mean"]
    assert mean["mixtures"] == 4
    assert mean["denoised"] == pytest.approx(mean["mixture"], abs=0.01)
    assert mean["mixture"]["si_sdr"] == pytest.approx(0.0, abs=0.3)
    assert mean["ibm"]["si_sdr"] > 3


def test_means_per_noise_average_to_the_mean_of_all(trials: list[scoring.Trial]) -> None:
    scores = scoring.score(bundle_of_constant_mask(1), iter(trials))
    assert scores["noises"].keys() == {"hiss", "hum"}
    per_noise = [entry["ibm"]["stoi"] for entry in scores["noises"].values()]
    assert np.mean(per_noise) == pytest.approx(scores["mean"]["ibm"]["stoi"], abs=1e-4)


def test_a_mask_that_keeps_nothing_has_finite_scores(trials: list[scoring.Trial]) -> None:
    mean = scoring.score(bundle_of_constant_mask(0), iter(trials[:1]))["mean"]
    assert mean["denoised"]["sdr"] == -30.0
    assert np.isfinite(mean["denoised"]["stoi"])
