"""Fresh training mixtures, made in the STFT domain.

The STFT is linear, so that spectra of speech and noise, computed once and kept in memory (about 0.5 GB per hour of
speech at 16 kHz), are mixed there: each batch is new excerpts at new signal-to-noise ratios for the price of an
addition. Level and features are those of the front end.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import get_window

from model.audio import Signal
from model.bits import Bits
from model.frontend import FrontEnd, Spectrum
from model.mixing import excerpt, ideal_binary_mask, noise_gain, power

RESPONSE_POINTS = 8
"""Where a random frequency response is drawn, evenly from 0 Hz up; between them it is interpolated."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Arrays of shape (frames, sequences, features | bins): feature bits, IBM bits, weight of every mask bit."""

    features: Bits
    mask: Bits
    weight: NDArray[np.float32]


class Mixtures:
    """Spectra of a part's speech and noise, and batches drawn from them."""

    def __init__(
        self,
        front_end: FrontEnd,
        speech: Sequence[Signal],
        noise: Mapping[str, Signal],
        speeds: Sequence[float] = (1.0,),
        equaliser_db: float = 0.0,
    ) -> None:
        """Keep the spectra of recordings (samples,); every noise also as it sounds when played at each of `speeds`.

        `equaliser_db` is the spread of the random frequency responses, see `_response`.
        """
        self.front_end = front_end
        self._equaliser_db = equaliser_db
        self._speech = [front_end.stft(utterance) for utterance in speech]
        self._noise = [front_end.stft(_played(noise[name], speed)) for name in sorted(noise) for speed in speeds]
        full = np.full(
            front_end.bins, 2.0, np.float32
        )  # a real signal's spectrum is symmetric: all but two bins count twice
        full[0] = full[-1] = 1.0
        energy = np.sum(np.square(get_window(front_end.window, front_end.fft_size)))
        self._to_power = full / np.float32(front_end.fft_size * energy)

    def _response(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """A smooth random frequency response, shape (bins,): another microphone, another room."""
        points = rng.normal(0.0, self._equaliser_db, RESPONSE_POINTS)
        decibels = np.interp(np.linspace(0, RESPONSE_POINTS - 1, self.front_end.bins), range(RESPONSE_POINTS), points)
        return np.power(10.0, decibels / 20.0).astype(np.float32)

    def _power(self, spectrum: Spectrum) -> float:
        """Mean square of the signal behind a spectrum (Parseval)."""
        return float(np.mean(power(spectrum) @ self._to_power))

    def spectra(
        self, count: int, frames: int, snr_db: tuple[float, float], rng: np.random.Generator
    ) -> tuple[Spectrum, Spectrum]:
        """`count` pairs of speech and noise, each (count, frames, bins), at the front end's level together.

        Every utterance and every noise has the same chance; shorter ones are looped.
        """
        shape = (count, frames, self.front_end.bins)
        speech, noise = np.empty(shape, np.complex64), np.empty(shape, np.complex64)
        for index in range(count):
            clean = excerpt(self._speech[rng.integers(len(self._speech))], frames, rng) * self._response(rng)
            other = excerpt(self._noise[rng.integers(len(self._noise))], frames, rng) * self._response(rng)
            other = other * np.float32(noise_gain(self._power(clean), self._power(other), rng.uniform(*snr_db)))
            level = np.float32(self.front_end.rms / np.sqrt(max(self._power(clean + other), 1e-20)))
            speech[index], noise[index] = level * clean, level * other
        return speech, noise

    def batch(
        self, count: int, frames: int, snr_db: tuple[float, float], loss_power: float, rng: np.random.Generator
    ) -> Batch:
        """`count` fresh mixtures of `frames` frames.

        A wrong mask bit costs ||S|^2 - |N|^2| of error energy. Its weight in the loss is that cost to the power
        of `loss_power` / 2, with mean 1: 2 is the energy itself, 0 the paper's plain mask error.
        """
        speech, noise = self.spectra(count, frames, snr_db, rng)
        features = self.front_end.encode((speech + noise).reshape(count * frames, -1)).reshape(count, frames, -1)
        cost = np.abs(power(speech) - power(noise))
        weight = np.power(cost, loss_power / 2).astype(np.float32)
        weight /= weight.mean()
        mask = ideal_binary_mask(speech, noise)
        return Batch(*(np.ascontiguousarray(array.swapaxes(0, 1)) for array in (features, mask, weight)))


def _played(recording: Signal, speed: float) -> Signal:
    """A recording played `speed` times as fast, pitch included."""
    return recording if speed == 1.0 else soxr.resample(recording, speed, 1.0).astype(np.float32)
