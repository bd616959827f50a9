"""The audio path's constants: rounded beyond doubt, and symmetric."""

import math
from fractions import Fraction

import numpy as np
import pytest

from model.bundle.audio_constants import cosine_table, output_scale, quarter_cosine
from model.bundle.front_end import SIZES, WORD_LENGTHS
from tests.support.plain_audio import front_end_of

tables = pytest.mark.parametrize(("size", "bits"), [(size, words[0]) for size in SIZES for words in WORD_LENGTHS])


@tables
def test_no_word_of_the_table_hangs_on_the_last_bit_of_a_cosine(size, bits):
    """A float64 cosine of another library may differ by an ulp: no value is that near to a tie."""
    values = [2**bits * math.cos(2 * math.pi * j / size) for j in range(1, size // 4)]
    assert min(abs(value % 1 - 0.5) for value in values) > 1e-6


@tables
def test_the_table_is_the_cosine(size, bits):
    table = cosine_table(size, bits)
    assert np.abs(table - 2**bits * np.cos(2 * np.pi * np.arange(size) / size)).max() <= 0.5 + 1e-9
    assert np.array_equal(table[1:], table[:0:-1]) and np.array_equal(table[: size // 2], -table[size // 2 :])
    assert table[: size // 4 + 1].tolist() == quarter_cosine(size, bits)


@pytest.mark.parametrize(("mask_bits", "gain_bits", "most"), [*((n, 1, n) for n in range(1, 16)), (1, 2, 1), (3, 8, 1)])
@pytest.mark.parametrize("words", WORD_LENGTHS)
def test_the_output_scale_is_one_over_the_gain_of_the_path(mask_bits, gain_bits, most, words):
    it = front_end_of(0, 16, mask_bits, "thermometer", *words[:2], gain_bits=gain_bits)
    scale, shift = output_scale(it)
    gain = 12 * most * 2 ** words[1]
    assert abs(Fraction(scale, 2 ** (words[0] + shift)) * gain - 1) <= Fraction(1, 2 ** words[0])
    assert 2 ** (words[0] - 1) < scale <= 2 ** words[0]
