"""Whole recordings: mono float32 at a given sample rate (`model.reference.recording`: piece by piece)."""

import logging
from pathlib import Path

import numpy as np

from model.errors import BadInput
from model.reference.recording import Recording, Signal, writing

__all__ = ["Signal", "read", "write"]

log = logging.getLogger(__name__)


def read(path: Path, sample_rate: int) -> Signal:
    """Read any format that libsndfile knows as a mono signal, shape (samples,), at `sample_rate` Hz.

    Raises `BadInput` for what `Recording` does, and where no sample is left at that rate.
    """
    signal = np.concatenate(list(Recording(path, sample_rate)))
    if len(signal) == 0:
        raise BadInput(f"{path}: expected audio, got 0 samples at {sample_rate} Hz")
    return signal


def write(path: Path, signal: Signal, sample_rate: int) -> None:
    """Write a mono signal as 16-bit audio (WAV or FLAC by the suffix), whole or not at all.

    A signal beyond full scale is turned down as a whole rather than clipped. Another suffix is refused.
    """
    peak = float(np.max(np.abs(signal), initial=0.0))
    if peak > 1.0:
        log.warning("%s: peak %.2f is beyond full scale, turned down to 1.0", path, peak)
        signal = (signal / peak).astype(np.float32)
    with writing(path, sample_rate, len(signal)) as append:
        append(signal)
