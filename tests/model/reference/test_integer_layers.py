"""Integer layers against rule 14 of docs/exact-meaning.md in plain integers: one element at a time, no NumPy."""

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format, one, top
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.bundle.random_bundle import random_front_end, random_integer_layer, random_layer
from model.reference.golden_model import GoldenModel
from model.reference.integer_layers import Gru, IntegerDense
from tests.support.integer_bundles import (
    any_features,
    as_integers,
    formats,
    integer_bundles,
    weight_formats,
)
from tests.support.random_bundles import random_features, seeds


def weight(code: int, name: str) -> int:
    """What a code of a format stands for."""
    if not name.startswith("seo") or code == 0:
        return code
    return (1 if code > 0 else -1) * 2 ** (abs(code) - 1)


class Plain:
    """One layer, frame by frame; vectors are lists of integers."""

    def __init__(self, layer: IntegerLayer) -> None:
        self.layer, self.n = layer, layer.format.output_bits
        self.h = [] if layer.initial_state is None else layer.initial_state.tolist()
        self.indices: list[int] = []

    def row(self, row: int | tuple[int, int], x: list[int], v: list[int], table: np.ndarray) -> int:
        it = self.layer
        w = sum(weight(code, it.format.w.name) * value for code, value in zip(it.w[row].tolist(), x, strict=True))
        total = int(it.w_multiplier[row]) * (w - int(it.threshold[row]))
        if it.u is not None:
            u = sum(weight(code, it.format.u.name) * value for code, value in zip(it.u[row].tolist(), v, strict=True))
            total += int(it.u_multiplier[row]) * u
        assert -(2**63) <= total < 2**63, "the word of rule 14.4"
        q = Fraction(total, 2 ** int(it.shift[row])).__floor__()
        q = max(-(2 ** (self.n - 1)), min(2 ** (self.n - 1) - 1, q))
        self.indices.append(q)
        return int(table.tolist()[q + 2 ** (self.n - 1)])

    def nearest(self, numerator: int) -> int:
        """Of numerator / 2^(n-1), ties upwards."""
        return (Fraction(numerator, 2 ** (self.n - 1)) + (Fraction(1, 2) if self.n > 1 else 0)).__floor__()

    def frame(self, x: list[int]) -> dict[str, list[int]]:
        it, units = self.layer, range(self.layer.units)
        if it.kind == "dense":
            return {"y": [self.row(k, x, [], it.tanh) for k in units]}
        r = [self.row((0, k), x, self.h, it.sigmoid) for k in units]
        z = [self.row((1, k), x, self.h, it.sigmoid) for k in units]
        v = [self.nearest(r[k] * self.h[k]) for k in units]
        candidate = [self.row((2, k), x, v, it.tanh) for k in units]
        unit = 2 ** (self.n - 1)
        self.h = [self.nearest(z[k] * self.h[k] + (unit - z[k]) * candidate[k]) for k in units]
        return {"r": r, "z": z, "v": v, "candidate": candidate, "h": self.h}


def operand(rng: np.random.Generator, bits: int, count: int) -> list[int]:
    """Any operand of so many bits; often the largest everywhere, or the least."""
    least, most = (-1, 1) if bits == 1 else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    kind = rng.integers(4)
    if kind == 0:
        return [least] * count
    if kind == 1:
        return [most] * count
    values = rng.choice([-1, 1], count) if bits == 1 else rng.integers(least, most + 1, count)
    return values.tolist()


def given_as(values: list[int], bits: int) -> np.ndarray:
    """An operand as layers take it."""
    return pack(np.array(values) > 0) if bits == 1 else np.array(values, np.int8)


def assert_follows(layer: IntegerLayer, operands: list[list[int]]) -> Plain:
    layer.check()
    plain, model = Plain(layer), Gru(layer) if layer.kind == "gru" else IntegerDense(layer)
    n = layer.format.output_bits
    for x in operands:
        y, trace = model.step(given_as(x, layer.format.input_bits))
        expected = plain.frame(x)
        last = expected["y" if layer.kind == "dense" else "h"]
        assert np.array_equal(y, given_as(last, n))
        assert all(-top(n) <= value <= top(n) for value in last)
        if layer.kind == "gru":
            assert {name: vector.tolist() for name, vector in trace.items()} == expected
            assert all(0 <= value <= one(n) for gate in ("r", "z") for value in expected[gate])
        else:
            assert np.array_equal(trace["y"], y)
    return plain


@given(st.data(), seeds, st.sampled_from(["gru", "dense"]), st.integers(1, 20), st.integers(1, 9))
@settings(max_examples=150)
def test_every_vector_follows_the_rules(data, seed, kind, inputs, units):
    rng = np.random.default_rng(seed)
    layer = random_integer_layer(rng, kind, inputs, units, data.draw(formats(kind == "gru")))
    assert_follows(layer, [operand(rng, layer.format.input_bits, inputs) for _ in range(5)])


