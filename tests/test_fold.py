"""Choosing a folding: the fewest RAM blocks, at the pace that is asked for, if there is such a folding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.fold import depth, fewest_blocks
from hw.estimate import ram_blocks
from hw.family import ECP5, ICE40
from hw.layers import Folding
from hw.network import make_layer
from tests.hw_bench import some
from tests.random_bundles import densities, random_layer, seeds


def blocks_of(layer, folding, family):
    return sum(ram_blocks(make_layer(layer, folding, family)).values())


@given(seed=seeds, kind=st.sampled_from(["bgru", "dense"]), units=st.integers(1, 40), rho=densities)
@some
def test_no_folding_with_as_many_lanes_takes_fewer_blocks(seed, kind, units, rho):
    layer = random_layer(np.random.default_rng(seed), kind, 60, units, rho)
    lanes, pace = 8, 2000
    chosen = fewest_blocks(layer, ICE40, lanes, pace, "rom")
    assert chosen.pe * chosen.simd <= lanes
    others = [Folding(pe, simd) for pe in range(1, lanes + 1) for simd in range(1, lanes // pe + 1) if pe <= units]
    fast = [folding for folding in others if depth(layer, folding) <= pace]
    if fast:
        assert depth(layer, chosen) <= pace
        # Biases of under a kilobit are in LUTs, and counted as a block while choosing.
        assert blocks_of(layer, chosen, ICE40) <= min(blocks_of(layer, folding, ICE40) for folding in fast) + 1


def test_where_none_is_shallow_enough_the_fewest_blocks_are_chosen_all_the_same():
    layer = random_layer(np.random.default_rng(0), "dense", 400, 300)
    chosen = fewest_blocks(layer, ICE40, lanes=4, pace=1000, source="rom")
    assert depth(layer, chosen) > 1000
    assert blocks_of(layer, chosen, ICE40) <= blocks_of(layer, Folding(1, 4), ICE40)


@pytest.mark.parametrize(("kind", "words"), [("dense", 5 * 4), ("bgru", 3 * 5 * (4 + 3))])
def test_depth_is_the_number_of_words(kind, words):
    layer = random_layer(np.random.default_rng(0), kind, 16, 10)
    assert depth(layer, Folding(2, 4)) == words
    assert len(make_layer(layer, Folding(2, 4), ECP5).engine.matrix.weight_words) == words


def test_loaded_weights_take_the_fewest_single_port_rams():
    layer = random_layer(np.random.default_rng(0), "bgru", 1028, 96)
    chosen = fewest_blocks(layer, ICE40, 32, 192_000, "loaded")
    assert chosen.weights == "loaded"
    assert ram_blocks(make_layer(layer, chosen, ICE40))["spram"] == 3
