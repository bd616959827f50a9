"""Reading and writing recordings: mono float32 at the sample rate that was asked for."""

import logging
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from model.errors import BadInput
from model.files import replacing

log = logging.getLogger(__name__)

Signal = NDArray[np.float32]

SUFFIXES = (".wav", ".flac")
"""What recordings may be written as."""


def read(path: Path, sample_rate: int) -> Signal:
    """Read any format that libsndfile knows as a mono signal, shape (samples,), at `sample_rate` Hz.

    Several channels are averaged and another rate is resampled, each with a line in the log.
    Raises `BadInput` where there is no file, no audio, no sample, or a non-finite one.
    """
    if not path.is_file():
        raise BadInput(f"{path}: expected an audio file, found none")
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise BadInput(f"{path}: expected audio (WAV, FLAC, ...), got {error.error_string}") from error
    if len(samples) == 0:
        raise BadInput(f"{path}: expected audio, got a file with 0 samples")
    if not np.all(np.isfinite(samples)):
        raise BadInput(f"{path}: expected finite samples, got NaN or infinity")
    if samples.shape[1] > 1:
        log.warning("%s has %d channels: using their average", path, samples.shape[1])
    signal = samples.mean(axis=1)
    if rate != sample_rate:
        log.warning("%s is sampled at %d Hz: resampled to %d Hz", path, rate, sample_rate)
        signal = soxr.resample(signal, rate, sample_rate)
        if len(signal) == 0:
            raise BadInput(f"{path}: expected audio, got 0 samples at {sample_rate} Hz")
    return np.ascontiguousarray(signal, dtype=np.float32)


def write(path: Path, signal: Signal, sample_rate: int) -> None:
    """Write a mono signal as 16-bit audio (WAV or FLAC by the suffix), whole or not at all.

    A signal beyond full scale is turned down as a whole rather than clipped. Another suffix is refused.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}, got {path.suffix or 'neither'}")
    peak = float(np.max(np.abs(signal), initial=0.0))
    if peak > 1.0:
        log.warning("%s: peak %.2f is beyond full scale, turned down to 1.0", path, peak)
        signal = (signal / peak).astype(np.float32)
    with replacing(path) as temporary:
        soundfile.write(temporary, signal, sample_rate, subtype="PCM_16")
