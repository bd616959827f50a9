"""From samples to spectrum and features, in integers (docs/exact-meaning.md, rule 12).

Every function works on a block of frames, int64, a frame per row. Gateware is tested against these stages:
`window` -> `powers`, `SlowGain` -> `transform` -> `split` -> `power_keys` -> `feature_bits` or `levels`.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from model.bundle.audio_constants import cosine_table, gain_limits
from model.bundle.audio_widths import widths
from model.bundle.bits import Bits
from model.bundle.front_end import FrontEnd
from model.reference.fft import fft
from model.reference.fixed_point import Complex, Integers, bit_length, rounded

__all__ = [
    "SILENCE",
    "Analysis",
    "Features",
    "Framer",
    "SlowGain",
    "feature_bits",
    "levels",
    "power_keys",
    "powers",
    "split",
    "transform",
    "window",
]

Samples = NDArray[np.int16]
Features = NDArray[Any]
"""Bits 0 and 1, uint8, or levels, int8."""

SILENCE = -60
"""The gain's exponent while there has been no power at all."""

NEVER = np.int32(np.iinfo(np.int32).min)
"""Below every other level: an empty bin's, which only a threshold of 0 is reached by."""


class Framer:
    """Samples in pieces to frames: frame t holds the last N samples once (t + 1) hops have come, zeros before."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._size, self._hop = front_end.fft_size, front_end.hop
        self._pending = np.zeros(self._size - self._hop, np.int16)

    def __call__(self, samples: Samples) -> Integers:
        """The frames (frames, N) that these samples complete, oldest sample first."""
        pending = np.concatenate([self._pending, samples])
        count = max(0, (len(pending) - self._size) // self._hop + 1)
        self._pending = pending[count * self._hop :]
        if count == 0:
            return np.zeros((0, self._size), np.int64)
        return sliding_window_view(pending, self._size)[:: self._hop][:count].astype(np.int64)


def window(frames: Integers, front_end: FrontEnd) -> Integers:
    """Samples (frames, N) times the Hann window and 2^f: `b = sample 2^(f-1)`, `x = b - rnd(b c(n))`."""
    b = frames << (front_end.fraction_bits - 1)
    return b - rounded(b * cosine_table(front_end.fft_size, front_end.table_bits), front_end.table_bits)


def powers(x: Integers) -> Integers:
    """Q = sum over n of `x (x >> 2)`, (frames,), of windowed samples (frames, N)."""
    return np.einsum("tn,tn->t", x, x >> 2)


class SlowGain:
    """The gain's exponent from frame to frame.

    S is the sum of Q over the first `gain_frames` (G) frames; from then on `S = S - ((S + G - 1) >> log2 G) + Q`, which
    reaches 0 in silence. With n = min(t + 1, G), `e = floor(log2 S) - E(C_n) - [mantissa of S < that of C_n]`, both
    mantissas of p bits, that of S cut off; `SILENCE` where S is 0.
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self._limits, self._bits = gain_limits(front_end), front_end.mantissa_bits
        self._frames, self._seen, self._sum = front_end.gain_frames, 0, 0

    def __call__(self, powers: Integers) -> Integers:
        """The exponents e of the next frames, (frames,), from their Q."""
        return np.array([self._next(power) for power in powers.tolist()], dtype=np.int64)

    def _next(self, power: int) -> int:
        if self._seen == self._frames:
            self._sum -= -(-self._sum // self._frames)
        self._seen = min(self._seen + 1, self._frames)
        self._sum += power
        if self._sum == 0:
            return SILENCE
        exponent, one = self._sum.bit_length() - 1, 1 << self._bits
        mantissa = ((self._sum << self._bits) >> exponent) - one
        limit, below = divmod(self._limits[self._seen - 1], one)
        return exponent - limit - (mantissa < below)


def transform(x: Integers, front_end: FrontEnd) -> Complex:
    """Z, (frames, M), natural order: the FFT of `z[j] = x[2j] + i x[2j+1]`, j = 0 to M - 1 = N/2 - 1."""
    pairs = Complex(np.ascontiguousarray(x[:, 0::2].T), np.ascontiguousarray(x[:, 1::2].T))
    found = fft(pairs, cosine_table(front_end.fft_size, front_end.table_bits), front_end.table_bits)
    return Complex(found.re.T, found.im.T)


def split(z: Complex, front_end: FrontEnd) -> Complex:
    """Y, (frames, bins), the real signal's spectrum times 2^(f+1), from Z (frames, M).

    For k = 0 to M/2, A = Z[k], B = Z[-k mod M], P = A + B*, D = A - B*:
    `t = (rnd(c Di - s Dr), rnd(-c Dr - s Di))` with c, s of angle k; `Y[k] = P + t`, `Y[M-k] = (P - t)*`. At k = M/2
    both are the same bin: `P + t` is its value.
    """
    size, bits = front_end.fft_size, front_end.table_bits
    half, table = size // 2, cosine_table(size, bits)
    k = np.arange(half // 2 + 1)
    c, s = table[k][:, None], table[k - size // 4][:, None]
    zr, zi = z.re.T, z.im.T
    ar, ai, br, bi = zr[k], zi[k], zr[-k % half], zi[-k % half]
    pr, pi, dr, di = ar + br, ai - bi, ar - br, ai + bi
    tr, ti = rounded(c * di - s * dr, bits), rounded(-c * dr - s * di, bits)
    re, im = (np.empty((half + 1, zr.shape[1]), np.int64) for _ in range(2))
    re[half - k], im[half - k] = pr - tr, ti - pi
    re[k], im[k] = pr + tr, pi + ti
    return Complex(re.T, im.T)


def power_keys(y: Complex, front_end: FrontEnd) -> Integers:
    """The key of every bin's power, (frames, bins): a logarithm to base 2; 0 where q is 0.

    `a, b = |Re| << 2, |Im| << 2`, both shifted right by the least r with a, b < 2^17; `q = a (a >> 2) + b (b >> 2)`;
    the key is `(bit length of q - 2 + 2 r) 2^p +` the p bits of q below its leading one.
    """
    p, limit = front_end.mantissa_bits, widths(front_end).magnitude
    a, b = np.abs(y.re) << 2, np.abs(y.im) << 2
    r = np.maximum(0, bit_length(a | b) - limit)
    a, b = a >> r, b >> r
    q = a * (a >> 2) + b * (b >> 2)
    length = bit_length(q)
    below = ((q << p) >> np.maximum(length - 1, 0)) - (1 << p)
    return np.where(q == 0, 0, ((length - 2 + 2 * r) << p) + below)


def feature_bits(keys: Integers, exponents: Integers, front_end: FrontEnd) -> Bits:
    """Feature bits (frames, features) from the bins' keys (frames, bins) and the gain's exponents (frames,).

    A threshold is reached where its key is 0, or the bin's key is not 0 and at least the threshold's + e 2^p.
    """
    level = np.where(keys == 0, NEVER, keys - (exponents[:, None] << front_end.mantissa_bits)).astype(np.int32)
    thresholds = np.where(front_end.keys == 0, NEVER, front_end.keys)
    if front_end.code == "thermometer":
        bits = np.empty((*keys.shape, front_end.bits), np.uint8)
        for step in range(front_end.bits):
            np.greater_equal(level, thresholds[:, step], out=bits[..., step].view(bool))
    else:
        count = np.zeros(keys.shape, np.uint8)
        for step in range(thresholds.shape[1]):
            count += level >= thresholds[:, step]
        bits = (count[..., None] >> np.arange(front_end.bits - 1, -1, -1, dtype=np.uint8)) & np.uint8(1)
    return bits.reshape(len(keys), front_end.features)


def levels(keys: Integers, exponents: Integers, front_end: FrontEnd) -> NDArray[np.int8]:
    """Levels (frames, bins) from the bins' keys (frames, bins) and the gain's exponents (frames,).

    With b = `feature_bits`: `(key - e 2^p - k) >> (p + 4 - b)`, clipped to 0 ... 2^b - 1, minus 2^(b-1).
    """
    p, b = front_end.mantissa_bits, front_end.feature_bits
    above = keys - (exponents[:, None] << p) - front_end.keys[:, 0]
    level = np.clip(above >> (p + 4 - b), 0, 2**b - 1)
    return (np.where(keys == 0, 0, level) - 2 ** (b - 1)).astype(np.int8)


class Analysis:
    """Samples in pieces of any length to spectra and features, with the state that goes on between pieces."""

    def __init__(self, front_end: FrontEnd) -> None:
        front_end.check()
        self._front_end, self._framer, self._gain = front_end, Framer(front_end), SlowGain(front_end)

    def __call__(self, samples: Samples) -> tuple[Complex, Features]:
        """Y (frames, bins) and features (frames, features) of the frames that these samples complete."""
        x = window(self._framer(samples), self._front_end)
        y = split(transform(x, self._front_end), self._front_end)
        encode = levels if self._front_end.code == "level" else feature_bits
        return y, encode(power_keys(y, self._front_end), self._gain(powers(x)), self._front_end)
