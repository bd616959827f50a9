"""Whole recordings: mono float32 at a given sample rate (`model.reference.recording`: piece by piece)."""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from model.errors import BadInput
from model.reference.recording import Recording, Samples, Signal, writing

__all__ = ["Samples", "Signal", "read", "read_samples", "write"]

log = logging.getLogger(__name__)

Element = TypeVar("Element", bound=np.generic)


def read(path: Path, sample_rate: int) -> Signal:
    """Read any format that libsndfile knows as a mono signal, shape (samples,), at `sample_rate` Hz.

    Raises `BadInput` for what `Recording` does, and where no sample is left at that rate.
    """
    return _whole(path, sample_rate, Recording(path, sample_rate))


def _whole(path: Path, sample_rate: int, pieces: Iterable[NDArray[Element]]) -> NDArray[Element]:
    whole = np.concatenate(list(pieces))
    if len(whole) == 0:
        raise BadInput(f"{path}: expected audio, got 0 samples at {sample_rate} Hz")
    return whole


def read_samples(path: Path, sample_rate: int) -> Samples:
    """Read a recording as `read` does, as the 16-bit samples that the audio path works on."""
    return _whole(path, sample_rate, Recording(path, sample_rate).quantised())


def write(path: Path, signal: Signal | Samples, sample_rate: int) -> None:
    """Write a mono signal as 16-bit audio (WAV or FLAC by the suffix), whole or not at all.

    16-bit samples are written as they are. Floats beyond full scale are turned down as a whole rather than clipped.
    Another suffix is refused.
    """
    peak = 0.0 if signal.dtype == np.int16 else float(np.max(np.abs(signal), initial=0.0))
    if peak > 1.0:
        log.warning("%s: peak %.2f is beyond full scale, turned down to 1.0", path, peak)
        signal = (signal / peak).astype(np.float32)
    with writing(path, sample_rate, len(signal)) as append:
        append(signal)