@given(st.data(), seeds, st.sampled_from(["gru", "dense"]), st.sampled_from([-1, 1]), st.sampled_from([-1, 1]))
def test_extremes_of_every_array_follow_the_rules(data, seed, kind, sign, threshold):
    """Weights and operands all the largest or the least, thresholds and multipliers at their ends."""
    rng = np.random.default_rng(seed)
    layer = random_integer_layer(rng, kind, 5, 3, data.draw(formats(kind == "gru")))
    rows, format = layer.threshold.shape, layer.format
    ends = np.array([0, 1, 2**16 - 1], np.uint16)
    layer = dataclasses.replace(
        layer,
        w=np.full_like(layer.w, sign * format.w.most),
        threshold=np.full(rows, threshold * 2**31 - (threshold > 0), np.int32),
        w_multiplier=rng.choice(ends, rows),
        shift=rng.choice(np.array([0, 15, 31, 63], np.uint8), rows),
    )
    if kind == "gru":
        layer = dataclasses.replace(
            layer,
            u=np.full_like(layer.u, rng.choice([-1, 1]) * format.u.most),
            u_multiplier=rng.choice(ends, rows),
            initial_state=np.full(3, rng.choice([-1, 1]) * top(format.output_bits), np.int8),
        )
    assert_follows(layer, [operand(rng, format.input_bits, 5) for _ in range(4)])


@given(seeds, weight_formats, st.sampled_from([-1, 1]), st.sampled_from([-1, 1]))
def test_the_widest_rows_that_are_allowed_are_exact(seed, weights, weight_sign, operand_sign):
    """Sums of 1,000 extremes: the product is in floating point, and must not round."""
    rng, columns = np.random.default_rng(seed), 1000
    layer = random_integer_layer(rng, "dense", columns, 2, Format(8, 8, weights))
    codes = np.full((2, columns), weight_sign * weights.most, np.int8)
    codes[1, 0] *= -1
    extreme = operand_sign * 128 if operand_sign < 0 else 127
    assert_follows(
        dataclasses.replace(layer, w=codes, w_multiplier=np.array([1, 2**16 - 1], np.uint16)),
        [[extreme] * columns, [extreme] * (columns - 1) + [1]],
    )


@given(seeds, st.integers(1, 8), weight_formats)
def test_any_table_of_a_bundle_is_used(seed, bits, weights):
    rng = np.random.default_rng(seed)
    layer = random_integer_layer(rng, "gru", 6, 4, Format(4, bits, weights, weights))
    tanh = rng.choice([-1, 1], 2) if bits == 1 else rng.integers(-top(bits), top(bits) + 1, 2**bits)
    sigmoid = rng.integers(0, one(bits) + 1, 2**bits)
    layer = dataclasses.replace(layer, tanh=tanh.astype(np.int8), sigmoid=sigmoid.astype(np.uint8))
    assert_follows(layer, [operand(rng, 4, 6) for _ in range(5)])


def test_random_layers_meet_both_ends_of_their_tables_and_what_lies_between():
    """So the tests above tell clipping and rounding apart."""
    rng = np.random.default_rng(0)
    for weights in ("binary", "int4", "seo4"):
        format = Format(8, 6, WEIGHT_FORMATS[weights], WEIGHT_FORMATS[weights])
        layer = random_integer_layer(rng, "gru", 20, 30, format)
        found = assert_follows(layer, [rng.integers(-128, 128, 20).tolist() for _ in range(5)]).indices
        assert {-32, 31} <= set(found) and len(set(found)) > 40


def small(**arrays: Any) -> IntegerLayer:
    """A dense layer of one unit and one input with a weight of 1."""
    layer = random_integer_layer(np.random.default_rng(0), "dense", 1, 1, Format(8, 8, WEIGHT_FORMATS["int4"]))
    plain: dict[str, Any] = {
        "w": np.array([[1]], np.int8),
        "threshold": np.zeros(1, np.int32),
        "w_multiplier": np.array([1], np.uint16),
        "shift": np.zeros(1, np.uint8),
        "tanh": np.array([*range(-127, 128), 127], np.int8)[:256],
    }
    return dataclasses.replace(layer, **plain | arrays)


@pytest.mark.parametrize(("x", "index"), [(3, 1), (2, 1), (1, 0), (-1, -1), (-2, -1), (-3, -2)])
def test_the_shift_rounds_down(x, index):
    layer = small(shift=np.array([1], np.uint8))
    assert IntegerDense(layer).step(np.array([x], np.int8))[0].tolist() == [index + 1]


@pytest.mark.parametrize(("x", "entry"), [(127, 127), (-128, -127), (64, 127), (-64, -127), (-63, -125)])
def test_an_index_saturates(x, entry):
    layer = small(w_multiplier=np.array([2], np.uint16))
    assert IntegerDense(layer).step(np.array([x], np.int8))[0].tolist() == [entry]


