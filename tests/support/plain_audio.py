"""Rules 12 and 13 of docs/exact-meaning.md in plain integers, one frame at a time, and what to try them on.

Nothing here is shared with `model.reference`, which computes the same bits on blocks of frames.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
from hypothesis import strategies as st

from model.bundle.audio_constants import threshold_keys
from model.bundle.front_end import CODES, FrontEnd, limits_of


def rnd(x: int, shift: int) -> int:
    return (x + (1 << (shift - 1))) >> shift


class Plain:
    """One recording through the audio path. `peak` has the largest number of bits of every kind of node."""

    def __init__(self, front_end: FrontEnd, limit: float = math.inf) -> None:
        self.it = front_end
        self.floor = math.floor(2**front_end.table_bits * 10 ** (-limit / 20) + 0.5)
        self.n, self.t, self.f, self.p = (
            front_end.fft_size,
            front_end.table_bits,
            front_end.fraction_bits,
            front_end.mantissa_bits,
        )
        self.c = [round(2**self.t * math.cos(2 * math.pi * j / self.n)) for j in range(self.n)]
        self.s = [self.c[j - self.n // 4] for j in range(self.n)]
        self.peak: dict[str, int] = {}

    def note(self, kind: str, *values: int) -> None:
        bits = max((value if value >= 0 else ~value).bit_length() for value in values) + 1
        self.peak[kind] = max(self.peak.get(kind, 0), bits)

    def frames(self, samples: list[int]) -> Iterator[list[int]]:
        hop = self.n // 4
        padded = [0] * (self.n - hop) + samples
        for begin in range(0, len(padded) - self.n + 1, hop):
            yield padded[begin : begin + self.n]

    def window(self, frame: list[int]) -> list[int]:
        b = [sample * 2 ** (self.f - 1) for sample in frame]
        x = [value - rnd(value * self.c[n], self.t) for n, value in enumerate(b)]
        self.note("windowed", *x)
        return x

    def exponents(self, powers: list[int]) -> list[int]:
        frames, found, total = self.it.gain_frames, [], 0
        for t, power in enumerate(powers):
            total = total + power if t < frames else total - ((total + frames - 1) // frames) + power
            self.peak["power_sum"] = max(self.peak.get("power_sum", 0), total.bit_length())
            one = 2 ** (28 + 2 * self.f) * 3 * self.n / 8 * self.it.rms**2 * math.sqrt(0.5)
            exponent = math.floor(math.log2(min(t + 1, frames) * one))
            mantissa = math.floor((min(t + 1, frames) * one / 2.0**exponent - 1) * 2**self.p + 0.5)
            exponent, mantissa = exponent + mantissa // 2**self.p, mantissa % 2**self.p
            if total == 0:
                found.append(-60)
                continue
            leading = total.bit_length() - 1
            own = int(Fraction(total, 2**leading) * 2**self.p) - 2**self.p
            found.append(leading - exponent - (own < mantissa))
        return found

    def fft(self, z: list[tuple[int, int]], halve: bool) -> list[tuple[int, int]]:
        size = len(z)
        digits = size.bit_length() - 1
        z = [z[int(format(i, f"0{digits}b")[::-1], 2) if digits else 0] for i in range(size)]
        half = 1
        while half < size:
            for begin in range(0, size, 2 * half):
                for pos in range(half):
                    j = pos * self.n // (2 * half)
                    (ar, ai), (br, bi) = z[begin + pos], z[begin + pos + half]
                    tr = rnd(br * self.c[j] + bi * self.s[j], self.t)
                    ti = rnd(bi * self.c[j] - br * self.s[j], self.t)
                    up, low = (ar + tr, ai + ti), (ar - tr, ai - ti)
                    if halve:
                        up, low = ((up[0] + 1) >> 1, (up[1] + 1) >> 1), ((low[0] + 1) >> 1, (low[1] + 1) >> 1)
                    z[begin + pos], z[begin + pos + half] = up, low
                    self.note("word", *z[begin + pos], *z[begin + pos + half], tr, ti)
            half *= 2
        return z

    def split(self, z: list[tuple[int, int]]) -> list[tuple[int, int]]:
        m = self.n // 2
        y = [(0, 0)] * (m + 1)
        for k in range(m // 2 + 1):
            (ar, ai), (br, bi) = z[k], z[-k % m]
            pr, pi, dr, di = ar + br, ai - bi, ar - br, ai + bi
            tr = rnd(self.c[k] * di - self.s[k] * dr, self.t)
            ti = rnd(-self.c[k] * dr - self.s[k] * di, self.t)
            y[m - k] = (pr - tr, -(pi - ti))
            y[k] = (pr + tr, pi + ti)
            self.note("word", pr, pi, dr, di, tr, ti, *y[k], *y[m - k])
        return y

    def key(self, y: tuple[int, int]) -> int:
        a, b = abs(y[0]) << 2, abs(y[1]) << 2
        r = 0
        while a >> r >= 2**17 or b >> r >= 2**17:
            r += 1
        a, b = a >> r, b >> r
        q = a * (a >> 2) + b * (b >> 2)
        if q == 0:
            return 0
        mantissa = int(Fraction(q, 2 ** (q.bit_length() - 1)) * 2**self.p) - 2**self.p
        return (q.bit_length() - 2 + 2 * r) * 2**self.p + mantissa

    def bits(self, keys: list[int], e: int) -> list[int]:
        found = []
        for key, row in zip(keys, self.it.keys.tolist(), strict=True):
            reached = [threshold == 0 or (key != 0 and key >= threshold + e * 2**self.p) for threshold in row]
            digits = f"{sum(reached):0{self.it.bits}b}"
            found += [int(r) for r in reached] if self.it.code == "thermometer" else [int(digit) for digit in digits]
        return found

    def levels(self, keys: list[int], e: int) -> list[int]:
        found, b = [], self.it.feature_bits
        for key, (begin,) in zip(keys, self.it.keys.tolist(), strict=True):
            above = Fraction(key - e * 2**self.p - begin, 2 ** (self.p + 4 - b))
            found.append((max(0, min(2**b - 1, math.floor(above))) if key else 0) - 2 ** (b - 1))
        return found

    def spectrum(self, frame: list[int]) -> tuple[list[tuple[int, int]], int]:
        x = self.window(frame)
        return self.split(self.fft(list(zip(x[0::2], x[1::2], strict=True)), False)), sum(a * (a >> 2) for a in x)

    def merge(self, y: list[tuple[int, int]]) -> list[tuple[int, int]]:
        m = self.n // 2
        z = [(0, 0)] * m
        for k in range(m // 2 + 1):
            (ar, ai), (br, bi) = y[k], y[m - k]
            pr, pi, dr, di = ar + br, ai - bi, ar - br, ai + bi
            tr = rnd(-self.s[k] * dr - self.c[k] * di, self.t)
            ti = rnd(self.c[k] * dr - self.s[k] * di, self.t)
            if k:
                z[m - k] = (pr - tr, -(pi - ti))
                self.note("word", *z[m - k])
            z[k] = (pr + tr, pi + ti)
            self.note("word", pr, pi, dr, di, tr, ti, *z[k])
        return z

    def masked(self, part: int, gain: int) -> int:
        if self.it.gain_bits == 1:
            return rnd(part * (gain * 2**self.t + (self.it.mask_bits - gain) * self.floor), self.t)
        most = self.it.mask_bits * (2**self.it.gain_bits - 2)
        nearest = int(Fraction(gain * 2**self.t, most) + Fraction(1, 2))
        return rnd(part * max(nearest, self.floor), self.t)

    def frame_out(self, y: list[tuple[int, int]], mask: list[int]) -> list[int]:
        m = self.it.mask_bits
        gains = [sum(mask[m * k : m * k + m]) for k in range(self.n // 2 + 1)]
        y = [(self.masked(re, gain), self.masked(im, gain)) for (re, im), gain in zip(y, gains, strict=True)]
        self.note("word", *(part for value in y for part in value))
        swapped = self.fft([(im, re) for re, im in self.merge(y)], True)
        z = [part for re, im in swapped for part in (im, re)]
        v = [value - rnd(value * self.c[n], self.t) for n, value in enumerate(z)]
        self.note("word", *v)
        return v

    def sample(self, total: int) -> int:
        self.note("word", total)
        g = 12 * (self.it.mask_bits if self.it.gain_bits == 1 else 1) * 2**self.f
        r = g.bit_length() - 1
        k = int(Fraction(2 ** (self.t + r), g) + Fraction(1, 2))
        return max(-32768, min(32767, (rnd(total * k, self.t) + (1 << (r - 1))) >> r))

    def synthesis(self, spectra: list[list[tuple[int, int]]], masks: list[list[int]]) -> list[int]:
        hop = self.n // 4
        sums = [0] * (hop * len(spectra) + self.n - hop)
        for t, (y, mask) in enumerate(zip(spectra, masks, strict=True)):
            for n, value in enumerate(self.frame_out(y, mask)):
                sums[t * hop + n] += value
                self.note("word", sums[t * hop + n])
        return [self.sample(total) for total in sums[: hop * len(spectra)]]


def front_end_of(
    seed: int,
    size: int = 64,
    mask_bits: int = 3,
    code: str = "thermometer",
    table_bits: int = 15,
    fraction_bits: int = 2,
    *,
    level_bits: int = 8,
    gain_bits: int = 1,
) -> FrontEnd:
    """A front end whose random thresholds are near what white noise at its level has, a few of them 0.

    Levels, of `level_bits` bits with the code `level`, begin some octaves below that.
    """
    rng = np.random.default_rng(seed)
    loud = 0.1 * np.sqrt(size) * (2.0**-4 if code == "level" else 1)
    thresholds = rng.gamma(1, loud, (size // 2 + 1, limits_of(code, 3))).astype(np.float32)
    thresholds[rng.random(thresholds.shape) < 0.05] = 0
    keys = threshold_keys(np.sort(thresholds, axis=1), fraction_bits, 10)
    gain_frames = int(2 ** rng.integers(0, 5))
    return FrontEnd(
        16000,
        size,
        0.1,
        keys,
        gain_frames,
        code,
        mask_bits,
        table_bits,
        fraction_bits,
        feature_bits=level_bits if code == "level" else 1,
        gain_bits=gain_bits,
    )


@st.composite
def front_ends(draw: st.DrawFn, sizes: tuple[int, ...] = (16, 32, 64, 128)) -> FrontEnd:
    """Front ends of any size, code, mask and word length; half of them with masks of bits."""
    return front_end_of(
        draw(st.integers(0, 2**32 - 1)),
        draw(st.sampled_from(sizes)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from(CODES)),
        draw(st.integers(8, 17)),
        draw(st.integers(1, 5)),
        level_bits=draw(st.integers(4, 8)),
        gain_bits=draw(st.just(1) | st.integers(2, 8)),
    )


KINDS = ("noise", "quiet", "square", "impulses", "constant", "tone", "silence", "burst")


def sound(kind: str, samples: int, seed: int = 0, period: int = 7) -> np.ndarray:
    """int16 samples (samples,); loud kinds reach full scale."""
    rng, n = np.random.default_rng(seed), np.arange(samples)
    found = {
        "noise": rng.integers(-32768, 32768, samples),
        "quiet": rng.integers(-3, 4, samples),
        "square": np.where(n // period % 2, -32768, 32767),
        "impulses": np.where(n % period == 0, -32768, 0),
        "constant": np.full(samples, -32768),
        "tone": np.rint(32767 * np.sin(2 * np.pi * n / period)),
        "silence": np.zeros(samples),
        "burst": np.where(n < samples // 3, rng.integers(-9999, 9999, samples), 0),
    }[kind]
    return found.astype(np.int16)


sounds = st.tuples(st.sampled_from(KINDS), st.integers(0, 2**32 - 1), st.integers(1, 50))
"""Kind, seed and period of a sound."""
