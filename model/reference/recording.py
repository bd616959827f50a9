"""Recordings of any length in constant memory: read and written piece by piece.

`to_samples` turns them into the 16-bit samples that the audio path works on.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from model.errors import BadInput
from model.files import replacing

log = logging.getLogger(__name__)

Signal = NDArray[np.float32]
Samples = NDArray[np.int16]

SUFFIXES = (".wav", ".flac")
"""What recordings may be written as."""

READ = 1 << 14
"""Samples of each channel that are read at once."""

LARGEST = 2.0**31
"""Samples beyond this are no sound: it is 32-bit integers that were never scaled to 1, and little enough to square."""

WAV_SAMPLES = (2**32 - 2**10) // 2
"""What a WAV file holds of 16 bits: its sizes have 32 bits."""

FULL_SCALE = 32768
"""A 16-bit sample that would be 1."""


class Recording:
    """A recording as mono float32 at `sample_rate` Hz; iterating reads it, once, piece by piece.

    `samples` is about how many that will be. Several channels are averaged and another rate is resampled, each with a
    line in the log. Raises `BadInput` where there is no file, no audio or no sample; in the course of reading, where
    the file is broken, shorter than it says, or a sample is none (NaN, infinite, beyond any sound).
    """

    def __init__(self, path: Path, sample_rate: int) -> None:
        if not path.is_file():
            raise BadInput(f"{path}: expected an audio file, found none")
        try:
            self._file = _Forward(path)
        except soundfile.LibsndfileError as error:
            raise BadInput(f"{path}: expected audio (WAV, FLAC, ...), got {error.error_string}") from None
        except TypeError:  # soundfile asks for the rate of what it takes for headerless by its name
            raise BadInput(f"{path}: expected audio with a header (WAV, FLAC, ...), got {path.suffix}") from None
        self._path, self._sample_rate = path, sample_rate
        self._rate, self._frames = self._file.samplerate, self._file.frames
        self.samples = round(self._frames * sample_rate / self._rate)
        if self._frames == 0:
            raise BadInput(f"{path}: expected audio, got a file with 0 samples")
        if self._file.channels > 1:
            log.warning("%s has %d channels: using their average", path, self._file.channels)
        if self._rate != sample_rate:
            log.warning("%s is sampled at %d Hz: resampled to %d Hz", path, self._rate, sample_rate)

    def __iter__(self) -> Iterator[Signal]:
        other_rate = self._rate != self._sample_rate
        resampler = soxr.ResampleStream(self._rate, self._sample_rate, 1, dtype="float32")
        read, ended = 0, False
        with self._file:
            while not ended:
                samples = self._read(read)
                read += len(samples)
                ended = len(samples) < READ
                signal = samples.mean(axis=1)
                yield resampler.resample_chunk(signal, last=ended) if other_rate else signal
        if read != self._frames:
            raise BadInput(f"{self._path}: expected {self._frames} samples, as its header says, got {read}")

    def _read(self, begin: int) -> NDArray[np.float32]:
        """The next `READ` samples, or what is left, of all channels, (samples, channels)."""
        try:
            samples = self._file.read(READ, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise BadInput(
                f"{self._path}: expected audio up to its end, got {error.error_string} "
                f"after {begin / self._rate:.2f} s of it"
            ) from None
        wrong = np.argwhere(~(np.abs(samples) <= LARGEST))
        if len(wrong):
            index, channel = wrong[0]
            raise BadInput(
                f"{self._path}: expected finite samples, got {samples[index, channel]:g} in sample {begin + index} "
                f"(at {(begin + index) / self._rate:.3f} s)"
            )
        return samples


class _Forward(soundfile.SoundFile):
    """A file that is read from its begin to its end: soundfile else seeks after every read, which MP3 suffers from."""

    def seekable(self) -> bool:
        return False


@contextmanager
def writing(path: Path, sample_rate: int, samples: int) -> Iterator[Callable[[Signal | Samples], None]]:
    """Yield a function that appends to a new recording, mono and 16 bits; the file is there whole or not at all.

    `samples` is about how many it will be. 16-bit samples are written as they are; floats beyond full scale are
    clipped, and a line in the log says how many. Raises `BadInput` for a suffix other than .wav and .flac, for more
    than a WAV file holds, and where the file can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}, got {path.suffix or 'neither'}")
    if suffix == ".wav" and samples > WAV_SAMPLES:
        raise BadInput(f"{path}: expected at most {WAV_SAMPLES:,} samples in a .wav, got {samples:,}; choose .flac")
    written = clipped = 0

    def append(signal: Signal | Samples) -> None:
        nonlocal written, clipped
        file.write(signal)
        written += len(signal)
        if signal.dtype != np.int16:
            clipped += int(np.count_nonzero(np.abs(signal) > 1.0))

    with replacing(path) as temporary:
        try:
            with soundfile.SoundFile(temporary, "w", sample_rate, 1, "PCM_16") as file:
                yield append
            wrong = "" if _has_its_end(temporary, written) else "a file without its end"
        except soundfile.LibsndfileError as error:
            wrong = error.error_string.rstrip(".") or "an error"
        if wrong:
            raise BadInput(f"{path}: expected to write it, got {wrong}; is the disk full?")
    if clipped:
        log.warning("%s: %d samples beyond full scale were clipped", path, clipped)


def _has_its_end(path: Path, samples: int) -> bool:
    """Whether the last of so many samples can be read: a FLAC file whose end found no room closes without a word."""
    with soundfile.SoundFile(path) as file:
        file.seek(max(0, samples - 1))
        return len(file.read(1)) == min(1, samples)


def to_samples(signal: Signal) -> Samples:
    """A signal of full scale 1 as 16-bit samples, rounded. Exact for recordings of 16 bits.

    What is beyond full scale is clipped, with a line in the log.
    """
    scaled = np.rint(signal * np.float32(FULL_SCALE))
    clipped = int(np.count_nonzero((scaled < -FULL_SCALE) | (scaled > FULL_SCALE)))
    if clipped:
        log.warning("%d samples beyond full scale were clipped", clipped)
    samples: Samples = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return samples


def to_signal(samples: Samples) -> Signal:
    """16-bit samples as a signal of full scale 1. Exact."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
