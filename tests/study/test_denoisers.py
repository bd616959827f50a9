"""Denoisers of others, as systems."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate, correlation_lags

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")

from model.corpora.mixing import Mixture
from model.errors import BadInput
from model.evaluation import metrics
from model.reference import audio
from model.reference.audio import Signal
from study.denoisers import RNNoise

SAMPLES = Path("samples")
RATE = 16000


@pytest.fixture(scope="module")
def signals() -> Mixture:
    noisy, clean = (audio.read(SAMPLES / f"{name}.flac", RATE) for name in ("noisy", "clean"))
    return Mixture(noisy, clean, noisy - clean)


@pytest.fixture(scope="module")
def denoised(signals: Mixture) -> Signal:
    pytest.importorskip("pyrnnoise")
    return RNNoise()(signals).signal


def test_rnnoise_removes_noise(signals: Mixture, denoised: Signal) -> None:
    assert metrics.si_sdr(signals.clean, signals.mixture) < 0.1
    assert metrics.si_sdr(signals.clean, denoised) > 12


def test_rnnoise_is_as_long_as_the_recording_and_not_late(signals: Mixture, denoised: Signal) -> None:
    assert denoised.shape == signals.clean.shape
    lags = correlation_lags(len(denoised), len(signals.clean))
    assert lags[np.argmax(correlate(denoised, signals.clean))] == 0


@pytest.mark.parametrize("delay", [-1, 1])
def test_its_delay_is_exact_to_a_sample_of_48_khz(
    signals: Mixture, denoised: Signal, monkeypatch: pytest.MonkeyPatch, delay: int
) -> None:
    monkeypatch.setattr(RNNoise, "DELAY", RNNoise.DELAY + delay)
    shifted = RNNoise()(signals).signal
    assert metrics.si_sdr(signals.clean, denoised) > metrics.si_sdr(signals.clean, shifted) + 0.3


def test_rnnoise_forgets_between_recordings_and_knows_loud_ones(signals: Mixture, denoised: Signal) -> None:
    denoise = RNNoise()
    loud = denoise.denoise(np.float32(4.0) * signals.mixture)  # beyond full scale of 16 bits
    assert metrics.si_sdr(signals.clean, loud) > 12
    assert np.array_equal(denoise(signals).signal, denoised)


@pytest.mark.parametrize("samples", [1, 159, 16001])
@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
def test_rnnoise_keeps_any_length_at_any_rate(samples: int, rate: int) -> None:
    pytest.importorskip("pyrnnoise")
    noise = np.random.default_rng(0).normal(0, 0.1, samples).astype(np.float32)
    result = RNNoise(rate).denoise(noise)
    assert (result.shape, result.dtype) == (noise.shape, np.dtype(np.float32))


def test_without_the_package_the_command_to_install_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyrnnoise", None)
    with pytest.raises(BadInput, match="pip install pyrnnoise"):
        RNNoise()
