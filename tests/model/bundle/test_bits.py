"""Bit vectors as 64-bit words: bit i is bit i % 64 of word i // 64, and nothing lies beyond the length."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from model.bundle.bits import pack, padding_is_zero, unpack, words_for

bit_arrays = arrays.arrays(np.uint8, arrays.array_shapes(max_dims=3, max_side=130), elements=st.integers(0, 1))


@given(bit_arrays)
def test_unpack_inverts_pack(bits):
    length = bits.shape[-1]
    words = pack(bits)
    assert words.dtype == np.uint64
    assert words.shape == (*bits.shape[:-1], words_for(length))
    assert padding_is_zero(words, length)
    assert np.array_equal(unpack(words, length), bits)


@pytest.mark.parametrize("index", [0, 1, 63, 64, 65, 127, 128])
def test_bit_order_is_least_significant_first(index):
    bits = np.zeros(129, dtype=np.uint8)
    bits[index] = 1
    expected = [0, 0, 0]
    expected[index // 64] = 1 << index % 64
    assert pack(bits).tolist() == expected


def test_pack_takes_booleans():
    assert pack(np.array([True, False, True])).tolist() == [5]


def test_words_in_foreign_byte_order_unpack_alike():
    words = pack(np.arange(100) % 3 == 0)
    assert np.array_equal(unpack(words.astype(">u8"), 100), unpack(words, 100))


@pytest.mark.parametrize(("length", "count"), [(1, 1), (63, 1), (64, 1), (65, 2), (128, 2), (129, 3)])
def test_words_for_rounds_up(length, count):
    assert words_for(length) == count


@pytest.mark.parametrize(
    ("words", "length", "zero"),
    [
        ([2**64 - 1], 64, True),
        ([2**64 - 1], 63, False),
        ([0b111], 3, True),
        ([0b1000], 3, False),
        ([0, 1], 65, True),
        ([0, 2], 65, False),
        ([0, 0], 64, False),  # a word too many
        ([0], 65, False),  # a word too few
    ],
)
def test_padding_is_zero(words, length, zero):
    assert padding_is_zero(np.array(words, dtype=np.uint64), length) is zero
