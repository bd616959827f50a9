"""From a masked spectrum to samples, in integers (docs/exact-meaning.md, rule 13).

Every function works on a block of frames, int64, a frame per row. Gateware is tested against these stages:
`apply_mask` -> `merge` -> `inverse` -> `dual_window` -> `OverlapAdd` -> `output`.
"""

import numpy as np
from numpy.typing import NDArray

from model.bundle.audio_constants import cosine_table, gain_coefficients, output_scale
from model.bundle.front_end import FrontEnd
from model.reference.fft import fft
from model.reference.fixed_point import Complex, Integers, rounded

__all__ = ["Mask", "OverlapAdd", "Synthesis", "apply_mask", "dual_window", "inverse", "merge", "output"]


Mask = NDArray[np.uint8]
"""Gains of the last layer's units, uint8 (frames, units): 0 or 1, or 0 to 2 top(n) for n bits."""


def apply_mask(y: Complex, mask: Mask, front_end: FrontEnd, floor: int = 0) -> Complex:
    """Y (frames, bins) times m times the gain of each bin, from the mask (frames, units).

    Of a bin's m bits, ones count 1 and zeros `floor` / 2^T, with the floor of
    `model.bundle.audio_constants.attenuation_floor`: exact where the floor is 0. A sum of integers has one of
    `gain_coefficients`, and at least the floor; m is 1. The product is rounded once.
    """
    sums = mask.reshape(len(mask), front_end.bins, front_end.mask_bits).sum(axis=-1, dtype=np.int64)
    bits = front_end.table_bits
    if front_end.gain_bits == 1:
        gains = (sums << bits) + (front_end.mask_bits - sums) * floor
    else:
        gains = np.maximum(gain_coefficients(front_end)[sums], floor)
    return Complex(rounded(y.re * gains, bits), rounded(y.im * gains, bits))


def merge(y: Complex, front_end: FrontEnd) -> Complex:
    """Z (frames, M), natural order, from a masked Y (frames, bins): the inverse of `split`, times 4 m.

    For k = 0 to M/2, A = Y[k], B = Y[M-k], P = A + B*, D = A - B*: `t = (rnd(-s Dr - c Di), rnd(c Dr - s Di))` with
    c, s of angle k; `Z[k] = P + t`, `Z[M-k] = (P - t)*` (not at k = 0). At k = M/2 `P + t` is the value.
    """
    size, bits = front_end.fft_size, front_end.table_bits
    half, table = size // 2, cosine_table(size, bits)
    k = np.arange(half // 2 + 1)
    c, s = table[k][:, None], table[k - size // 4][:, None]
    yr, yi = y.re.T, y.im.T
    ar, ai, br, bi = yr[k], yi[k], yr[half - k], yi[half - k]
    pr, pi, dr, di = ar + br, ai - bi, ar - br, ai + bi
    tr, ti = rounded(-s * dr - c * di, bits), rounded(c * dr - s * di, bits)
    re, im = (np.empty((half, yr.shape[1]), np.int64) for _ in range(2))
    re[-k % half], im[-k % half] = pr - tr, ti - pi
    re[k], im[k] = pr + tr, pi + ti
    return Complex(re.T, im.T)


def inverse(z: Complex, front_end: FrontEnd) -> Integers:
    """Samples (frames, N) from Z (frames, M): the same FFT, re and im swapped before and after, halving in each stage.

    The result's real part is sample 2j, the imaginary part sample 2j + 1.
    """
    size, bits = front_end.fft_size, front_end.table_bits
    swapped = Complex(np.ascontiguousarray(z.im.T), np.ascontiguousarray(z.re.T))
    odd, even = fft(swapped, cosine_table(size, bits), bits, halve=True)
    samples = np.empty((len(z.re), size), np.int64)
    samples[:, 0::2], samples[:, 1::2] = even.T, odd.T
    return samples


def dual_window(z: Integers, front_end: FrontEnd) -> Integers:
    """`v = z - rnd(z c(n))`, (frames, N): 3/2 of the dual window; the output scale has the rest."""
    return z - rounded(z * cosine_table(front_end.fft_size, front_end.table_bits), front_end.table_bits)


class OverlapAdd:
    """Frames (frames, N), a hop apart, to their sum, a hop per frame; the first hop is the first frame's alone."""

    def __init__(self, front_end: FrontEnd) -> None:
        self._hop = front_end.hop
        self._tail = np.zeros((3, self._hop), np.int64)

    def __call__(self, v: Integers) -> Integers:
        """The sums that these frames complete, (frames * hop,)."""
        count = len(v)
        sums = np.concatenate([self._tail, np.zeros((count, self._hop), np.int64)])
        for part in range(4):
            sums[part : part + count] += v[:, part * self._hop : (part + 1) * self._hop]
        self._tail = sums[count:]
        return sums[:count].ravel()


def output(sums: Integers, front_end: FrontEnd) -> NDArray[np.int16]:
    """Samples: `sat16((rnd(acc K) + 2^(r-1)) >> r)` with K, r of `output_scale`; the only place that saturates."""
    scale, shift = output_scale(front_end)
    return np.clip(rounded(rounded(sums * scale, front_end.table_bits), shift), -32768, 32767).astype(np.int16)


class Synthesis:
    """Spectra and masks to samples, a hop per frame, with the state that goes on from block to block.

    The first sample out belongs to the first one of frame 0: N - hop samples before the recording. `floor` as in
    `apply_mask`.
    """

    def __init__(self, front_end: FrontEnd, floor: int = 0) -> None:
        front_end.check()
        self._front_end, self._floor, self._add = front_end, floor, OverlapAdd(front_end)

    def __call__(self, y: Complex, mask: Mask) -> NDArray[np.int16]:
        """A hop of samples for every frame, from Y (frames, bins) and the mask (frames, units)."""
        it = self._front_end
        z = inverse(merge(apply_mask(y, mask, it, self._floor), it), it)
        return output(self._add(dual_window(z, it)), it)
