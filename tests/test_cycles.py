"""Predicted cycles are the measured ones, to the cycle, for each frame of any shape and folding."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.board import find
from boards.fit import lay_out
from hw.cycles import predict, unhindered
from hw.family import ECP5
from hw.layers import Folding
from hw.network import Network, make_layer
from model.bundle import read
from tests.hw_bench import some
from tests.hw_layers import run_layer, run_network
from tests.random_bundles import densities, random_bundle, random_features, random_foldings, random_layer, seeds


@pytest.mark.parametrize("kind", ["bgru", "dense"])
@given(seed=seeds, units=st.integers(1, 14), bins=st.integers(1, 8), qad_bits=st.integers(1, 2), rho=densities)
@some
def test_predicted_cycles_are_the_measured_ones(kind, seed, units, bins, qad_bits, rho):
    rng = np.random.default_rng(seed)
    bundle = random_bundle(rng, hidden=[(kind, units)], bins=bins, qad_bits=qad_bits, rho=rho)
    folding = next(iter(random_foldings(rng, bundle).values()))
    layer, watch, *_ = run_layer(bundle, folding, random_features(rng, bundle, 4), [1, 0, 0, 0], rng)
    predicted = predict(layer)
    assert predicted.ideal == layer.ideal
    assert watch.cycles == [predicted.cycles] * 4


def test_prediction_holds_in_a_network_whose_slowest_layer_comes_first():
    rng = np.random.default_rng(1)
    bundle = random_bundle(rng, hidden=[("bgru", 12)], bins=6, qad_bits=2)
    foldings = {"gru0": Folding(2, 3), "mask": Folding(6, 12)}
    network, watches = run_network(bundle, foldings, random_features(rng, bundle, 4), [1, 0, 0, 0], rng)
    for name, layer in network.layers.items():
        assert set(watches[name].cycles) == {predict(layer).cycles}


def test_a_dense_layer_takes_the_ideal_and_a_bgru_layer_drains_twice_more():
    rng = np.random.default_rng(2)
    dense = make_layer(random_layer(rng, "dense", 12, 10), Folding(3, 5), ECP5)
    assert (predict(dense).ideal, predict(dense).cycles) == (4 * 3, 4 * 3)
    gru = make_layer(random_layer(rng, "bgru", 64, 32), Folding(2, 8), ECP5)
    assert predict(gru).ideal == 3 * 16 * (8 + 4)
    assert 0 < predict(gru).cycles - predict(gru).ideal <= 2 * (gru.engine.latency + 8)


def test_a_layer_of_useful_size_keeps_within_5_percent_of_the_ideal():
    rng = np.random.default_rng(3)
    gru = make_layer(random_layer(rng, "bgru", 256, 64), Folding(4, 16), ECP5)
    assert predict(gru).cycles <= 1.05 * predict(gru).ideal


def test_a_layer_is_unhindered_while_nothing_behind_it_is_slower():
    made = random_bundle(np.random.default_rng(0), [("bgru", 8)], bins=9, qad_bits=2)

    def names(gru0: Folding, mask: Folding, out_width: int = 8) -> set[str]:
        return unhindered(Network(made, {"gru0": gru0, "mask": mask}, ECP5, 8, out_width))

    assert names(Folding(1, 4), Folding(1, 8)) == {"gru0", "mask"}
    assert names(Folding(8, 18), Folding(1, 1)) == {"mask"}, "the last layer is slower"
    assert names(Folding(7, 18), Folding(3, 2), out_width=3) == {"mask"}, "seven pieces a row group of two words"
    assert names(Folding(1, 4), Folding(9, 8), out_width=4) == set(), "nine pieces a row group of one word"


@pytest.mark.parametrize(("board", "preset"), [("ulx3s_85f", "small"), ("ulx3s_85f", "tiny"), ("icebreaker", "tiny")])
def test_a_preset_on_its_board_takes_at_most_a_twentieth_over_the_ideal(board, preset):
    network = lay_out(read(Path("bundles") / preset), find(board), {})
    predicted = [predict(layer) for layer in network.layers.values()]
    assert sum(layer.cycles for layer in predicted) <= 1.05 * sum(layer.ideal for layer in predicted)
