"""The shape of memories that are read in order."""

from hypothesis import given
from hypothesis import strategies as st

from hw.shape.cyclic_memory import CyclicShape


def test_only_many_slices_have_copies_of_the_address_and_a_cycle_more():
    shapes = [CyclicShape(width, 3, 1, rom=True) for width in (1, 16, 17, 32, 126)]
    assert [shape.copies for shape in shapes] == [0, 0, 1, 2, 7]
    assert [shape.latency for shape in shapes] == [1, 1, 2, 2, 2]


def test_only_a_small_rom_has_spare_words():
    spare = [CyclicShape(4, depth, 4, rom).spare_words for depth, rom in ((254, True), (255, True), (254, False))]
    assert spare == [2, 0, 0]


@given(width=st.integers(1, 90), slice_width=st.integers(1, 20))
def test_slices_are_as_wide_as_they_may_be_and_cover_the_word(width, slice_width):
    slices = CyclicShape(width, 3, slice_width, rom=True).slices
    assert list(slices) == list(range(0, width, slice_width))
    assert sum(slices.values()) == width
    assert all(bits == slice_width for bits in list(slices.values())[:-1])


def test_a_slice_holds_its_bits_of_every_word_and_of_the_spare_ones():
    cut = CyclicShape(5, 2, 3, rom=True).cut([0b10_110, 0b01_001])
    assert cut == {0: (3, [0b110, 0b001, 0, 0b111]), 3: (2, [0b10, 0b01, 0, 0b11])}
    assert CyclicShape(5, 2, 3, rom=False).cut([]) == {0: (3, []), 3: (2, [])}
