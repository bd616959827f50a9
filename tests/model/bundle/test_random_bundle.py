"""Random bundles: of the sizes that were asked for, and the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle.bits import unpack
from model.bundle.random_bundle import layer_of, random_bundle, random_weights, sized_front_end
from tests.support.random_bundles import seeds


def test_columns_of_a_recurrent_layer_are_those_of_the_input_and_then_of_the_state():
    weights = np.random.default_rng(0).integers(-1, 2, (3, 4, 7 + 4))
    threshold, state = np.arange(12).reshape(3, 4), np.array([1, 0, 1, 1])
    layer = layer_of("gru", "bgru", 7, weights, threshold, state)
    assert (layer.inputs, layer.units) == (7, 4)
    assert np.array_equal(np.concatenate([layer.w.values(), layer.u.values()], axis=-1), weights)
    assert np.array_equal(layer.threshold, threshold)
    assert np.array_equal(unpack(layer.initial_state, 4), state)


def test_a_dense_layer_has_no_state():
    layer = layer_of("mask", "dense", 3, np.ones((2, 3), dtype=int), np.zeros(2, dtype=int))
    assert layer.u is None and layer.initial_state is None and layer.binary


@pytest.mark.parametrize("bins", [1, 2, 129])
def test_a_front_end_has_a_window_for_its_bins(bins):
    front_end = sized_front_end(np.zeros((bins, 3), dtype=np.float32), mask_bits=2)
    assert (front_end.bins, front_end.bits, front_end.mask_bits) == (bins, 2, 2)


@pytest.mark.parametrize("rho", [0.3, 0.8, 1.0])
def test_a_share_of_the_weights_is_kept(rho):
    kept = np.count_nonzero(random_weights(np.random.default_rng(0), (100, 100), rho)) / 10_000
    assert kept == pytest.approx(rho, abs=0.02)


@given(seeds, st.lists(st.tuples(st.sampled_from(["bgru", "dense"]), st.integers(1, 9)), max_size=2))
def test_the_same_seed_makes_the_same_bundle(seed, hidden):
    one, other = (random_bundle(np.random.default_rng(seed), hidden, name="one") for _ in range(2))
    assert one.identity == other.identity
    assert [(layer.kind, layer.units) for layer in one.layers[:-1]] == hidden
