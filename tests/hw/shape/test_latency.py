"""Predicted latency is the simulated one, to the cycle."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.latency import latency, unhurried
from hw.shape.network_spec import NetworkSpec
from hw.shape.words import words
from model.reference.vectors import element_bits
from tests.support.hw_bench import Bench, few, to_words
from tests.support.integer_bundles import any_features, possible_bundles
from tests.support.random_bundles import random_bundle, random_features, random_foldings, seeds


@given(
    seed=seeds,
    hidden=st.lists(st.tuples(st.sampled_from(["bgru", "dense"]), st.integers(1, 14)), max_size=2),
    widths=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
@few
def test_a_frame_is_under_way_for_as_long_as_predicted(seed, hidden, widths):
    rng = np.random.default_rng(seed)
    made = random_bundle(rng, hidden=hidden, bins=int(rng.integers(2, 12)), qad_bits=2)
    foldings = {
        layer.name: Folding(min(int(rng.integers(1, 4)), layer.units), min(int(rng.integers(1, 7)), layer.columns))
        for layer in made.layers
    }
    network = Network(made, foldings, ECP5, *widths)
    bench = Bench(network, rng)
    fed = bench.feed(network.i, to_words(rng, random_features(rng, made, 1), [1], widths[0]))
    got = bench.drain(network.o, words(made.layers[-1].units, widths[1]))
    bench.run()
    measured = got[-1][0] - fed[0]
    assert measured == latency(network.spec) if unhurried(network.spec) else measured >= latency(network.spec)


@given(made=possible_bundles(), seed=seeds, widths=st.tuples(st.integers(1, 12), st.integers(1, 12)))
@few
def test_a_frame_of_any_formats_is_under_way_for_as_long_as_predicted(made, seed, widths):
    rng = np.random.default_rng(seed)
    network = Network(made, random_foldings(rng, made), ECP5, *widths)
    bench = Bench(network, rng)
    bits = element_bits(any_features(rng, made.front_end, 1), made.front_end.feature_bits)
    fed = bench.feed(network.i, to_words(rng, bits, [1], widths[0]))
    got = bench.drain(network.o, words(made.layers[-1].units * made.front_end.gain_bits, widths[1]))
    bench.run()
    measured = got[-1][0] - fed[0]
    assert measured == latency(network.spec) if unhurried(network.spec) else measured >= latency(network.spec)


def test_most_networks_are_unhurried_and_one_whose_results_outrun_their_cutting_is_not():
    made = random_bundle(np.random.default_rng(0), [("bgru", 8)], bins=9, qad_bits=2)

    def one(gru0: Folding, mask: Folding) -> bool:
        return unhurried(NetworkSpec.of(made, {"gru0": gru0, "mask": mask}, ECP5, 8, 8))

    assert one(Folding(2, 4), Folding(1, 4))
    assert not one(Folding(7, 18), Folding(3, 2)), "seven pieces a row group of two words"
