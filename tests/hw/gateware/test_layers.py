"""A BGRU layer and a dense layer by themselves, against the golden model: every vector of every frame."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.engine import FoldedMatrix
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec
from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.bundle.layers import Kind, Layer
from model.bundle.matrices import Matrix
from tests.support.hw_bench import bits_of, few
from tests.support.hw_layers import run_layer
from tests.support.random_bundles import (
    ALWAYS,
    NEVER,
    densities,
    one_unit_bundle,
    random_bundle,
    random_features,
    random_foldings,
    random_front_end,
    seeds,
)

pytestmark = pytest.mark.simulator

KINDS: tuple[Kind, ...] = ("bgru", "dense")
kinds = pytest.mark.parametrize("kind", KINDS)


def small_bundle(
    rng: np.random.Generator, kind: Kind, units: int, bins: int = 5, qad_bits: int = 2, rho: float = 0.8
) -> Bundle:
    return random_bundle(rng, hidden=[(kind, units)], bins=bins, qad_bits=qad_bits, rho=rho)


@kinds
@given(
    seed=seeds,
    units=st.integers(1, 11),
    bins=st.integers(1, 8),
    qad_bits=st.integers(1, 2),
    rho=densities,
    weights=st.sampled_from(["rom", "loaded", "streamed"]),
    packed=st.booleans(),
)
@few
def test_every_vector_under_idles_and_back_pressure(kind, seed, units, bins, qad_bits, rho, weights, packed):
    rng = np.random.default_rng(seed)
    bundle = small_bundle(rng, kind, units, bins, qad_bits, rho)
    folding = next(iter(random_foldings(rng, bundle).values()))
    folding = replace(folding, packed=packed and not bundle.layers[0].binary)
    features = random_features(rng, bundle, 4)
    run_layer(bundle, folding, features, [1, 0, 0, 1], rng, idle=0.2, stall=0.4, weights=weights)


@kinds
@pytest.mark.parametrize(("pe", "simd"), [(1, 1), (7, 10), (2, 5), (3, 4), (4, 3), (7, 1), (1, 10)])
def test_any_folding_gives_the_same_bits(kind, pe, simd):
    rng = np.random.default_rng(7)
    bundle = small_bundle(rng, kind, 7)
    run_layer(bundle, Folding(pe, simd), random_features(rng, bundle, 3), [1, 0, 0], rng)


@kinds
@pytest.mark.parametrize(("pe", "simd"), [(2, 3), (1, 8), (6, 4)])  # (6, 4): all rows at once
@given(abort=st.integers(2, 160))  # up to where the reader is in one frame and the results in another
@few
def test_reset_in_mid_frame_and_then_a_right_utterance(kind, pe, simd, abort):
    rng = np.random.default_rng(abort)
    bundle = small_bundle(rng, kind, 6)
    # The first frame after reset begins at the initial state, marked or not.
    frames = random_features(rng, bundle, 3)
    run_layer(bundle, Folding(pe, simd), frames, [0, 0, 0], rng, idle=0.1, stall=0.2, abort=abort)


@pytest.mark.parametrize("units", [1, 2, 6])
def test_every_utterance_begins_at_the_initial_state(units):
    rng = np.random.default_rng(units)
    bundle = small_bundle(rng, "bgru", units)
    starts = [1, 0, 1, 1, 0, 0, 1]
    run_layer(bundle, Folding(1, 2), random_features(rng, bundle, len(starts)), starts, rng)


TIES = {
    "reset gate": (0, [[1, 1], [0, 0], [0, 0]], [1, 0, 0], 1, 3, [NEVER, NEVER]),  # 1 + 1 + 1
    "update gate": (1, [[0, 0], [-1, 1], [0, 0]], [0, 1, 0], 0, -1, [ALWAYS, ALWAYS]),  # -1 + 1 - 1
    "candidate": (2, [[0, 0], [0, 0], [1, 1]], [0, 0, 1], 0, 1, [ALWAYS, NEVER]),  # 1 + 1 - 1
    "candidate without r": (2, [[0, 0], [0, 0], [0, 0]], [0, 0, 1], 0, 0, [NEVER, NEVER]),  # 1 * 0 * -1
}


@pytest.mark.parametrize("gate", TIES)
@pytest.mark.parametrize(("above", "bit"), [(-1, 1), (0, 1), (1, 0)])
def test_tie_of_each_comparator_of_a_bgru_layer_is_1(gate, above, bit):
    index, w, u, initial, total, others = TIES[gate]
    theta = [*others[:index], total + above, *others[index:]]
    bundle = one_unit_bundle(w, u, theta, initial)
    _, watch, *_ = run_layer(bundle, Folding(1, 2), np.array([[1, 1]]), [1], np.random.default_rng(0))
    assert [data for valid, vector, data, *_ in watch.log if valid and vector == index] == [bit]


@pytest.mark.parametrize(("theta", "bit"), [(-3, 1), (-2, 1), (-1, 0)])
def test_tie_of_a_dense_layer_is_1(theta, bit):
    w, limit = Matrix.from_values(np.array([[1, -1]])), np.array([theta], dtype=np.int32)
    layer = Layer("mask", "dense", 2, 1, w, limit)
    bundle = Bundle("one", random_front_end(np.random.default_rng(0), 1, 2), (layer,))
    _, watch, *_ = run_layer(bundle, Folding(1, 1), np.array([[0, 1]]), [1], np.random.default_rng(0))  # -1 - 1
    assert [data for valid, _, data, *_ in watch.log if valid] == [bit]


def test_dense_latency_is_its_words_and_the_engines():
    rng = np.random.default_rng(3)
    bundle = small_bundle(rng, "dense", 6)
    layer, _, fed, got = run_layer(bundle, Folding(2, 5), random_features(rng, bundle, 1), [1], rng)
    # The buffer is full a cycle after the last word, and a word read then enters the engine in the next.
    assert got[-1] - fed[-1] == layer.spec.ideal + layer.spec.engine.latency + 1
    assert got == [got[-1] - 2 * layer.spec.words, got[-1] - layer.spec.words, got[-1]]


def test_dense_frames_follow_one_another_without_a_gap():
    rng = np.random.default_rng(4)
    bundle = small_bundle(rng, "dense", 6)
    layer, watch, _, got = run_layer(bundle, Folding(2, 5), random_features(rng, bundle, 5), [1, 0, 0, 0, 0], rng)
    assert np.diff(got).tolist() == [layer.spec.words] * 14
    assert watch.cycles == [layer.spec.ideal] * 5


def test_ideal_is_the_sum_over_matrices():
    rng = np.random.default_rng(5)
    bundle = random_bundle(rng, hidden=[("bgru", 7)], bins=5, qad_bits=2)
    gru, mask = (LayerSpec.of(layer, Folding(2, 4), ECP5) for layer in bundle.bitwise)
    assert gru.ideal == 3 * 4 * (3 + 2)
    assert mask.ideal == 3 * 2


def test_binary_arithmetic_where_no_weight_is_zero_and_ternary_otherwise():
    rng = np.random.default_rng(6)
    for rho, name in ((1.0, "binary"), (0.5, "ternary")):
        for layer in small_bundle(rng, "bgru", 7, rho=rho).bitwise:
            assert LayerSpec.of(layer, Folding(2, 2), ECP5).engine.format.name == name


def test_the_columns_of_input_and_state_are_each_padded_and_the_rows_of_each_matrix():
    ones = Matrix.from_values(np.ones((3, 3, 5), dtype=np.int8)), Matrix.from_values(np.ones((3, 3, 3), dtype=np.int8))
    layer = Layer("gru", "bgru", 5, 3, ones[0], np.zeros((3, 3), dtype=np.int32), ones[1], pack(np.zeros(3)))
    spec = LayerSpec("gru", "bgru", 5, 3, binary=False, folding=Folding(2, 4), family=ECP5)
    matrix = FoldedMatrix.of(layer, spec)
    assert (spec.engine.groups, spec.engine.words, spec.engine.columns) == (6, 3, 8)
    # Eight kept weights of which both operands count: eight of +1 reach 0; a padding row is out of reach of sixteen.
    biases = np.array([bits_of(word, 12) for word in matrix.bias_words]).reshape(6, 2, 6) @ [1, 2, 4, 8, 16, -32]
    assert biases.tolist() == [[-8, -8], [-8, -17]] * 3
    words = np.array([bits_of(word, 16) for word in matrix.weight_words]).reshape(6, 3, 2, 2, 4)[..., 1, :]
    used = words.transpose(0, 2, 1, 3).reshape(3, 4, 12)  # non-zeros: matrices, rows, lanes
    assert used[:, :3, :5].all() and used[:, :3, 8:11].all()
    assert not used[:, 3].any() and not used[..., 5:8].any() and not used[..., 11].any()
