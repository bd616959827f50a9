"""How vectors are cut into words."""

from amaranth.utils import ceil_log2 as amaranth_ceil_log2
from hypothesis import given
from hypothesis import strategies as st

from hw.shape.words import ceil_log2, used_lanes, words

widths = st.integers(1, 200)


@given(widths, widths)
def test_words_are_as_many_as_hold_the_vector_and_no_more(length, width):
    assert words(length, width) * width >= length > (words(length, width) - 1) * width


@given(widths, widths)
def test_used_lanes_are_the_vectors_bits_in_its_last_word(length, width):
    used = used_lanes(length, width)
    assert (words(length, width) - 1) * width + used.bit_length() == length
    assert used == (1 << used.bit_length()) - 1


@given(st.integers(1, 10_000))
def test_addresses_have_as_many_bits_as_amaranths(count):
    assert ceil_log2(count) == amaranth_ceil_log2(count)
