"""Parameters of the front end: from samples to features, and from the mask to samples.

docs/exact-meaning.md, rules 12 and 13, define the arithmetic, and `model.reference` computes it. Its constants are in
`model.bundle.audio_constants`, its word lengths in `model.bundle.audio_widths`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.bundle.formats import top
from model.errors import BadInput

__all__ = ["CODES", "LEVEL_BITS", "SIZES", "WINDOW", "WORD_LENGTHS", "FrontEnd", "bits_of", "limits_of", "unit_gain"]

CODES = ("binary", "thermometer", "level")

WINDOW = "hann"
"""The only window: with a hop of a quarter, one cosine table serves the window, its dual and the FFT."""

SIZES = tuple(2**power for power in range(4, 11))
"""FFT sizes: 16 to 1024."""

WORD_LENGTHS = ((15, 2, 10), (17, 4, 10))
"""Choices of (table_bits, fraction_bits, mantissa_bits): small, and one size up."""

LOWEST_RMS = 2.0**-15
MOST_GAIN_FRAMES = 4096
LEVEL_BITS = range(4, 9)
"""Allowed bits of a level with the code `level`."""


def limits_of(code: str, bits: int) -> int:
    """Number of thresholds for a code of `bits` bits; a level has one, where its range begins."""
    return {"thermometer": bits, "binary": 2**bits - 1, "level": 1}[code]


def bits_of(code: str, limits: int) -> int:
    """Bits of a binary or thermometer code with so many thresholds."""
    return limits if code == "thermometer" else (limits + 1).bit_length() - 1


def unit_gain(gain_bits: int) -> int:
    """The largest gain of a mask unit with so many bits."""
    return 1 if gain_bits == 1 else 2 * top(gain_bits)


@dataclass(frozen=True, eq=False)
class FrontEnd:
    """Parameters from samples to features, and from the mask back to samples.

    sample_rate : Hz
    fft_size : N, samples of a Hann window; the hop is N/4
    rms : target level of the slow gain, as the root mean square of a signal of full scale 1
    keys : (bins, limits) int32, the thresholds of each bin as keys (rule 12.8), non-decreasing along a row; key 0 is
        always reached. A bin's level is the number of keys it reaches. With the code `level`: (bins, 1), the key where
        the range of levels begins.
    gain_frames : frames that the slow gain averages over, a power of two
    code : how a level is given: natural `binary`, most significant bit first; `thermometer`, one bit per threshold,
        lowest first; or `level`, one integer
    mask_bits : units of the mask per bin; their sum is the bin's gain
    table_bits : T, fraction bits of the cosine table
    fraction_bits : f, fraction bits that the windowed 16-bit samples get
    mantissa_bits : p, mantissa bits of a key
    feature_bits : bits of one feature: 1, or 4 to 8 with the code `level`
    gain_bits : bits of a mask unit: 1 for a gain of 0 or 1, n for an integer from 0 to 2 top(n)
    """

    sample_rate: int
    fft_size: int
    rms: float
    keys: NDArray[np.int32]
    gain_frames: int = 64
    code: str = "binary"
    mask_bits: int = 1
    table_bits: int = 15
    fraction_bits: int = 2
    mantissa_bits: int = 10
    feature_bits: int = 1
    gain_bits: int = 1

    @property
    def hop(self) -> int:
        """Samples between frames: a quarter of the window."""
        return max(1, self.fft_size // 4)

    @property
    def bins(self) -> int:
        """Frequency bins of one frame: `fft_size // 2 + 1`."""
        return self.fft_size // 2 + 1

    @property
    def bits(self) -> int:
        """Feature bits per bin."""
        return self.feature_bits if self.code == "level" else bits_of(self.code, self.keys.shape[1])

    @property
    def features(self) -> int:
        """Features of one frame: `bins * bits` bits, or one level per bin."""
        return self.bins * self.bits // self.feature_bits

    @property
    def unit_gain(self) -> int:
        """The largest gain of one mask unit."""
        return unit_gain(self.gain_bits)

    @property
    def largest_gain(self) -> int:
        """The largest sum of a bin's units, which leaves it unchanged."""
        return self.mask_bits * self.unit_gain

    @property
    def path_gain(self) -> int:
        """Factor of the back end on a bin that its mask leaves unchanged: the count of bits, or 1 for integers."""
        return self.mask_bits if self.gain_bits == 1 else 1

    @property
    def bin_bits(self) -> int:
        """Bits of the mask for one bin."""
        return self.mask_bits * self.gain_bits

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.hop

    def check(self) -> None:
        """Raise `BadInput` for parameters that rules 12 and 13 do not cover."""
        size, frames, bits = self.fft_size, self.gain_frames, self.bits
        if size not in SIZES:
            raise BadInput(f"front_end.fft_size: expected a power of two from 16 to 1024, got {size}")
        if not (np.isfinite(self.rms) and LOWEST_RMS <= self.rms <= 1):
            raise BadInput(f"front_end.rms: expected a level from 2^-15 to 1 (full scale), got {self.rms}")
        if not 0 < frames <= MOST_GAIN_FRAMES or frames & (frames - 1):
            raise BadInput(f"front_end.gain_frames: expected a power of two from 1 to {MOST_GAIN_FRAMES}, got {frames}")
        if self.code == "level" and bits not in LEVEL_BITS:
            raise BadInput(f"front_end.qad_bits: expected 4 to 8 of a level, got {bits}")
