"""Mixtures of speech and noise, and their ideal binary mask."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import Bits
from model.corpora.float_front_end import Spectrum, power
from model.errors import BadInput
from model.reference.audio import Signal

Element = TypeVar("Element", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Mixture:
    """Signals of shape (samples,), scaled alike: `mixture` is `clean` + `noise`."""

    mixture: Signal
    clean: Signal
    noise: Signal


def excerpt(recording: NDArray[Element], length: int, rng: np.random.Generator) -> NDArray[Element]:
    """A stretch of `length` along the first axis from a random place; a shorter recording is looped."""
    if len(recording) < length:
        start = int(rng.integers(len(recording)))
        return recording[np.arange(start, start + length) % len(recording)]
    start = int(rng.integers(len(recording) - length + 1))
    return recording[start : start + length]


def noise_gain(speech_power: float, noise_power: float, snr_db: float) -> float:
    """The gain of the noise for an SNR of `snr_db` decibels; 1 if either power is zero."""
    if speech_power == 0.0 or noise_power == 0.0:
        return 1.0
    return float(np.sqrt(speech_power / noise_power * 10.0 ** (-snr_db / 10.0)))


def mix(speech: Signal, noise: Signal, snr_db: float, rng: np.random.Generator, rms: float = 0.1) -> Mixture:
    """Mix an utterance with a random excerpt of a noise at a signal-to-noise ratio over the whole utterance.

    The noise is looped if it is shorter than the speech. All three signals are scaled so that the
    mixture has `rms`. Raises `BadInput` if either is digital silence.
    """
    cut = excerpt(noise, len(speech), rng).astype(np.float64)
    speech_power, noise_power = float(np.mean(np.square(speech, dtype=np.float64))), float(np.mean(np.square(cut)))
    for what, found in (("speech", speech_power), ("noise", noise_power)):
        if found == 0.0:
            raise BadInput(f"{what}: expected sound to mix, got digital silence")
    scaled = cut * noise_gain(speech_power, noise_power, snr_db)
    total = speech + scaled
    gain = rms / np.sqrt(np.mean(np.square(total)))
    return Mixture(*((gain * signal).astype(np.float32) for signal in (total, speech, scaled)))


def ideal_binary_mask(speech: Spectrum, noise: Spectrum) -> Bits:
    """The IBM of two spectra of the same shape: 1 if |S| > |N|, the speech is louder than the noise, else 0."""
    return (power(speech) > power(noise)).astype(np.uint8)


def gain_targets(speech: Spectrum, noise: Spectrum) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Target gain of every bin, from -1 for 0 to +1 for 1, and the cost of an error: both (..., bins).

    The target is the gain of the Wiener filter. An error of the gain adds error energy in proportion to |S|^2 + |N|^2.
    """
    wanted, total = power(speech), power(speech) + power(noise)
    return 2.0 * wanted / np.maximum(total, np.finfo(np.float32).tiny) - 1.0, total


def mask_targets(speech: Spectrum, noise: Spectrum, bits: int) -> tuple[Bits, NDArray[np.float32]]:
    """The target of every mask bit, and the cost of a wrong one: both (..., bins * bits).

    With the gain W = |S|^2 / (|S|^2 + |N|^2) of the Wiener filter, bit k of a bin is 1 if W is above (2 k + 1) / (2
    bits), which rounds W to the mask's levels. A wrong bit changes the gain by 1 / bits and adds error energy in
    proportion to (|S|^2 + |N|^2) |W - (2 k + 1) / (2 bits)|, which is the cost. One bit is the IBM.
    """
    wanted, total = power(speech)[..., None], (power(speech) + power(noise))[..., None]
    edges = (2 * np.arange(bits, dtype=np.float32) + 1) / (2 * bits)
    excess = wanted - total * edges
    shape = (*speech.shape[:-1], -1)
    return (excess > 0).astype(np.uint8).reshape(shape), np.abs(excess).reshape(shape)
