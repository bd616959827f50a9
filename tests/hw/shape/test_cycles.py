"""Predicted cycles are the measured ones, to the cycle, for each frame of any shape and folding."""

from math import gcd
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from boards.definitions.registry import find
from boards.flow.layout import choose
from hw.shape.cycles import predict, unhindered
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec
from hw.shape.network_spec import NetworkSpec
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from tests.support.hw_bench import few, some
from tests.support.hw_layers import run_layer, run_network
from tests.support.integer_bundles import any_features, integer_layer_bundle, possible_formats
from tests.support.random_bundles import densities, random_bundle, random_features, random_foldings, random_layer, seeds

pytestmark = pytest.mark.simulator


@pytest.mark.parametrize("kind", ["bgru", "dense"])
@given(seed=seeds, units=st.integers(1, 14), bins=st.integers(1, 8), qad_bits=st.integers(1, 2), rho=densities)
@some
def test_predicted_cycles_are_the_measured_ones(kind, seed, units, bins, qad_bits, rho):
    rng = np.random.default_rng(seed)
    bundle = random_bundle(rng, hidden=[(kind, units)], bins=bins, qad_bits=qad_bits, rho=rho)
    folding = next(iter(random_foldings(rng, bundle).values()))
    layer, watch, *_ = run_layer(bundle, folding, random_features(rng, bundle, 4), [1, 0, 0, 0], rng)
    predicted = predict(layer.spec)
    assert predicted.ideal == layer.spec.ideal
    assert watch.cycles == [predicted.alone, *[predicted.cycles] * 3]


@given(st.data(), seeds, st.sampled_from(["gru", "dense"]), st.integers(1, 60), st.integers(1, 9))
@settings(few, max_examples=12)
def test_predicted_cycles_of_integers_are_the_measured_ones(data, seed, kind, inputs, units):
    rng = np.random.default_rng(seed)
    format = data.draw(possible_formats(kind == "gru", input_bits=data.draw(st.sampled_from([1, 4, 8]))))
    bundle = integer_layer_bundle(rng, kind, inputs, units, format)
    columns = max(inputs, units if kind == "gru" else 1)
    folding = Folding(data.draw(st.integers(1, units)), data.draw(st.integers(1, columns)))
    features = any_features(rng, bundle.front_end, 5)
    layer, watch, *_ = run_layer(bundle, folding, features, [1, 0, 0, 0, 0], rng)
    predicted = predict(layer.spec)
    assert watch.cycles[0] == predicted.alone
    if predicted.steady:
        assert watch.cycles[1:] == [predicted.cycles] * 4
    assert watch.cycles[4] == predicted.cycles


def test_prediction_holds_in_a_network_whose_slowest_layer_comes_first():
    rng = np.random.default_rng(1)
    bundle = random_bundle(rng, hidden=[("bgru", 12)], bins=6, qad_bits=2)
    foldings = {"gru0": Folding(2, 3), "mask": Folding(6, 12)}
    network, watches = run_network(bundle, foldings, random_features(rng, bundle, 4), [1, 0, 0, 0], rng)
    for name, layer in network.layers.items():
        assert set(watches[name].cycles[1:]) == {predict(layer.spec).cycles}


def test_a_dense_layer_takes_the_ideal_and_a_bgru_layer_what_x_does_not_outlast():
    rng = np.random.default_rng(2)
    dense = LayerSpec.of(random_layer(rng, "dense", 12, 10), Folding(3, 5), ECP5)
    assert (predict(dense).ideal, predict(dense).cycles) == (4 * 3, 4 * 3)
    # Words of x in a row group: more than the engine's latency, or hardly any.
    long, short = (random_layer(rng, "bgru", inputs, 32) for inputs in (128, 8))
    outlasting, waiting = (LayerSpec.of(layer, Folding(2, 8), ECP5) for layer in (long, short))
    assert predict(outlasting).cycles == predict(outlasting).ideal == 3 * 16 * (16 + 4)
    latency = waiting.engine.latency + 2
    assert 0 < predict(waiting).cycles - predict(waiting).ideal <= 2 * latency


