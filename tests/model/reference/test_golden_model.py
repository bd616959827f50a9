"""The golden model against the equations of docs/exact-meaning.md, in plain integers and nothing packed."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from model.bundle.bits import pack, unpack
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.reference.golden_model import GoldenModel, Product
from tests.support.random_bundles import (
    ALWAYS,
    NEVER,
    bundles,
    one_unit_bundle,
    random_bundle,
    random_features,
    random_front_end,
    seeds,
)

Vector = NDArray[np.int64]


def sign(a: Vector) -> Vector:
    """sgn(0) = +1."""
    return np.where(a >= 0, 1, -1)


def step(a: Vector) -> Vector:
    """step(0) = 1."""
    return np.where(a >= 0, 1, 0)


class Equations:
    """The network as the paper writes it: vectors of -1, 0 and +1, matrices of -1, 0 and +1."""

    def __init__(self, bundle: Bundle) -> None:
        self.layers = bundle.bitwise
        self.h = {
            layer.name: 2 * unpack(layer.initial_state, layer.units).astype(int) - 1
            for layer in bundle.bitwise
            if layer.initial_state is not None
        }

    def frame(self, features: NDArray[np.uint8]) -> dict[str, dict[str, Vector]]:
        """All vectors as bits."""
        x, trace = 2 * features.astype(int) - 1, {}
        for layer in self.layers:
            theta = layer.threshold.astype(int)
            if layer.kind == "dense":
                x = sign(layer.w.values().astype(int) @ x - theta)
                trace[layer.name] = {"y": (x + 1) // 2}
                continue
            (wr, wz, wh), (ur, uz, uh) = layer.w.values().astype(int), layer.u.values().astype(int)
            h = self.h[layer.name]
            r = step(wr @ x + ur @ h - theta[0])
            z = step(wz @ x + uz @ h - theta[1])
            candidate = sign(wh @ x + uh @ (r * h) - theta[2])
            x = self.h[layer.name] = np.where(z == 1, h, candidate)
            trace[layer.name] = {"r": r, "z": z, "candidate": (candidate + 1) // 2, "h": (x + 1) // 2}
        return trace


def assert_follows(model: GoldenModel, equations: Equations, features: NDArray[np.uint8]) -> None:
    for bits in features:
        mask, trace = model.step(pack(bits))
        expected = equations.frame(bits)
        assert trace.keys() == expected.keys()
        for layer in model.bundle.layers:
            vectors = trace[layer.name]
            assert vectors.keys() == expected[layer.name].keys()
            for name, vector in expected[layer.name].items():
                assert np.array_equal(unpack(vectors[name], layer.units), vector), (layer.name, name)
                assert np.array_equal(vectors[name], pack(vector)), "padding bits are zero"
        last = model.bundle.layers[-1]
        assert np.array_equal(mask, trace[last.name]["y" if last.kind == "dense" else "h"])


@given(network=bundles(st.integers(1, 70), max_units=140), seed=seeds)
@settings(max_examples=60)
def test_every_vector_follows_the_equations(network, seed):
    features = random_features(np.random.default_rng(seed), network, 5)
    assert_follows(GoldenModel(network), Equations(network), features)


def test_random_networks_meet_ties():
    """The networks that all tests run on hit a = theta often enough to tell the tie rules apart."""
    rng = np.random.default_rng(0)
    ties = total = 0
    for _ in range(10):
        network = random_bundle(rng, hidden=[("bgru", 20)], bins=10, qad_bits=4)
        model, mask = GoldenModel(network), network.layers[-1]
        assert isinstance(mask, Layer)
        product = Product(mask.w)
        for frame in pack(random_features(rng, network, 10)):
            sums = product(model.step(frame)[1]["gru0"]["h"])[: mask.units]
            ties, total = ties + int(np.count_nonzero(sums == mask.threshold)), total + sums.size
    assert ties / total > 0.05


# Ties: each comparator by name. One unit, two inputs, a sum that is the threshold, then one below it.


def one_unit(w: list[list[int]], u: list[int], theta: list[int], initial: int) -> GoldenModel:
    return GoldenModel(one_unit_bundle(w, u, theta, initial))


@pytest.mark.parametrize(("theta", "bit"), [(3, 1), (4, 0), (2, 1)])
def test_tie_of_the_reset_gate_is_1(theta, bit):
    model = one_unit([[1, 1], [0, 0], [0, 0]], [1, 0, 0], [theta, NEVER, 0], initial=1)
    _, trace = model.step(pack(np.array([1, 1])))  # 1 + 1 + 1 = 3
    assert trace["gru0"]["r"].tolist() == [bit]


@pytest.mark.parametrize(("theta", "bit"), [(-1, 1), (0, 0), (-2, 1)])
def test_tie_of_the_update_gate_is_1_and_keeps_h(theta, bit):
    model = one_unit([[0, 0], [-1, 1], [0, 0]], [0, 1, 0], [ALWAYS, theta, ALWAYS], initial=0)
    _, trace = model.step(pack(np.array([1, 1])))  # -1 + 1 - 1 = -1; h is -1 and h~ is +1
    assert trace["gru0"]["z"].tolist() == [bit]
    assert trace["gru0"]["h"].tolist() == [1 - bit]


@pytest.mark.parametrize(("theta", "bit"), [(1, 1), (2, 0), (0, 1)])
def test_tie_of_the_candidate_is_plus_1(theta, bit):
    model = one_unit([[0, 0], [0, 0], [1, 1]], [0, 0, 1], [ALWAYS, NEVER, theta], initial=0)
    _, trace = model.step(pack(np.array([1, 1])))  # 1 + 1 + 1 * -1 = 1
    assert trace["gru0"]["candidate"].tolist() == [bit]


@pytest.mark.parametrize(("theta", "bit"), [(-2, 1), (-1, 0), (-3, 1)])
def test_tie_of_the_mask_keeps_the_bin(theta, bit):
    w, limit = np.array([[1, -1]]), np.array([theta], dtype=np.int32)
    layer = Layer("mask", "dense", 2, 1, Matrix.from_values(w), limit)
    network = Bundle("one", random_front_end(np.random.default_rng(0), 1, 2), (layer,))
    assert GoldenModel(network).masks(np.array([[0, 1]])).tolist() == [[bit]]  # -1 - 1 = -2


def test_empty_row_is_a_tie_with_zero():
    layer = Layer("mask", "dense", 2, 1, Matrix.from_values(np.zeros((1, 2), int)), np.zeros(1, dtype=np.int32))
    network = Bundle("one", random_front_end(np.random.default_rng(0), 1, 2), (layer,))
    assert GoldenModel(network).masks(np.array([[0, 1], [1, 1]])).tolist() == [[1], [1]]


def test_lanes_that_r_switches_off_count_as_zero():
    # Uh (r * h): with r = 0, neither weight * +1 nor weight * -1 is left, and the tie gives +1.
    for initial in (0, 1):
        for weight in (-1, 1):
            model = one_unit([[0, 0]] * 3, [0, 0, weight], [NEVER, NEVER, 0], initial)
            _, trace = model.step(pack(np.array([0, 1])))
            assert trace["gru0"]["r"].tolist() == [0]
            assert trace["gru0"]["candidate"].tolist() == [1]


# State.


@pytest.mark.parametrize("initial", [0, 1])
def test_initial_state_is_the_bundles(initial):
    model = one_unit([[0, 0]] * 3, [0, 0, 0], [ALWAYS, ALWAYS, ALWAYS], initial)  # z = 1: h stays
    assert [int(mask[0]) for mask, _ in model.steps(pack(np.ones((3, 2), dtype=np.uint8)))] == [initial] * 3


@given(network=bundles(), seed=seeds, lengths=st.lists(st.integers(1, 4), min_size=2, max_size=3))
@settings(max_examples=30)
def test_an_utterance_in_blocks_is_as_the_whole(network, seed, lengths):
    features = random_features(np.random.default_rng(seed), network, sum(lengths))
    model = GoldenModel(network)
    blocks = [model.go_on(block) for block in np.split(features, np.cumsum(lengths)[:-1])]
    assert np.array_equal(np.concatenate(blocks), GoldenModel(network).masks(features))


@given(network=bundles(), seed=seeds, lengths=st.lists(st.integers(1, 4), min_size=2, max_size=3))
@settings(max_examples=30)
def test_utterances_one_after_the_other_are_as_each_alone(network, seed, lengths):
    rng = np.random.default_rng(seed)
    utterances = [random_features(rng, network, length) for length in lengths]
    model = GoldenModel(network)
    for features in utterances:
        assert np.array_equal(model.masks(features), GoldenModel(network).masks(features))


def test_reset_returns_to_the_initial_state_and_leaves_the_bundle_alone():
    rng = np.random.default_rng(3)
    network = random_bundle(rng, hidden=[("bgru", 20), ("bgru", 18)], bins=20)
    before = [layer.initial_state.copy() for layer in network.layers[:2]]
    model, features = GoldenModel(network), random_features(rng, network, 6)
    first = [mask.tolist() for mask, _ in model.steps(pack(features))]
    going_on = [mask.tolist() for mask, _ in model.steps(pack(features))]
    model.reset()
    assert [mask.tolist() for mask, _ in model.steps(pack(features))] == first
    assert going_on != first, "a state that nothing depends on shows nothing"
    assert all(np.array_equal(layer.initial_state, old) for layer, old in zip(network.layers, before, strict=False))


def test_dense_layers_alone_have_no_memory():
    rng = np.random.default_rng(4)
    network = random_bundle(rng, hidden=[("dense", 9)], bins=8)
    features = random_features(rng, network, 6)
    backwards = GoldenModel(network).masks(features[::-1])[::-1]
    assert np.array_equal(GoldenModel(network).masks(features), backwards)


# The products.


@given(seed=seeds, rows=st.integers(1, 70), columns=st.integers(1, 300), rho=st.sampled_from([0.0, 0.3, 1.0]))
@settings(max_examples=50)
def test_dot_counts_what_the_product_sums(seed, rows, columns, rho):
    rng = np.random.default_rng(seed)
    values = rng.choice([-1, 1], (rows, columns)) * (rng.random((rows, columns)) < rho)
    x, active = rng.integers(0, 2, columns), rng.integers(0, 2, columns)
    product = Product(Matrix.from_values(values))
    assert np.array_equal(product(pack(x))[:rows], values @ (2 * x - 1))
    assert np.array_equal(product(pack(x), active=pack(active))[:rows], values @ ((2 * x - 1) * active))


def test_dot_does_not_overflow_at_the_largest_widths():
    columns = 70_000  # more than an int16 holds
    product = Product(Matrix.from_values(np.ones((1, columns), dtype=int)))
    assert product(pack(np.ones(columns, dtype=int)))[0] == columns
    assert product(pack(np.zeros(columns, dtype=int)))[0] == -columns


def test_gates_one_after_the_other_have_rows_of_whole_words():
    values = np.arange(3 * 5 * 2).reshape(3, 5, 2) % 3 - 1
    sums = Product(Matrix.from_values(values))(pack(np.array([1, 0])))
    expected = np.zeros((3, 64))
    expected[:, :5] = values @ [1, -1]
    assert np.array_equal(sums.reshape(3, 64), expected)


def test_the_papers_size_is_five_times_as_fast_as_real_time():
    rng = np.random.default_rng(0)
    network = random_bundle(rng, hidden=[("bgru", 1024)], bins=513, qad_bits=4)
    assert network.weights == 9_974_784
    model, features = GoldenModel(network), random_features(rng, network, 40)
    model.masks(features[:2])
    begin = time.process_time()
    model.masks(features)
    assert len(features) / (time.process_time() - begin) > 5 * 62.5  # frames per second at 16 kHz and a hop of 256
