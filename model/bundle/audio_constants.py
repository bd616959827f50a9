"""Constants of the audio path, for the reference and for the ROMs of the hardware.

Angles are in steps of 2 pi / N. See docs/exact-meaning.md, rules 12 and 13.
"""

import math

import numpy as np
from numpy.typing import NDArray

from model.bundle.front_end import FrontEnd
from model.errors import BadInput

__all__ = [
    "attenuation_floor",
    "cosine_table",
    "gain_limits",
    "key_thresholds",
    "output_scale",
    "quarter_cosine",
    "threshold_keys",
]


def quarter_cosine(fft_size: int, table_bits: int) -> list[int]:
    """c(0) to c(N/4): the N/4 + 1 words `floor(2^T cos(2 pi j / N) + 1/2)`; the first is 2^T, the last 0."""
    scale, quarter = 2**table_bits, fft_size // 4
    inner = [math.floor(scale * math.cos(2 * math.pi * j / fft_size) + 0.5) for j in range(1, quarter)]
    return [scale, *inner, 0]


def cosine_table(fft_size: int, table_bits: int) -> NDArray[np.int64]:
    """c(0) to c(N - 1) from the quarter by symmetry, int64; s(j) is c(j - N/4)."""
    quarter = quarter_cosine(fft_size, table_bits)
    half = [*quarter, *(-value for value in quarter[-2::-1])]
    return np.array([*half, *half[-2:0:-1]], dtype=np.int64)


def gain_limits(front_end: FrontEnd) -> list[int]:
    """C_n for n = 1 to `gain_frames`: the power sum over n frames at which the exponent becomes 0, as a logarithm.

    Each is `floor(log2 C) 2^p + mantissa`. The mantissa of p bits is rounded to nearest and may carry;
    `C_n = n 2^(28 + 2 f) (3 N / 8) rms^2 sqrt(1/2)`.
    """
    one = 2.0 ** (28 + 2 * front_end.fraction_bits) * 3 * front_end.fft_size / 8 * front_end.rms**2 * math.sqrt(0.5)
    return [_logarithm(n * one, front_end.mantissa_bits) for n in range(1, front_end.gain_frames + 1)]


def _logarithm(value: float, mantissa_bits: int) -> int:
    fraction, exponent = math.frexp(value)  # fraction from 1/2 to 1
    return ((exponent - 1) << mantissa_bits) + math.floor((2 * fraction - 1) * 2**mantissa_bits + 0.5)


def output_scale(front_end: FrontEnd) -> tuple[int, int]:
    """(K, r) that divide the overlap-add's sum by g = 12 m 2^f: `(acc K / 2^T) / 2^r`, rounded twice.

    r is floor(log2 g); `K = floor(2^(T + r) / g + 1/2)` has T or T + 1 bits.
    """
    divisor = 12 * front_end.path_gain * 2**front_end.fraction_bits
    shift = divisor.bit_length() - 1
    return ((2 << (front_end.table_bits + shift)) // divisor + 1) // 2, shift


def gain_coefficients(front_end: FrontEnd) -> NDArray[np.int64]:
    """G, in units of 2^-T: the gain of a bin whose mask units add up to 0, 1, ... `largest_gain`.

    `floor(g 2^T / largest_gain + 1/2)`. Only for masks of integers; bits are counted instead.
    """
    most = front_end.largest_gain
    sums = np.arange(most + 1, dtype=np.int64)
    return ((sums << (front_end.table_bits + 1)) + most) // (2 * most)


def attenuation_floor(limit: float | None, front_end: FrontEnd) -> int:
    """F: what a mask bit of 0 counts, in units of 2^-T, so that no bin is attenuated by more than `limit` decibels.

    `floor(2^T 10^(-limit/20) + 1/2)`, T bits; 0 without a limit. Raises `BadInput` for a limit that isn't positive, or
    so near to 0 dB that F would be 2^T.
    """
    if limit is None:
        return 0
    one = 2**front_end.table_bits
    if not limit > 0 or (floor := math.floor(one * 10 ** (-limit / 20) + 0.5)) == one:
        raise BadInput(f"limit: expected more than 0 dB of attenuation, got {limit:g}")
    return floor


def threshold_keys(thresholds: NDArray[np.float32], fraction_bits: int, mantissa_bits: int) -> NDArray[np.int32]:
    """Magnitudes |X| (full scale 1, any shape) to keys: the logarithm of `(threshold 2^(15 + f + 1))^2`.

    A key is `bit length 2^p + mantissa`. The mantissa of p bits is rounded to nearest and may carry. A threshold of 0
    has key 0; all others are clipped to 1 ... 2^(p + 7) - 1, beyond any bin's key. Exact: the square of a float32 fits
    in float64.
    """
    fraction, length = np.frexp(np.square(np.ldexp(thresholds.astype(np.float64), 16 + fraction_bits)))
    mantissa = np.floor(np.ldexp(2 * fraction - 1, mantissa_bits) + 0.5).astype(np.int64)
    keys = np.clip((length.astype(np.int64) << mantissa_bits) + mantissa, 1, 2 ** (mantissa_bits + 7) - 1)
    return np.where(thresholds == 0, 0, keys).astype(np.int32)


def key_thresholds(keys: NDArray[np.int32], fraction_bits: int, mantissa_bits: int) -> NDArray[np.float32]:
    """The inverse of `threshold_keys`: magnitudes with these keys."""
    length, mantissa = np.divmod(keys, 2**mantissa_bits)
    power = np.ldexp((1 + mantissa / 2**mantissa_bits), length - 1)
    thresholds = np.ldexp(np.sqrt(power), -16 - fraction_bits)
    return np.where(keys == 0, 0, thresholds).astype(np.float32)