@pytest.mark.parametrize(
    ("h", "r", "v"), [(1, 64, 1), (-1, 64, 0), (3, 64, 2), (-3, 64, -1), (127, 128, 127), (9, 0, 0)]
)
def test_ties_of_the_reset_go_upwards(h, r, v):
    layer = random_integer_layer(np.random.default_rng(0), "gru", 1, 1, Format(8, 8, *[WEIGHT_FORMATS["int4"]] * 2))
    layer = dataclasses.replace(
        layer, sigmoid=np.full(256, r, np.uint8), initial_state=np.array([h], np.int8), tanh=np.zeros(256, np.int8)
    )
    trace = Gru(layer).step(np.zeros(1, np.int8))[1]
    assert trace["v"].tolist() == [v]


@given(h=st.integers(-127, 127), candidate=st.integers(-127, 127), z=st.integers(0, 128))
def test_the_new_state_is_between_the_old_one_and_the_candidate_and_takes_one_product(h, candidate, z):
    layer = random_integer_layer(np.random.default_rng(0), "gru", 1, 1, Format(8, 8, *[WEIGHT_FORMATS["int4"]] * 2))
    layer = dataclasses.replace(
        layer,
        sigmoid=np.full(256, z, np.uint8),
        initial_state=np.array([h], np.int8),
        tanh=np.full(256, candidate, np.int8),
    )
    (new,) = Gru(layer).step(np.zeros(1, np.int8))[0].tolist()
    assert new == candidate + ((z * (h - candidate) + 64) >> 7)
    assert min(h, candidate) <= new <= max(h, candidate)
    assert new == (h if z == 128 else candidate if z == 0 else new)


# Layers one after the other.


@given(integer_bundles(), seeds)
@settings(max_examples=80)
def test_a_network_is_its_layers_one_after_the_other(network, seed):
    features = any_features(np.random.default_rng(seed), network.front_end, 5)
    layers = [Plain(layer) if isinstance(layer, IntegerLayer) else bitwise(layer) for layer in network.layers]
    masks = []
    for frame in features:
        bits = network.front_end.feature_bits
        x = [2 * value - 1 for value in frame.tolist()] if bits == 1 else frame.tolist()
        for layer in layers:
            vectors = layer.frame(x)
            x = vectors.get("y", vectors.get("h"))
        bits = network.front_end.gain_bits
        masks.append([(value + 1) // 2 if bits == 1 else value + top(bits) for value in x])
    got = GoldenModel(network).masks(features)
    assert got.dtype == np.uint8 and got.tolist() == masks
    assert got.max() <= network.front_end.unit_gain


def bitwise(layer: Layer) -> Plain:
    """Rule 2 says what a bitwise layer computes; rule 14 with one bit says the same."""
    return Plain(as_integers(layer))


@given(seeds, st.sampled_from(["bgru", "dense"]), st.integers(1, 70), st.integers(1, 9))
def test_with_one_bit_everywhere_the_rules_are_those_of_bitwise_layers(seed, kind, inputs, units):
    rng = np.random.default_rng(seed)
    layer = random_layer(rng, kind, inputs, units, name="mask")
    front_end = random_front_end(rng, inputs)
    front_end = dataclasses.replace(front_end, fft_size=2 * (inputs - 1))
    hidden = Bundle("bits", front_end, (layer, copy(units, inputs)))
    whole = Bundle("integers", front_end, (as_integers(layer), copy(units, inputs)))
    features = random_features(rng, hidden, 6)
    model, integers = GoldenModel(hidden), GoldenModel(whole)
    for frame in pack(features):
        one_way, other = model.step(frame)[1]["mask"], integers.step(frame)[1]["mask"]
        for name, vector in one_way.items():
            found = other[name]
            bits = found if kind == "dense" else pack(found > 0)
            assert np.array_equal(vector, bits), name


def copy(inputs: int, units: int) -> Layer:
    return random_layer(np.random.default_rng(0), "dense", inputs, units, name="last")


@given(integer_bundles(), seeds, st.lists(st.integers(1, 4), min_size=2, max_size=3))
@settings(max_examples=40)
def test_an_utterance_in_blocks_is_as_the_whole_and_after_a_reset_again(network, seed, lengths):
    features = any_features(np.random.default_rng(seed), network.front_end, sum(lengths))
    model = GoldenModel(network)
    blocks = [model.go_on(block) for block in np.split(features, np.cumsum(lengths)[:-1])]
    whole = GoldenModel(network).masks(features)
    assert np.array_equal(np.concatenate(blocks), whole)
    assert np.array_equal(model.masks(features), whole)


def test_the_state_of_a_gru_layer_matters():
    rng = np.random.default_rng(1)
    layer = random_integer_layer(rng, "gru", 4, 6, Format(8, 8, *[WEIGHT_FORMATS["int4"]] * 2))
    model, x = Gru(layer), np.zeros(4, np.int8)
    assert not np.array_equal(model.step(x)[0], model.step(x)[0])