@given(
    inputs=st.integers(1, 300),
    units=st.integers(1, 130),
    pe=st.sampled_from([1, 2, 4, 8, 16, 32, 64]),
    simd=st.sampled_from([8, 16, 32, 64]),
)
@settings(few, max_examples=60)
def test_only_the_pipeline_is_waited_for_and_only_twice_while_results_are_cut_in_time(inputs, units, pe, simd):
    rng = np.random.default_rng(0)
    folding = Folding(min(pe, units), min(simd, max(inputs, units)))
    gru = LayerSpec.of(random_layer(rng, "bgru", inputs, units), folding, ECP5)
    # A result is cut for the words of h, at most a piece per cycle; then it is written, read and offered.
    pieces = folding.pe // gcd(folding.pe, folding.simd)
    depth = gru.engine.latency + pieces + 3
    hidden_by_words = max(pieces, gru.result_interval) <= gru.words
    assume(hidden_by_words)  # else results come faster than they are cut or taken, and the layer waits for that
    assert predict(gru).cycles - predict(gru).ideal <= 2 * depth


def test_a_layer_of_useful_size_takes_the_ideal():
    rng = np.random.default_rng(3)
    gru = LayerSpec.of(random_layer(rng, "bgru", 256, 64), Folding(4, 16), ECP5)
    assert predict(gru).cycles == predict(gru).ideal


def spec_of(made: Bundle, foldings: dict[str, Folding], out_width: int = 8) -> NetworkSpec:
    return NetworkSpec.of(made, foldings, ECP5, 8, out_width)


def test_a_layer_is_unhindered_while_nothing_behind_it_is_slower():
    made = random_bundle(np.random.default_rng(0), [("bgru", 8)], bins=9, qad_bits=2)

    def names(gru0: Folding, mask: Folding, out_width: int = 8) -> set[str]:
        return unhindered(spec_of(made, {"gru0": gru0, "mask": mask}, out_width))

    assert names(Folding(1, 4), Folding(1, 8)) == {"gru0", "mask"}
    assert names(Folding(8, 18), Folding(1, 1)) == {"mask"}, "the last layer is slower"
    assert names(Folding(7, 18), Folding(3, 2), out_width=3) == {"mask"}, "seven pieces a row group of two words"
    assert names(Folding(1, 4), Folding(9, 8), out_width=4) == set(), "nine pieces a row group of one word"


@given(seed=seeds, hidden=st.lists(st.tuples(st.sampled_from(["bgru", "dense"]), st.integers(1, 14)), max_size=2))
@settings(few, max_examples=12)
def test_an_unhindered_layer_takes_what_is_predicted(seed, hidden):
    rng = np.random.default_rng(seed)
    made = random_bundle(rng, hidden=hidden, bins=int(rng.integers(2, 9)), qad_bits=2)
    features = random_features(rng, made, 7)
    network, watches = run_network(made, random_foldings(rng, made), features, [1] + 6 * [0], rng, 8, 8)
    for name in unhindered(network.spec):
        assert set(watches[name].cycles[2:]) == {predict(network.layers[name].spec).cycles}, name


def test_a_layer_fed_at_a_pace_between_its_own_two_is_not_listed():
    made = random_bundle(np.random.default_rng(0), [("bgru", 16), ("bgru", 16)], bins=8, qad_bits=2)
    foldings = {"gru0": Folding(4, 8), "gru1": Folding(4, 8), "mask": Folding(8, 16)}
    network = spec_of(made, foldings)
    feeding, fed, _ = (predict(layer) for layer in network.layers)
    assert fed.alone < feeding.cycles
    assert "gru1" not in unhindered(network)


@pytest.mark.parametrize(("board", "preset"), [("ulx3s_85f", "small"), ("ulx3s_85f", "tiny"), ("icebreaker", "tiny")])
def test_a_preset_on_its_board_takes_at_most_a_fiftieth_over_the_ideal(board, preset):
    network = choose(read_bundle(Path("bundles") / preset), find(board), {})
    predicted = [predict(layer) for layer in network.layers]
    assert sum(layer.cycles for layer in predicted) <= 1.02 * sum(layer.ideal for layer in predicted)
