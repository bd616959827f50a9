"""Estimates: exact where they say so."""

import numpy as np
from hypothesis import given, settings

from hw.estimate import layer_cycles, layer_resources, memory_bits
from hw.family import ECP5
from hw.layers import Folding
from hw.network import Network, make_layer
from tests.random_bundles import bundles, random_foldings, random_layer


def test_weights_are_counted_with_their_padding():
    layer = make_layer(random_layer(np.random.default_rng(0), "dense", 10, 7), Folding(2, 4), ECP5)
    assert memory_bits(layer)["weights"] == (4 * 2) * (3 * 4) * 2  # row groups of 2, words of 4, sign and non-zero


def test_binary_weights_take_one_bit():
    layer = make_layer(random_layer(np.random.default_rng(0), "dense", 8, 4, rho=1.0), Folding(1, 8), ECP5)
    assert memory_bits(layer)["weights"] == 4 * 8


def test_the_small_presets_recurrent_layer_is_the_size_that_the_design_says():
    layer = make_layer(random_layer(np.random.default_rng(0), "bgru", 1028, 256), Folding(1, 64), ECP5)
    assert memory_bits(layer)["weights"] == 3 * 256 * (17 + 4) * 64 * 2
    assert layer_cycles(layer)["ideal"] == 3 * 256 * (17 + 4)


@settings(max_examples=25, deadline=None)
@given(bundles())
def test_the_report_has_the_keys_of_the_measurements(made):
    network = Network(made, random_foldings(np.random.default_rng(0), made), ECP5, 8, 8)
    for layer in network.layers.values():
        assert set(layer_cycles(layer)) == {"ideal", "cycles"}
        assert layer_cycles(layer)["cycles"] >= layer_cycles(layer)["ideal"]
        assert layer_resources(layer)["bits"] == sum(memory_bits(layer).values())
