"""How vectors are cut into words."""

from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.streams import Word, used_lanes, words

widths = st.integers(1, 200)


@given(widths, widths)
def test_words_are_as_many_as_hold_the_vector_and_no_more(length, width):
    assert words(length, width) * width >= length > (words(length, width) - 1) * width


@given(widths, widths)
def test_used_lanes_are_the_vectors_bits_in_its_last_word(length, width):
    used = used_lanes(length, width)
    assert (words(length, width) - 1) * width + used.bit_length() == length
    assert used == (1 << used.bit_length()) - 1


@given(widths)
def test_a_word_is_its_bits_and_one_that_starts_an_utterance(width):
    assert Word(width).size == width + 1
