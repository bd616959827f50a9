"""The payload of a stream."""

from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.streams import Word


@given(st.integers(1, 200))
def test_a_word_is_its_bits_and_one_that_starts_an_utterance(width):
    assert Word(width).size == width + 1
