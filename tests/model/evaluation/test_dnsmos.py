"""DNSMOS on the shipped recording."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnxruntime")
pytest.importorskip("speechmos")

from model.evaluation.dnsmos import SAMPLE_RATE, SCORES, SEGMENT, dnsmos
from model.reference import audio

pytestmark = pytest.mark.training


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return audio.read(Path("samples/clean.flac"), SAMPLE_RATE)


def test_clean_speech_is_above_noisy_speech_and_noise_below_both(clean: np.ndarray) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, len(clean)).astype(np.float32)
    found = [dnsmos(one, SAMPLE_RATE) for one in (clean, clean + noise, noise)]
    for name in SCORES:
        assert found[0][name] > found[1][name] > 1
    assert found[1]["dnsmos_ovrl"] > found[2]["dnsmos_ovrl"]


def test_a_short_recording_is_repeated_to_fill_a_segment(clean: np.ndarray) -> None:
    short = clean[: SEGMENT // 2]
    assert dnsmos(short, SAMPLE_RATE) == pytest.approx(dnsmos(np.concatenate([short, short]), SAMPLE_RATE))


def test_silence_has_finite_scores() -> None:
    assert all(np.isfinite(value) for value in dnsmos(np.zeros(1000, np.float32), SAMPLE_RATE).values())
