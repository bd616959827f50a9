"""Whole networks in Amaranth's simulator, against the golden model: any layers, any folding, any traffic."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.bench.runner import Stimulus, simulate
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.errors import BadInput
from tests.support.hw_bench import few
from tests.support.hw_layers import run_network
from tests.support.integer_bundles import any_features, possible_bundles
from tests.support.random_bundles import bundles, random_bundle, random_features, random_foldings, seeds
from tests.support.simulators import QUICKEST

pytestmark = pytest.mark.simulator

STARTS = [1, 0, 0, 1, 0]


@given(network=bundles(), seed=seeds, in_width=st.integers(1, 9), out_width=st.integers(1, 9), loaded=st.booleans())
@few
def test_every_vector_of_every_layer(network, seed, in_width, out_width, loaded):
    rng = np.random.default_rng(seed)
    foldings = random_foldings(rng, network)
    features = random_features(rng, network, len(STARTS))
    if loaded:
        foldings = {name: replace(folding, weights="loaded") for name, folding in foldings.items()}
    run_network(network, foldings, features, STARTS, rng, in_width, out_width, 0.2, 0.3)


@given(network=possible_bundles(), seed=seeds, in_width=st.integers(1, 9), out_width=st.integers(1, 9))
@few
def test_layers_of_any_formats_follow_one_another(network, seed, in_width, out_width):
    rng = np.random.default_rng(seed)
    features = any_features(rng, network.front_end, len(STARTS))
    run_network(network, random_foldings(rng, network), features, STARTS, rng, in_width, out_width, 0.2, 0.3)


@pytest.mark.parametrize(
    "hidden",
    [[("bgru", 9)], [("bgru", 7), ("bgru", 6)], [("dense", 9), ("dense", 8)], []],
    ids=["BGRU", "two BGRUs", "BNN", "mask alone"],
)
@pytest.mark.parametrize("rho", [0.8, 1.0], ids=["ternary", "binary"])
def test_kinds_of_network(hidden, rho):
    rng = np.random.default_rng(11)
    network = random_bundle(rng, hidden=hidden, bins=6, qad_bits=2, rho=rho)
    features = random_features(rng, network, len(STARTS))
    foldings = {layer.name: Folding(min(4, layer.units), 5) for layer in network.layers}
    run_network(network, foldings, features, STARTS, rng)


@pytest.mark.parametrize("abort", [5, 40, 150])
def test_reset_in_mid_frame_and_then_a_right_utterance(abort):
    rng = np.random.default_rng(abort)
    network = random_bundle(rng, hidden=[("bgru", 7), ("bgru", 6)], bins=5, qad_bits=2)
    foldings = {layer.name: Folding(2, 4) for layer in network.layers}
    features = random_features(rng, network, 4)
    run_network(network, foldings, features, [0, 0, 1, 0], rng, idle=0.1, stall=0.1, abort=abort)


def test_a_reader_that_waits_long_loses_nothing():
    rng = np.random.default_rng(8)
    network = random_bundle(rng, hidden=[("bgru", 7)], bins=5)
    foldings = {layer.name: Folding(3, 2) for layer in network.layers}
    run_network(network, foldings, random_features(rng, network, 8), [1] + [0] * 7, rng, stall=0.98)


def test_layers_work_at_the_same_time():
    """The time between frames is the slowest layer's, not the sum."""
    rng = np.random.default_rng(9)
    network = random_bundle(rng, hidden=[("bgru", 8), ("bgru", 8)], bins=8)
    foldings = {layer.name: Folding(1, 2) for layer in network.layers}
    frames = 6
    _, watches = run_network(network, foldings, random_features(rng, network, frames), [1] + [0] * 5, rng)
    gru0, gru1 = (watches[name] for name in ("gru0", "gru1"))
    together = sum(bool(one[4] and other[4]) for one, other in zip(gru0.log, gru1.log, strict=False))
    assert together > (frames - 2) * min(gru0.cycles)


def test_foldings_are_checked_for_each_layer():
    network = random_bundle(np.random.default_rng(0), hidden=[("bgru", 7)], bins=5)
    with pytest.raises(BadInput, match=r"^layer mask: expected PE from 1 to 5 \(its units\), got 6$"):
        Network(network, {"gru0": Folding(1, 1), "mask": Folding(6, 1)}, ECP5, 8, 8)


def named(names):
    """A network of three layers with these names, and foldings."""
    made = random_bundle(np.random.default_rng(3), hidden=[("bgru", 5), ("dense", 4)], bins=3)
    layers = tuple(replace(layer, name=name) for layer, name in zip(made.layers, names, strict=True))
    return replace(made, layers=layers), {name: Folding(2, 2) for name in names}


@pytest.mark.parametrize("names", [("a", "into_c", "c"), ("a", "b", "into_a"), ("a", "out_of_network", "c")], ids=str)
def test_a_layer_with_the_name_of_a_repack_is_refused(names):
    network, foldings = named(names)
    with pytest.raises(
        BadInput, match=r"^layer (into_\w|out_of_network): expected a name that the hardware does not use"
    ):
        Network(network, foldings, ECP5, 3, 2)


@pytest.mark.parametrize(
    "names",
    [
        *(("into_x", "out", "network"), ("i", "o", "x"), ("clk", "rst", "probe_x"), ("load_x", "x", "weights")),
        *(("bits_0", "copy_1", "trits_0"), ("engine", "mvu", "h_cells"), ("module", "wire", "reg")),
    ],
    ids=str,
)
def test_other_names_are_as_good_as_any(names, tmp_path):
    network, foldings = named(names)
    hardware = Network(network, foldings, ECP5, 3, 2)
    stimulus = Stimulus([random_features(np.random.default_rng(1), network, 3)])
    assert simulate(hardware, network, stimulus, simulator=QUICKEST, quick_build=True).mismatch is None
