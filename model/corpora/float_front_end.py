"""The front end in floating point, for training and pictures; a bundle's uses integers (`model.reference`).

STFT, a slow gain, then quantisation-and-dispersion (QaD, Kim and Smaragdis 2018): each bin's magnitude becomes a code
word, and feature `bin * bits + bit` is one of its bits. Nothing here needs torch.

The gain follows the mean power of the frames so far (later of about the last `gain_frames`). It is a power of two on
|X|^2, exact in floating point, and brings a recording within 1.5 dB of `rms` without look-ahead.

`FloatFrontEnd.to_integers` makes the bundle's front end. About one in a thousand of its feature bits differs; its
frames are the same.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.signal import ShortTimeFFT, get_window

from model.bundle.audio_constants import key_thresholds, threshold_keys
from model.bundle.front_end import WINDOW, WORD_LENGTHS, FrontEnd, bits_of, unit_gain
from model.errors import BadInput
from model.reference.analysis import Features
from model.reference.audio import Signal
from model.reference.synthesis import Mask

__all__ = ["EXPONENTS", "FloatFrontEnd", "SlowGain", "Spectrum", "power"]

Spectrum = NDArray[np.complex64]

EXPONENTS = 60
"""Largest exponent of the gain, up or down: 180 dB. Digital silence stays there."""


@dataclass(frozen=True, eq=False)
class FloatFrontEnd:
    """Everything between samples and features.

    `thresholds`, shape (bins, levels - 1), float32 magnitudes, non-decreasing along a row: a bin's level
    is the number of thresholds that its magnitude reaches (`|X| >= threshold`, compared as squares). The `code` turns
    it into bits: natural `binary`, most significant bit first (2**bits levels, the paper's), or `thermometer`, a
    bit for each threshold, lowest first (bits + 1 levels), which weights of -1, 0 and +1 can add up.
    `level` is one integer of `feature_bits` bits instead: 48 dB from the bin's threshold on (rule 12.10).
    A mask has `mask_bits` units per bin, all of equal value: units `bin * mask_bits` and up together give its gain. A
    unit is a bit, or an integer of `gain_bits` bits.
    `rms` is the level, as a signal's root mean square, that the slow gain brings a recording to; `gain_frames` is the
    number of frames that the gain averages over.
    """

    sample_rate: int
    fft_size: int
    hop: int
    window: str
    rms: float
    thresholds: NDArray[np.float32]
    gain_frames: int = 64
    code: str = "binary"
    mask_bits: int = 1
    feature_bits: int = 1
    gain_bits: int = 1

    @property
    def bins(self) -> int:
        """Frequency bins of one frame: `fft_size // 2 + 1`."""
        return self.fft_size // 2 + 1

    @property
    def bits(self) -> int:
        """Feature bits per bin."""
        return self.feature_bits if self.code == "level" else bits_of(self.code, self.thresholds.shape[1])

    @property
    def features(self) -> int:
        """Features of one frame: `bins * bits` bits, or a level per bin."""
        return self.bins * self.bits // self.feature_bits

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    @cached_property
    def transform(self) -> ShortTimeFFT:
        """Window, dual window, hop and frames in SciPy's terms."""
        return ShortTimeFFT.from_window(
            self.window,
            fs=self.sample_rate,
            nperseg=self.fft_size,
            noverlap=self.fft_size - self.hop,
            symmetric_win=False,
        )

    def check_window(self) -> None:
        """Refuse a window that SciPy doesn't know, or one that has no inverse at this hop."""
        try:
            _ = self.transform.dual_win
        except ValueError as error:
            raise BadInput(
                f"front_end.window: expected one of SciPy's that a hop of {self.hop} allows to undo, "
                f"got {self.window!r} ({error})"
            ) from None

    def hear(self, recording: Signal) -> Features:
        """Recording (samples,) of any level to features (frames, features), the input of a network."""
        heard = power(self.stft(recording))
        return self.encode(heard, SlowGain(self).exponents(heard))

    @classmethod
    def of(cls, front_end: FrontEnd) -> "FloatFrontEnd":
        """A bundle's front end in floating point, with the thresholds of its keys."""
        it = front_end
        thresholds = key_thresholds(it.keys, it.fraction_bits, it.mantissa_bits)
        return cls(
            it.sample_rate,
            it.fft_size,
            it.hop,
            WINDOW,
            it.rms,
            thresholds,
            it.gain_frames,
            it.code,
            it.mask_bits,
            it.feature_bits,
            it.gain_bits,
        )

    def to_integers(self, words: tuple[int, int, int] = WORD_LENGTHS[0]) -> FrontEnd:
        """The front end of a bundle; `words` are its word lengths.

        Raises `BadInput` unless the window is Hann and the hop a quarter of it.
        """
        keys = threshold_keys(self.thresholds, *words[1:])
        found = FrontEnd(
            self.sample_rate,
            self.fft_size,
            self.rms,
            keys,
            self.gain_frames,
            self.code,
            self.mask_bits,
            *words,
            self.feature_bits,
            self.gain_bits,
        )
        if (self.window, self.hop) != (WINDOW, found.hop):
            raise BadInput(
                f"front end: expected a {WINDOW} window and a hop of a quarter of it ({found.hop}) in a bundle, "
                f"got {self.window} and {self.hop}"
            )
        return found

    def frames(self, samples: int) -> int:
        """Frames of so many samples: those whose window is not 0 on all of them."""
        return self.transform.p_max(samples) - self.transform.p_min

    def stft(self, signal: Signal) -> Spectrum:
        """Signal (samples,) to spectrum (frames, bins): the frames of SciPy's `ShortTimeFFT`.

        Raises `BadInput` for a signal shorter than half a window.
        """
        transform = self.transform
        hop, size, middle = transform.hop, transform.m_num, transform.m_num_mid
        if len(signal) < size - middle:
            raise BadInput(f"recording: expected at least {size - middle} samples (half a window), got {len(signal)}")
        before = middle - transform.p_min * hop
        frames = self.frames(len(signal))
        samples = (frames - 1) * hop + size
        padded = np.pad(signal, (before, max(0, samples - before - len(signal))))[:samples].astype(np.float32)
        windowed = sliding_window_view(padded, size)[::hop] * transform.win
        return rfft(np.roll(windowed, -middle, axis=1)).astype(np.complex64)

    def istft(self, spectrum: Spectrum, samples: int) -> Signal:
        """Spectrum (frames, bins) back to a signal of `samples` samples, by the canonical dual window."""
        transform = self.transform
        hop, size = transform.hop, transform.m_num
        overlap = -(-size // hop)  # frames that contain a sample
        frames = np.zeros((len(spectrum), overlap * hop))
        frames[:, :size] = np.roll(irfft(spectrum, n=size), transform.m_num_mid, axis=1) * transform.dual_win
        sums = np.zeros((len(spectrum) + overlap - 1, hop))
        for part in reversed(range(overlap)):
            sums[part : part + len(spectrum)] += frames[:, part * hop : (part + 1) * hop]
        before = transform.m_num_mid - transform.p_min * hop
        return sums.ravel()[before : before + samples].astype(np.float32)

    def encode(self, power: NDArray[np.float32], exponents: NDArray[np.int32]) -> Features:
        """|X|^2 (..., bins) and the gain's exponents (...) to features (..., features): bits 0 or 1, or levels."""
        level = np.ldexp(power, -exponents[..., None])
        squared = np.square(self.thresholds)
        if self.code == "level":
            steps = (_logarithm(level) - _logarithm(squared[:, 0])) * 2.0 ** (self.feature_bits - 4)
            found = np.clip(np.floor(steps), 0, 2**self.feature_bits - 1) - 2 ** (self.feature_bits - 1)
            return found.astype(np.int8)
        if self.code == "thermometer":
            bits = np.empty((*power.shape, self.bits), dtype=np.uint8)
            for step in range(self.bits):
                np.greater_equal(level, squared[:, step], out=bits[..., step].view(bool))
        else:
            count = np.zeros(power.shape, dtype=np.uint8)
            for step in range(squared.shape[1]):
                count += level >= squared[:, step]
            shifts = np.arange(self.bits - 1, -1, -1, dtype=np.uint8)
            bits = (count[..., None] >> shifts) & np.uint8(1)
        return bits.reshape(*power.shape[:-1], self.features)

    def gains(self, mask: Mask) -> NDArray[np.float32]:
        """The gain of each bin, (frames, bins), from masks (frames, bins * mask_bits); the largest is 1.

        One bit drops or keeps a bin; m bits have m + 1 levels, evenly from 0 to 1.
        """
        share = mask.reshape(len(mask), self.bins, self.mask_bits).mean(axis=-1, dtype=np.float32)
        return share / np.float32(unit_gain(self.gain_bits))


class SlowGain:
    """The gain over one recording, or several of equal length at once.

    With P the mean square of a frame's signal, m is the mean of the first n of P, and from n = `gain_frames` on
    m + (P - m) / `gain_frames`. The exponent is log2(m / rms^2), rounded: |X|^2 is divided by two to its power.
    """

    def __init__(self, front_end: FloatFrontEnd) -> None:
        energy = np.sum(np.square(get_window(front_end.window, front_end.fft_size)))
        share = np.full(front_end.bins, 2.0)  # a real signal's spectrum is symmetric: all but two bins count twice
        share[0] = share[-1 if front_end.fft_size % 2 == 0 else 0] = 1.0
        self.to_power = share / (front_end.fft_size * energy)
        self._target, self._frames = front_end.rms**2, front_end.gain_frames
        self._seen, self._mean = 0, np.zeros(())

    def exponents(self, power: NDArray[np.float32]) -> NDArray[np.int32]:
        """The next ones, int32 (frames,) or (frames, sequences), for |X|^2 with bins as its last axis."""
        means = np.empty(power.shape[:-1])
        # Not a matrix product: its order of summation may depend on the number of frames.
        for index, now in enumerate(np.sum(np.multiply(power, self.to_power, order="C"), axis=-1)):
            self._seen = min(self._seen + 1, self._frames)
            self._mean = self._mean + (now - self._mean) / self._seen
            means[index] = self._mean
        fraction, exponents = np.frexp(np.clip(means / self._target, 2.0**-EXPONENTS, 2.0**EXPONENTS))
        return np.subtract(exponents, fraction < np.sqrt(0.5), dtype=np.int32)  # fraction * 2**exponent, from 1/2 to 1


def _logarithm(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Logarithm to base 2, linear between powers of two, like the keys; of 0, far below all others."""
    fraction, exponent = np.frexp(values.astype(np.float64))
    return np.where(values == 0, -4096.0, exponent + 2 * fraction)


def power(spectrum: Spectrum) -> NDArray[np.float32]:
    """|X|^2 of a spectrum of any shape; unlike |X| it takes no square root."""
    result: NDArray[np.float32] = np.square(spectrum.real) + np.square(spectrum.imag)
    return result
