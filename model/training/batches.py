"""Fresh training mixtures: random excerpts, augmented and mixed in the time domain, then transformed.

Recordings stay in memory as samples. Every mixture draws its own excerpts, filters, room, level and signal-to-noise
ratio, so no two batches are alike. Every sequence of a batch has its own random generator, so several processes can
make a batch in parts with the same result.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from model.corpora.corpus import kind
from model.corpora.float_front_end import FloatFrontEnd, SlowGain, Spectrum, power
from model.corpora.mixing import Element, excerpt, gain_targets, mask_targets, noise_gain
from model.reference.analysis import Features
from model.reference.audio import Signal

RESPONSE_POINTS = 8
"""Points of a random frequency response, evenly from 0 Hz up; between them it is interpolated."""

COMPRESSION = 0.3
"""Exponent of the magnitudes that are the input of a network with real-valued inputs."""

SECOND_NOISE_DB = 10.0
"""A second noise is softer than the first by up to this much, decibels."""

CLIPPING = (0.3, 0.9)
"""Range of the clipping level, as a share of the mixture's peak."""


@dataclass(frozen=True)
class Augmentation:
    """The augmentation of recordings in a mixture. Shares are probabilities per mixture.

    Recordings are played at one of the speeds, pitch included. `equaliser_db` is the spread of the random frequency
    responses of speech and of noise. `reverberant` is the share of speech in a room, `synthetic` the share of
    noises that are synthetic, `second_noise` that of mixtures with two noises, `clean` and `pure_noise` those of
    mixtures without noise and without speech, `clipped` that of mixtures beyond a recorder's full scale.
    """

    speech_speeds: Sequence[float] = (1.0,)
    noise_speeds: Sequence[float] = (1.0,)
    equaliser_db: float = 0.0
    reverberant: float = 0.0
    synthetic: float = 0.0
    second_noise: float = 0.0
    clean: float = 0.0
    pure_noise: float = 0.0
    clipped: float = 0.0


AS_RECORDED = Augmentation()
"""No augmentation."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Arrays of shape (frames, sequences, ...): a network's input and targets.

    `features` (..., features) go in; `mask` (..., bins * mask bits) is the target, bits 0 and 1 or gains from -1 to
    +1, each with its `weight`; `mixture`, `speech` and `common` (..., bins) are |X|^2, |S|^2 and Re(X* S).
    """

    features: Features
    mask: NDArray[Any]
    weight: NDArray[np.float32]
    mixture: NDArray[np.float32]
    speech: NDArray[np.float32]
    common: NDArray[np.float32]


class Noises:
    """Noises to draw from: every kind is equally likely, then every recording of it."""

    def __init__(self, noises: Mapping[str, Signal], speeds: Sequence[float] = (1.0,)) -> None:
        self._kinds: dict[str, list[Signal]] = {}
        for name in sorted(noises):
            self._kinds.setdefault(kind(name), []).extend(_played(noises[name], speed) for speed in speeds)
        self._recordings = list(self._kinds.values())

    def draw(self, samples: int, rng: np.random.Generator) -> Signal:
        """An excerpt of so many samples; a shorter recording is looped."""
        recordings = self._recordings[rng.integers(len(self._recordings))]
        return excerpt(recordings[rng.integers(len(recordings))], samples, rng)


