"""Constants of a requantiser's rows: every bit comes back from those that are stored, in the fewest block RAMs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.shape.family import ECP5, FAMILIES, ICE40
from hw.shape.ram_mapping import mapped
from hw.shape.row_constants import MOST_READS, ONE, ZERO, constant_words, constants_shape, stored_bits
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.integer_layers import IntegerLayer
from model.bundle.random_bundle import random_integer_layer
from model.bundle.read import read_bundle
from tests.support.hw_bench import some
from tests.support.random_bundles import seeds

INT4 = WEIGHT_FORMATS["int4"]


def random_gru(seed, units):
    return random_integer_layer(np.random.default_rng(seed), "gru", 3, units, Format(8, 8, INT4, INT4))


@given(seed=seeds, units=st.integers(1, 60), limit=st.integers(1, 2**31 - 1), family=st.sampled_from(list(FAMILIES)))
@some
def test_a_rows_words_give_all_of_its_bits(seed, units, limit, family):
    layer = random_gru(seed, units)
    layer = replace(layer, threshold=layer.threshold % limit)
    rows, stored = constant_words(layer), stored_bits(layer)
    shape = constants_shape(stored.count, len(rows), family)
    if shape is None:
        assert len(set(rows)) == 1
        return
    words, reads = stored.words(rows, shape), shape.depth // len(rows)
    assert len(words) == shape.depth and reads <= MOST_READS
    assert max(word.bit_length() for word in words) <= shape.width
    for index, row in enumerate(rows):
        own = sum(word << place * shape.width for place, word in enumerate(words[index * reads : (index + 1) * reads]))
        bits = [int(bit == ONE) if bit in (ZERO, ONE) else own >> bit & 1 for bit in stored.sources]
        assert sum(bit << place for place, bit in enumerate(bits)) == row


def test_a_copy_of_another_bit_and_a_bit_that_never_changes_are_not_stored():
    layer = random_gru(0, 9)
    rows = layer.threshold.shape
    layer = replace(
        layer,
        threshold=np.resize(np.array([-2, -1, 0, 1], np.int32), rows),
        shift=np.full(rows, 21, np.uint8),
        w_multiplier=np.resize(np.array([2**15, 2**15 + 1], np.uint16), rows),
        u_multiplier=np.zeros(rows, np.uint16),
    )
    # Bit 0 of the threshold, its sign, and no more: bit 0 of the multiplier equals bit 0 of the threshold.
    assert stored_bits(layer).count == 2


@given(bits=st.integers(1, 70), rows=st.integers(2, 1500), family=st.sampled_from(list(FAMILIES)))
def test_no_number_of_words_a_row_takes_fewer_blocks_than_the_one_chosen(bits, rows, family):
    shape = constants_shape(bits, rows, family)
    depth = shape.depth + shape.spare_words
    chosen = sum(mapped(family, width, depth, rom=True, block=True).cells for width in shape.slices.values())
    for reads in range(1, min(bits, MOST_READS) + 1):
        width, depth = -(-bits // reads), reads * rows
        if depth <= max(FAMILIES[family].block_ram) and depth >= 255:
            assert chosen <= FAMILIES[family].sliced_blocks(depth, width)


@pytest.mark.parametrize(
    ("bundle", "family", "blocks"),
    [("tiny-int4", ICE40, [4, 2]), ("tiny-int4", ECP5, [1, 1]), ("small-int4", ECP5, [3, 1])],
)
def test_the_block_rams_of_the_presets_constants(bundle, family, blocks):
    found = []
    for layer in read_bundle(Path("bundles") / bundle).layers:
        assert isinstance(layer, IntegerLayer)
        shape = constants_shape(stored_bits(layer).count, layer.threshold.size, family.name)
        found.append(family.sliced_blocks(shape.depth, shape.width))
    assert found == blocks
