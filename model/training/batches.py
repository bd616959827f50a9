"""Fresh training mixtures, made in the STFT domain.

The STFT is linear, so that spectra of speech and noise, computed once and kept in memory (about 1 GB per hour of
speech at 16 kHz and a hop of 128), are mixed there: each batch is new excerpts at new signal-to-noise ratios for the
price of an addition. Every sequence of a batch has a source of randomness of its own, so that a batch can be made in
parts, by several processes, and is the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from model.bundle.bits import Bits
from model.corpora.mixing import Element, excerpt, mask_targets, noise_gain
from model.reference.audio import Signal
from model.reference.front_end import FrontEnd, SlowGain, power
from model.reference.recording import Spectrum

RESPONSE_POINTS = 8
"""Where a random frequency response is drawn, evenly from 0 Hz up; between them it is interpolated."""

COMPRESSION = 0.3
"""Power of the magnitudes that a network with real-valued inputs is given."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Arrays of shape (frames, sequences, ...): what a network is given, and what it is to make of it.

    `features` (..., features) go in; `mask` (..., bins * mask bits) is wanted, each bit with its `weight`; `mixture`
    and `speech` (..., bins) are |X|^2 and |S|^2.
    """

    features: Bits | NDArray[np.float32]
    mask: Bits
    weight: NDArray[np.float32]
    mixture: NDArray[np.float32]
    speech: NDArray[np.float32]


class Mixtures:
    """Spectra of a part's speech and noise, and batches drawn from them."""

    def __init__(
        self,
        front_end: FrontEnd,
        speech: Sequence[Signal],
        noise: Mapping[str, Signal],
        speech_speeds: Sequence[float] = (1.0,),
        noise_speeds: Sequence[float] = (1.0,),
        equaliser_db: float = 0.0,
        magnitudes: bool = False,
    ) -> None:
        """Keep the spectra of recordings (samples,); each also as it sounds when played at each of its speeds.

        `equaliser_db` is the spread of the random frequency responses, see `_response`. Features are the front end's
        bits or, for a network that isn't bitwise, `magnitudes`.
        """
        self.front_end, self._magnitudes = front_end, magnitudes
        self._equaliser_db = equaliser_db
        self._speech = [front_end.stft(_played(utterance, speed)) for utterance in speech for speed in speech_speeds]
        self._noise = [front_end.stft(_played(noise[name], speed)) for name in sorted(noise) for speed in noise_speeds]
        self._to_power = SlowGain(front_end).to_power.astype(np.float32)

    def _response(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """A smooth random frequency response, shape (bins,): another microphone, another room."""
        points = rng.normal(0.0, self._equaliser_db, RESPONSE_POINTS)
        decibels = np.interp(np.linspace(0, RESPONSE_POINTS - 1, self.front_end.bins), range(RESPONSE_POINTS), points)
        return np.power(10.0, decibels / 20.0).astype(np.float32)

    def _power(self, spectrum: Spectrum) -> float:
        """Mean square of the signal behind a spectrum (Parseval)."""
        return float(np.mean(power(spectrum) @ self._to_power))

    def spectra(
        self, frames: int, snr_db: tuple[float, float], sources: Sequence[np.random.Generator]
    ) -> tuple[Spectrum, Spectrum]:
        """A pair of speech and noise from each source, (sequences, frames, bins), at the front end's level together.

        Every utterance and every noise has the same chance; shorter ones are looped.
        """
        shape = (len(sources), frames, self.front_end.bins)
        speech, noise = np.empty(shape, np.complex64), np.empty(shape, np.complex64)
        for index, rng in enumerate(sources):
            clean = excerpt(self._speech[rng.integers(len(self._speech))], frames, rng) * self._response(rng)
            other = excerpt(self._noise[rng.integers(len(self._noise))], frames, rng) * self._response(rng)
            other = other * np.float32(noise_gain(self._power(clean), self._power(other), rng.uniform(*snr_db)))
            level = np.float32(self.front_end.rms / np.sqrt(max(self._power(clean + other), 1e-20)))
            speech[index], noise[index] = level * clean, level * other
        return speech, noise

    def batch(
        self,
        frames: int,
        snr_db: tuple[float, float],
        level_db: float,
        loss_power: float,
        sources: Sequence[np.random.Generator],
    ) -> Batch:
        """A fresh mixture of `frames` frames from each source, turned up or down by up to `level_db` decibels.

        The weight of a mask bit in the loss is what a wrong one costs (`mixing.mask_targets`) to the power of
        `loss_power` / 2, with mean 1 over the mixture: 2 is error energy itself, 0 the paper's plain mask error.
        """
        speech, noise = self.spectra(frames, snr_db, sources)
        mixture = speech + noise
        features = self.features(mixture, np.array([rng.uniform(-level_db, level_db) for rng in sources]))
        mask, cost = mask_targets(speech, noise, self.front_end.mask_bits)
        weight = np.power(cost, loss_power / 2).astype(np.float32)
        weight /= np.maximum(weight.mean(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)  # silence weighs 0
        heard, clean = power(mixture), power(speech)
        return Batch(features, _time_first(mask), _time_first(weight), _time_first(heard), _time_first(clean))

    def features(self, mixture: Spectrum, level_db: NDArray[np.float64]) -> Bits | NDArray[np.float32]:
        """What a network is given of mixtures (sequences, frames, bins), turned up by `level_db` decibels each."""
        gain = np.power(10.0, level_db / 10.0).astype(np.float32)
        heard = np.ascontiguousarray((power(mixture) * gain[:, None, None]).swapaxes(0, 1))
        return features(self.front_end, heard, self._magnitudes)


def features(front_end: FrontEnd, heard: NDArray[np.float32], magnitudes: bool = False) -> Bits | NDArray[np.float32]:
    """What a network is given of |X|^2, (frames, bins) or (frames, sequences, bins), from the first frame on.

    The front end's bits, `features` for each frame, or magnitudes compressed by `COMPRESSION`, one per bin.
    """
    exponents = SlowGain(front_end).exponents(heard)
    if magnitudes:
        return np.power(np.ldexp(heard, -exponents[..., None]), COMPRESSION / 2)
    return front_end.encode(heard, exponents)


def _time_first(values: NDArray[Element]) -> NDArray[Element]:
    return np.ascontiguousarray(values.swapaxes(0, 1))


def _played(recording: Signal, speed: float) -> Signal:
    """A recording played `speed` times as fast, pitch included."""
    return recording if speed == 1.0 else soxr.resample(recording, speed, 1.0).astype(np.float32)
