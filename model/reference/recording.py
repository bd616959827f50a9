"""Recordings of any length in constant memory: read and written piece by piece.

`to_samples` turns them into the 16-bit samples that the audio path works on.
"""

import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from model.errors import BadInput
from model.files import replacing
from model.reference.decoder_words import caught
from model.reference.mp3 import LONGEST_FRAME, pipe_of_sound, states_its_length

log = logging.getLogger(__name__)

Signal = NDArray[np.float32]
Samples = NDArray[np.int16]

SUFFIXES = (".wav", ".flac")
"""What recordings may be written as."""

UNKNOWN = 2**62
"""libsndfile says so many frames, or more, where a header does not state them."""

READ = 1 << 14
"""Samples of each channel that are read at once."""

LARGEST = 2.0**31
"""Samples beyond this are no sound: it is 32-bit integers that were never scaled to 1, and little enough to square."""

WAV_SAMPLES = (2**32 - 2**10) // 2
"""What a WAV file holds of 16 bits: its sizes have 32 bits."""

FULL_SCALE = 32768
"""A 16-bit sample that would be 1."""

CANCELLED = 0.01
"""Channels whose average has less than this share of their power cancel each other: 20 dB softer than any of them."""

ESTIMATED = ("MP3", "OGG")
"""Formats whose length may be a guess, from the bit rate of the beginning."""

MP3_REST = 1 << 16
"""Bytes at the end of an MP3 file that may hold no sound: tags, and what libmpg123 reads at once."""

STREAMED = 2**31 - 2**12
"""Bytes that a WAV header states where the program that wrote it could not know: this or more."""

CUT = re.compile(r"^ *(?:data|SSND|BODY|riff|Data Size|Riff size) *: (\d+) \(should be (\d+)\)$", re.MULTILINE)
"""What libsndfile notes of a WAV, AIFF, IFF, W64, AU or RF64 file whose header states another length than it has."""

STATED = re.compile(
    r"^ *Frames *: (\d+)$"  # AVR, MPC2K, SDS
    r"|Cols *: (\d+)\n.*\n *Name *: wavedata$"  # MAT4, MAT5
    r"|^Data length (\d+) should be"  # WVE
    r"|^sample_count -i (\d+)$",  # NIST
    re.MULTILINE,
)
"""Samples that a header states: where libsndfile notes them, or a NIST header.

The headers of PAF, PVF and IRCAM state none.
"""

NIST_HEADER = 1024
"""Bytes of a NIST header."""


