"""Denoisers that people use today, as systems to be scored beside ours; they were trained on other data.

Each is an optional package from PyPI (extra `study`).
"""

import ctypes
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import soxr

from model.corpora.mixing import Mixture
from model.errors import BadInput
from model.evaluation.scoring import Estimate
from model.reference.audio import Signal

FULL_SCALE = 32768.0
"""RNNoise's samples are floats in the range of 16-bit integers."""


@dataclass(frozen=True)
class RNNoise:
    """RNNoise (Valin 2018) in the version and with the weights that `pyrnnoise` brings; 48 kHz inside.

    Making one raises `BadInput` where the package isn't installed.
    """

    sample_rate: int = 16000

    DELAY = 960
    """Samples at 48 kHz by which the output is late: a frame of overlap and one of look-ahead, taken out here."""

    def __post_init__(self) -> None:
        _library()

    def __call__(self, signals: Mixture) -> Estimate:
        return Estimate(self.denoise(signals.mixture))

    def denoise(self, recording: Signal) -> Signal:
        """A recording (samples,) to its speech, of the same length and not delayed."""
        library = _library()
        heard = soxr.resample(recording, self.sample_rate, library.SAMPLE_RATE) * FULL_SCALE
        frames = -(-(len(heard) + self.DELAY) // library.FRAME_SIZE)
        # The library itself, since the package's Python rounds to 16 bits and wraps around beyond them.
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
    """Resampling there and back may end some samples early or late."""
    return np.pad(signal[:samples], (0, max(0, samples - len(signal)))).astype(np.float32)