class Mixtures:
    """A part's recordings, and batches of mixtures drawn from them."""

    def __init__(
        self,
        front_end: FloatFrontEnd,
        speech: Sequence[Signal],
        noise: Mapping[str, Signal],
        augmentation: Augmentation = AS_RECORDED,
        synthetic: Mapping[str, Signal] | None = None,
        rooms: Sequence[Signal] = (),
        magnitudes: bool = False,
    ) -> None:
        """Keep recordings (samples,), synthetic noises and impulse responses of rooms.

        Features are the front end's bits or, for a network that isn't bitwise, `magnitudes`.
        """
        self.front_end, self._magnitudes, self._augmentation = front_end, magnitudes, augmentation
        self._speech = [_played(utterance, speed) for utterance in speech for speed in augmentation.speech_speeds]
        self._noise = Noises(noise, augmentation.noise_speeds)
        self._synthetic = Noises(synthetic) if synthetic else None
        self._rooms = list(rooms)
        transform = front_end.transform
        self._edge = -(-transform.m_num_mid // front_end.hop)  # frames whose window begins before the excerpt
        self._skip = self._edge - transform.p_min

    def _filtered(self, signal: Signal, room: Signal | None, rng: np.random.Generator) -> Signal:
        """A signal in a room, through a smooth random frequency response like that of another microphone."""
        size = next_fast_len(len(signal) + (0 if room is None else len(room)), real=True)
        spectrum = rfft(signal, size)
        if self._augmentation.equaliser_db:
            points = rng.normal(0.0, self._augmentation.equaliser_db, RESPONSE_POINTS)
            decibels = np.interp(np.linspace(0, RESPONSE_POINTS - 1, len(spectrum)), range(RESPONSE_POINTS), points)
            spectrum *= np.power(10.0, decibels / 20.0).astype(np.float32)
        if room is not None:
            spectrum *= rfft(room, size)
        filtered: Signal = irfft(spectrum, size)[: len(signal)]
        return filtered

    def _one_noise(self, samples: int, rng: np.random.Generator) -> Signal:
        synthetic = self._synthetic is not None and rng.random() < self._augmentation.synthetic
        source = self._synthetic if synthetic and self._synthetic is not None else self._noise
        return self._filtered(source.draw(samples, rng), None, rng)

    def _pair(self, samples: int, snr_db: tuple[float, float], rng: np.random.Generator) -> tuple[Signal, Signal]:
        """Speech and noise (samples,), whose sum is the mixture at the front end's level."""
        how = self._augmentation
        content = rng.random()
        room = self._rooms[rng.integers(len(self._rooms))] if self._rooms and rng.random() < how.reverberant else None
        speech = self._filtered(excerpt(self._speech[rng.integers(len(self._speech))], samples, rng), room, rng)
        noise = self._one_noise(samples, rng)
        if rng.random() < how.second_noise:
            other = self._one_noise(samples, rng)
            gain = noise_gain(_power(noise), _power(other), rng.uniform(0.0, SECOND_NOISE_DB))
            noise = noise + np.float32(gain) * other
        noise = noise * np.float32(noise_gain(_power(speech), _power(noise), rng.uniform(*snr_db)))
        if content < how.clean:
            noise = np.zeros_like(noise)
        elif content < how.clean + how.pure_noise:
            speech = np.zeros_like(speech)
        mixture = speech + noise
        if rng.random() < how.clipped:
            limit = rng.uniform(*CLIPPING) * np.max(np.abs(mixture))
            noise = np.clip(mixture, -limit, limit) - speech  # the distortion counts as noise
        level = np.float32(self.front_end.rms / np.sqrt(max(_power(speech + noise), 1e-20)))
        return level * speech, level * noise

    def spectra(
        self, frames: int, snr_db: tuple[float, float], sources: Sequence[np.random.Generator]
    ) -> tuple[Spectrum, Spectrum]:
        """A pair of speech and noise from each source, (sequences, frames, bins), at the front end's level together.

        Frames are as in the middle of a recording: none includes the excerpt's edges.
        """
        front_end = self.front_end
        before = front_end.transform.m_num_mid
        samples = (frames - 1 + self._edge) * front_end.hop + front_end.fft_size - before
        shape = (len(sources), frames, front_end.bins)
        speech, noise = np.empty(shape, np.complex64), np.empty(shape, np.complex64)
        for index, rng in enumerate(sources):
            for into, signal in zip((speech, noise), self._pair(samples, snr_db, rng), strict=True):
                into[index] = front_end.stft(signal)[self._skip : self._skip + frames]
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

        The weight of a mask bit or a gain in the loss is the cost of a wrong one (`mixing.mask_targets`) to the power
        of `loss_power` / 2, with mean 1 over the mixture: 2 is error energy, 0 the paper's plain mask error.
        """
        speech, noise = self.spectra(frames, snr_db, sources)
        mixture = speech + noise
        features = self.features(mixture, np.array([rng.uniform(-level_db, level_db) for rng in sources]))
        bits = self.front_end.gain_bits == 1
        mask: NDArray[Any]
        mask, cost = mask_targets(speech, noise, self.front_end.mask_bits) if bits else gain_targets(speech, noise)
        weight = np.power(cost, loss_power / 2).astype(np.float32)
        weight /= np.maximum(weight.mean(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)  # silence weighs 0
        energies = (power(mixture), power(speech), (mixture.conj() * speech).real)
        return Batch(features, _time_first(mask), _time_first(weight), *map(_time_first, energies))

    def features(self, mixture: Spectrum, level_db: NDArray[np.float64]) -> Features:
        """A network's input from mixtures (sequences, frames, bins), turned up by `level_db` decibels each."""
        gain = np.power(10.0, level_db / 10.0).astype(np.float32)
        heard = np.ascontiguousarray((power(mixture) * gain[:, None, None]).swapaxes(0, 1))
        return features(self.front_end, heard, self._magnitudes)


def features(front_end: FloatFrontEnd, heard: NDArray[np.float32], magnitudes: bool = False) -> Features:
    """A network's input from |X|^2, (frames, bins) or (frames, sequences, bins), starting at the first frame.

    The front end's features, or magnitudes compressed by `COMPRESSION`, one per bin.
    """
    exponents = SlowGain(front_end).exponents(heard)
    if magnitudes:
        return np.power(np.ldexp(heard, -exponents[..., None]), COMPRESSION / 2)
    return front_end.encode(heard, exponents)


def _time_first(values: NDArray[Element]) -> NDArray[Element]:
    return np.ascontiguousarray(values.swapaxes(0, 1))


def _power(signal: Signal) -> float:
    return float(np.mean(np.square(signal, dtype=np.float64)))


def _played(recording: Signal, speed: float) -> Signal:
    """A recording played `speed` times as fast, pitch included."""
    return recording if speed == 1.0 else soxr.resample(recording, speed, 1.0).astype(np.float32)