class Recording:
    """A recording as mono float32 at `sample_rate` Hz; iterating reads it, once, piece by piece.

    `channel` is the one to take, counted from 0; None averages them. A stated length is a hint: `samples` is about how
    many there will be, or None where nothing says so; `read` is how many of the file's own have been read. Several
    channels, another rate, channels that cancel each other, and a file that ends early (WAV, MP3, NIST and others) each
    make a line in the log. Raises `BadInput` where there is no file, no audio, no such channel or no sample; while
    reading, where the file is broken, a FLAC file ends early, an MP3 file goes on beyond its stated length, or a sample
    is none (NaN, infinite, beyond any sound).
    """

    def __init__(self, path: Path, sample_rate: int, channel: int | None = None) -> None:
        if not path.exists() or path.is_dir():
            raise BadInput(f"{path}: expected an audio file, found {'a folder' if path.is_dir() else 'none'}")
        self._words: list[str] = []
        try:
            with caught(self._words):
                self._file = _Forward(os.fsencode(path))  # soundfile encodes no name that is not UTF-8
                self.frames = self._file.frames if self._file.frames < UNKNOWN else None
                self._bytes = path.open("rb") if self._file.format == "MP3" else None
                self._piped = self._bytes is not None and not states_its_length(self._bytes)
                if self._bytes:
                    self._file = _Forward(pipe_of_sound(self._bytes) if self._piped else self._bytes)
        except soundfile.LibsndfileError as error:
            raise BadInput(f"{path}: expected audio (WAV, FLAC, ...), got {error.error_string}") from None
        except TypeError:  # soundfile asks for the rate of what it takes for headerless by its name
            raise BadInput(f"{path}: expected audio with a header (WAV, FLAC, ...), got {path.suffix}") from None
        self._path, self._sample_rate, self._channel = path, sample_rate, channel
        self.rate, self.channels, self.subtype = self._file.samplerate, self._file.channels, self._file.subtype
        self.samples = None if self.frames is None else round(self.frames * sample_rate / self.rate)
        self.read = 0
        self._piece = LONGEST_FRAME if self._piped else READ  # what comes with an error is lost
        if self.frames == 0:
            raise BadInput(f"{path}: expected audio, got a file with 0 samples")
        if channel is not None and channel >= self.channels:
            raise BadInput(f"{path}: expected at least {channel + 1} channels, got {self.channels}")
        if self.channels > 1 and channel is None:
            log.warning("%s has %d channels: using their average", path, self.channels)
        if self.rate != sample_rate and not channel:
            log.warning("%s is sampled at %d Hz: resampled to %d Hz", path, self.rate, sample_rate)
        self._check_header()

    def _check_header(self) -> None:
        """Warn of a file whose header states another length than it has."""
        notes, frames = self._file.extra_info, self._file.frames
        if self._file.format == "NIST":
            with self._path.open("rb") as file:
                notes += file.read(NIST_HEADER).decode("ascii", errors="replace")
        if (cut := CUT.search(notes)) and int(cut[1]) < STREAMED:
            self._warn_of_length(int(cut[1]) / int(cut[2]) * frames if int(cut[2]) else 0.0, frames)
        elif noted := STATED.search(notes):
            stated, found = int(noted[noted.lastindex or 0]), frames
            if self._file.format == "SDS":  # libsndfile goes by the header, and notes what there is
                stated, found = found, stated
            if found < stated:
                self._warn_of_length(stated, found)
        elif "truncated" in notes:  # VOC
            log.warning("%s: it ends before its header says: was it cut off?", self._path)

    def _warn_of_length(self, stated: float, found: int) -> None:
        said, has = stated / self.rate, found / self.rate
        log.warning("%s: its header says %.2f s, it has %.2f s: was it cut off?", self._path, said, has)

    def __iter__(self) -> Iterator[Signal]:
        other_rate = self.rate != self._sample_rate
        resampler = soxr.ResampleStream(self.rate, self._sample_rate, 1, dtype="float32")
        ended = False
        average_power = power = 0.0
        with self._file:
            while not ended:
                samples = self._read_piece(self.read)
                self.read += len(samples)
                ended = len(samples) < self._piece
                if self._channel is None:
                    signal = samples.mean(axis=1)
                    average_power += float(np.sum(np.square(signal, dtype=np.float64)))
                    power += float(np.sum(np.square(samples, dtype=np.float64))) / self.channels
                else:
                    signal = np.ascontiguousarray(samples[:, self._channel])
                yield resampler.resample_chunk(signal, last=ended) if other_rate else signal
        if self.read == 0:
            raise BadInput(f"{self._path}: expected audio, got a file with 0 samples")
        if average_power < CANCELLED * power:
            log.warning("%s: its channels cancel each other in their average; choose one with --channel", self._path)
        self._check_length(self.read)

    def quantised(self) -> Iterator[Samples]:
        """The recording in pieces of 16-bit samples (`to_samples`); a line in the log says how many were clipped."""
        clipped, total, peak = 0, 0, 0.0
        for signal in self:
            loud = np.abs(signal)
            clipped += int(np.count_nonzero(loud > 1))
            total += len(signal)
            peak = max(peak, float(loud.max(initial=0)))
            yield to_samples(signal)
        if clipped:
            share = f", most of it: expected samples from -1 to 1, got {peak:g}" if 2 * clipped > total else ""
            log.warning("%s: %d of %d samples beyond full scale were clipped%s", self._path, clipped, total, share)

    def _check_length(self, read: int) -> None:
        """Whether the file had what it had stated, and what the decoder of an MP3 file said of it."""
        if errors := [line for line in self._words if "error" in line.lower()]:
            said = errors[0].rsplit("error: ", 1)[-1].rstrip("!")
            log.warning(
                "%s: damaged, it may sound wrong in places (%d errors, first: %s)", self._path, len(errors), said
            )
        if self._piped or self.frames is None:
            return
        if self._bytes and read >= self.frames and self._bytes.tell() < self._path.stat().st_size - MP3_REST:
            raise BadInput(
                f"{self._path}: expected {read / self.rate:.2f} s, as its header says, got an MP3 file that goes on; "
                f"convert it, as with ffmpeg -i {self._path.name} recording.wav"
            )
        if read != self.frames and self._file.format not in ESTIMATED:
            raise BadInput(f"{self._path}: expected {self.frames} samples, as its header says, got {read}")
        stated, got = self.frames / self.rate, read / self.rate
        if stated - got > 1:
            log.warning("%s: it seemed to be %.2f s long, and has %.2f s: was it cut off?", self._path, stated, got)

    def _read_piece(self, begin: int) -> NDArray[np.float32]:
        """The next `_piece` samples, or what is left, of all channels, (samples, channels)."""
        try:
            with caught(self._words) if self._bytes else nullcontext():
                samples = self._file.read(self._piece, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            if self._piped and begin:
                log.warning("%s: only the first %.2f s could be read: was it cut off?", self._path, begin / self.rate)
                return np.zeros((0, self.channels), np.float32)
            raise BadInput(
                f"{self._path}: expected audio up to its end, got {error.error_string} "
                f"after {begin / self.rate:.2f} s of it"
            ) from None
        wrong = np.argwhere(~(np.abs(samples) <= LARGEST))
        if len(wrong):
            index, channel = wrong[0]
            raise BadInput(
                f"{self._path}: expected finite samples, got {samples[index, channel]:g} in sample {begin + index} "
                f"(at {(begin + index) / self.rate:.3f} s)"
            )
        return samples


class _Forward(soundfile.SoundFile):
    """A file that is read from its begin to its end: soundfile else seeks after every read, which MP3 suffers from."""

    def seekable(self) -> bool:
        return False


@contextmanager
def writing(
    path: Path, sample_rate: int, samples: int | None, channels: int = 1, subtype: str = "PCM_16"
) -> Iterator[Callable[[Signal | Samples], None]]:
    """Yield a function that appends samples (samples,) or (samples, channels); the file is there whole or not at all.

    `samples` is about how many it will be, where that is known; `subtype` is libsndfile's name of a format of samples.
    16-bit samples are written as they are; floats beyond full scale are clipped, unless the file has floats, and a line
    in the log says how many. Raises `BadInput` for a suffix other than .wav and .flac, for more than a WAV file holds,
    and where the file can't be written.
    """
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise BadInput(f"{path}: expected a name that ends in {' or '.join(SUFFIXES)}, got {path.suffix or 'neither'}")
    if suffix == ".wav" and samples is not None and samples > WAV_SAMPLES:
        raise BadInput(f"{path}: expected at most {WAV_SAMPLES:,} samples in a .wav, got {samples:,}; choose .flac")
    written = clipped = 0

    def append(signal: Signal | Samples) -> None:
        nonlocal written, clipped
        file.write(signal)
        written += len(signal)
        if signal.dtype != np.int16 and subtype not in ("FLOAT", "DOUBLE"):
            clipped += int(np.count_nonzero(np.abs(signal) > 1.0))

    with replacing(path) as temporary:
        try:
            with soundfile.SoundFile(os.fsencode(temporary), "w", sample_rate, channels, subtype) as file:
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
    with soundfile.SoundFile(os.fsencode(path)) as file:
        file.seek(max(0, samples - 1))
        return len(file.read(1)) == min(1, samples)


def to_samples(signal: Signal) -> Samples:
    """A signal of full scale 1 as 16-bit samples, rounded and saturated. Exact for recordings of 16 bits."""
    scaled = np.rint(signal * np.float32(FULL_SCALE))
    samples: Samples = np.clip(scaled, -FULL_SCALE, FULL_SCALE - 1).astype(np.int16)
    return samples


def to_signal(samples: Samples) -> Signal:
    """16-bit samples as a signal of full scale 1. Exact."""
    return samples.astype(np.float32) / np.float32(FULL_SCALE)
