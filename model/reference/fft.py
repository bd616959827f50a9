"""The integer FFT: radix 2, decimation in time, on M = N/2 complex points."""

import numpy as np

from model.reference.fixed_point import Complex, Integers, rounded

__all__ = ["bit_reversal", "fft"]


def bit_reversal(points: int) -> Integers:
    """The order in which `points` (a power of two) are loaded: index with its bits reversed."""
    order = np.zeros(1, np.int64)
    while len(order) < points:
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def fft(points: Complex, cosine: Integers, table_bits: int, halve: bool = False) -> Complex:
    """Sum over j of z[j] exp(-2 pi i j k / M), k in natural order, of (M, frames) in natural order.

    cosine : c(0) to c(N - 1), N = 2M

    Stages of half = 1, 2, 4, ... M/2 butterflies a group. With position pos in 0 ... half - 1, angle
    j = pos N / (2 half), upper point a and lower point b = a's index + half:

        t = (rnd(br c(j) + bi s(j)), rnd(bi c(j) - br s(j)))        a, b = a + t, a - t

    and no scaling, or with `halve` a, b = (a + t + 1) >> 1, (a - t + 1) >> 1 in every stage.
    """
    size, count = points.re.shape
    sine = np.roll(cosine, len(cosine) // 4)
    order = bit_reversal(size)
    re, im = points.re[order], points.im[order]
    half = 1
    while half < size:
        angles = np.arange(half) * (len(cosine) // (2 * half))
        c, s = cosine[angles][:, None], sine[angles][:, None]
        r, i = (part.reshape(size // (2 * half), 2, half, count) for part in (re, im))
        ar, br, ai, bi = r[:, 0], r[:, 1], i[:, 0], i[:, 1]
        tr, ti = rounded(br * c + bi * s, table_bits), rounded(bi * c - br * s, table_bits)
        re, im = np.empty_like(r), np.empty_like(i)
        re[:, 0], re[:, 1], im[:, 0], im[:, 1] = ar + tr, ar - tr, ai + ti, ai - ti
        if halve:
            re, im = (re + 1) >> 1, (im + 1) >> 1
        half *= 2
    return Complex(re.reshape(size, count), im.reshape(size, count))
