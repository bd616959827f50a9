"""Word lengths: the overlap-add's sums fit in a word from 16 points on, whatever the samples and masks."""

import numpy as np
import pytest

from model.bundle.audio_widths import widths
from tests.support.plain_audio import front_end_of


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
