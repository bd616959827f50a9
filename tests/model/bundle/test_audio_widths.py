"""Word lengths: no node exceeds its word from 16 points on, whatever the samples and masks.

Apart from its roundings, a node is a sum of samples times constants, so its largest value is full scale times the sum
of their magnitudes. The constants are the reference's answers to impulses; the roundings are bounded stage by stage.
"""

import math

import numpy as np
import pytest

from model.bundle.audio_widths import widths
from model.reference.analysis import split, transform, window
from model.reference.fixed_point import Complex
from model.reference.synthesis import merge
from tests.support.plain_audio import front_end_of

FULL_SCALE = 2**15
FINER = 2**12
"""Impulses are so many times full scale, which makes their roundings so many times smaller."""

CASES = [(16, 1, 1), (16, 3, 1), (32, 1, 1), (64, 3, 1), (128, 1, 8), (512, 3, 1), (1024, 1, 1)]
"""Points, mask bits, and bits of a unit's gain."""


@pytest.mark.parametrize("fraction_bits", [2, 4])
def test_no_sample_and_no_mask_takes_a_sum_beyond_the_word(fraction_bits):
    """N = 16, the tightest, over all 512 masks: each of the four frames of a sample with the mask worst for it.

    A masked frame is the windowed one through a filter h; with samples of full scale b, z is at most 4 m b times the
    sum of |h| w, and a sum the four frames' z w. Shorter windows would exceed the word: 1.1 times at N = 8.
    """
    size, hop = 16, 4
    window = 1 - np.cos(2 * np.pi * np.arange(size) / size)
    masks = np.arange(2**9)[:, None] >> np.arange(9) & 1
    impulses = np.abs(np.fft.irfft(masks, n=size, axis=1))
    n = np.arange(size)
    worst = np.array([(impulses[:, (place - n) % size] @ window).max() * window[place] for place in n])
    largest = 4 * 2 ** (14 + fraction_bits) * worst.reshape(4, hop).sum(axis=0).max()
    it = front_end_of(0, size, 1, "thermometer", 15, fraction_bits)
    limit = 2 ** (widths(it).word - 1)
    assert 0.7 * limit < largest < 0.75 * limit


def impulses(it):
    """The answers to an impulse at each place: x, Z and Y, a row per impulse, times `FINER`."""
    x = window(FINER * FULL_SCALE * np.eye(it.fft_size, dtype=np.int64), it)
    z = transform(x, it)
    return x, z, split(z, it)


def roundings(it):
    """What the roundings add at most to a component of x, Z, Y, and Z of a masked Y.

    A rounding is off by 1/2; a butterfly adds a word, and another times cosine and sine, together at most sqrt(2).
    """
    x = z = 0.5
    for _ in range(int(math.log2(it.fft_size)) - 1):
        z = z * (1 + math.sqrt(2)) + 0.5
    y = z * 2 * (1 + math.sqrt(2)) + 0.5
    return x, z, y, it.path_gain * y * 2 * (1 + math.sqrt(2)) + 0.5


def largest(node, off, size):
    """The largest component of complex nodes, and the largest magnitude, over all samples within full scale."""
    off += size * off / FINER
    angles = np.exp(2j * np.pi * np.arange(64) / 64)
    values = (node.re + 1j * node.im) / FINER
    sums = [np.abs((values * angle).real).sum(axis=0).max() for angle in angles]
    return max(sums[0], sums[16]) + off, max(sums) / math.cos(math.pi / 64) + math.sqrt(2) * off


@pytest.mark.parametrize(("size", "mask_bits", "gain_bits"), CASES)
@pytest.mark.parametrize("fraction_bits", [2, 4])
def test_no_samples_take_a_node_of_the_analysis_beyond_its_word(size, mask_bits, gain_bits, fraction_bits):
    """x, Z, Y and the masked Y. Each butterfly gives a + t and a - t, of which a and t are half the sum and the
    difference: no node of a stage has a larger magnitude than the last one's nodes have."""
    it = front_end_of(0, size, mask_bits, "thermometer", 15, fraction_bits, gain_bits=gain_bits)
    x, z, y = impulses(it)
    off = roundings(it)
    word = 2 ** (widths(it).word - 1)
    assert np.abs(x).max() / FINER + off[0] < 2 ** (widths(it).windowed - 1)
    assert largest(z, off[1], size)[1] * (1 + size.bit_length() * 2.0**-14) < word
    masked = it.path_gain * largest(y, off[2], size)[0]
    assert 0.25 * word < masked < word


@pytest.mark.parametrize(("size", "mask_bits", "gain_bits"), CASES)
def test_no_mask_takes_a_node_of_the_inverse_beyond_its_word(size, mask_bits, gain_bits):
    """A point of Z has two bins, so the worst mask has a gain of 0 or m for either. The butterflies of the inverse FFT
    halve, so none of their nodes has a larger magnitude than Z, but for a rounding in each stage."""
    it = front_end_of(0, size, mask_bits, "thermometer", 15, 2, gain_bits=gain_bits)
    _, _, y = impulses(it)
    low = np.arange(it.bins) <= size // 4
    for kept in (low, ~low, low | ~low):
        gains = it.path_gain * kept
        z = merge(Complex(y.re * gains, y.im * gains), it)
        magnitude = largest(z, roundings(it)[3], size)[1]
        assert magnitude * (1 + size.bit_length() * 2.0**-14) + 2 * size.bit_length() < 2 ** (widths(it).word - 1)


@pytest.mark.parametrize(("size", "mask_bits", "gain_bits"), [case for case in CASES if case[0] > 16])
def test_no_mask_takes_an_overlapped_sum_beyond_the_word(size, mask_bits, gain_bits):
    """A masked frame is the windowed one through a filter whose squares add up to 1 at most. So z is at most 4 m b
    times the root of the window's squares (Cauchy-Schwarz), and a sum that times four frames' windows, which are 4;
    2^-8 is more than the table's own roundings add."""
    it = front_end_of(0, size, mask_bits, "thermometer", 15, 2, gain_bits=gain_bits)
    hann = 1 - np.cos(2 * np.pi * np.arange(size) / size)
    z = 4 * it.path_gain * 2 ** (14 + it.fraction_bits) * math.sqrt(np.sum(hann**2))
    off = roundings(it)[3] + 2 * size.bit_length()
    assert 4 * z * (1 + 2.0**-8) + 8 * off < 2 ** (widths(it).word - 1)


@pytest.mark.parametrize("size", [16, 64, 256])
def test_the_largest_spectrum_is_reached(size):
    """By samples of full scale with the signs of its constants."""
    it = front_end_of(0, size)
    _, _, y = impulses(it)
    worst = np.abs(y.re).sum(axis=0).argmax()
    samples = np.where(y.re[:, worst] > 0, FULL_SCALE - 1, -FULL_SCALE)[None]
    found = split(transform(window(samples, it), it), it).re[0, worst]
    assert found == pytest.approx(np.abs(y.re[:, worst]).sum() / FINER, abs=roundings(it)[2] + 2**4 * size)
