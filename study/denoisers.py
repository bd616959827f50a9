"""Denoisers in use today, scored next to ours; they were trained on other data.

Each is an optional package from PyPI (extra `study`).
"""

import ctypes
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import soxr

from model.corpora.mixing import Mixture
from model.errors import BadInput
from model.evaluation.scoring import Enhanced
from model.reference.audio import Signal

FULL_SCALE = 32768.0
"""RNNoise's samples are floats in the range of 16-bit integers."""


@dataclass(frozen=True)
class RNNoise:
    """RNNoise (Valin 2018) with the code and weights of the package `pyrnnoise`; it runs at 48 kHz.

    The constructor raises `BadInput` if the package is missing.
    """

    sample_rate: int = 16000

    DELAY = 960
    """Delay in samples at 48 kHz, removed here: a frame of overlap and one of look-ahead."""

    def __post_init__(self) -> None:
        _library()

    def __call__(self, signals: Mixture) -> Enhanced:
        return Enhanced(self.denoise(signals.mixture))

    def denoise(self, recording: Signal) -> Signal:
        """The speech in a recording (samples,): the same length, without delay."""
        library = _library()
        heard = soxr.resample(recording, self.sample_rate, library.SAMPLE_RATE) * FULL_SCALE
        frames = -(-(len(heard) + self.DELAY) // library.FRAME_SIZE)
        # The library itself, because the package's Python rounds to 16 bits and wraps around beyond them.
        samples = np.zeros((frames, library.FRAME_SIZE), np.float32)
        samples.reshape(-1)[: len(heard)] = heard
        state = library.create()
        try:
            for frame in samples:
                pointer = frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
                library.lib.rnnoise_process_frame(state, pointer, pointer)
        finally:
            library.destroy(state)
        speech = samples.reshape(-1)[self.DELAY : self.DELAY + len(heard)] / np.float32(FULL_SCALE)
        return _fitted(soxr.resample(speech, library.SAMPLE_RATE, self.sample_rate), len(recording))


def _library() -> ModuleType:
    try:
        from pyrnnoise import rnnoise
    except ImportError:
        raise BadInput("RNNoise: expected the package pyrnnoise, found none; `pip install pyrnnoise`") from None
    module: ModuleType = rnnoise
    return module


def _fitted(signal: Signal, samples: int) -> Signal:
    """Fit the length: resampling there and back may change it by a few samples."""
    return np.pad(signal[:samples], (0, max(0, samples - len(signal)))).astype(np.float32)
