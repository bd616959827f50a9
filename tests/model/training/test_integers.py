"""Quantised networks: the golden model computes the same integers, and gradients are those of the relaxed functions."""

import copy
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from model.bundle.formats import WEIGHT_FORMATS, Format, one, top  # noqa: E402 (after importorskip)
from model.bundle.tables import sigmoid_table, tanh_table  # noqa: E402 (after importorskip)
from model.corpora.float_front_end import FloatFrontEnd  # noqa: E402 (after importorskip)
from model.reference.golden_model import GoldenModel  # noqa: E402 (after importorskip)
from model.training.export import to_bundle  # noqa: E402 (after importorskip)
from model.training.integers import Gru, Quantisation, _nearest, _Tables, best_step  # noqa: E402 (after importorskip)
from model.training.network import BINARY, REAL, MaskNetwork  # noqa: E402 (after importorskip)
from tests.support.integer_bundles import any_features  # noqa: E402 (after importorskip)

exact = st.sampled_from([name for name in WEIGHT_FORMATS if name != "seo6"])
"""Formats whose sums of small layers have 53 bits for certain."""


def front_end(bins: int, code: str, feature_bits: int, gain_bits: int) -> FloatFrontEnd:
    """One feature per bin: a bit, or a level."""
    thresholds = np.full((bins, 1), 0.01, np.float32)
    size = 2 * (bins - 1)
    return FloatFrontEnd(16000, size, max(1, size // 4), "hann", 0.1, thresholds, 64, code, 1, feature_bits, gain_bits)


def network_of(
    weights: str,
    feature_bits: int,
    bits: int,
    gain_bits: int,
    kind: str,
    hidden: list[int],
    bins: int,
    seed: int,
    learned_steps: bool = False,
) -> MaskNetwork:
    """Random weights, biases, steps and means of the features."""
    torch.manual_seed(seed)
    formats = [WEIGHT_FORMATS[name] for name in weights.split(",")]
    how = Quantisation(formats, feature_bits, bits, gain_bits, 8.0, learned_steps)
    network = MaskNetwork(bins, hidden, bins, kind, how)
    network.centre(one(feature_bits) * (2 * torch.rand(bins) - 1))
    for layer in network.layers:
        layer.rows.weight.data.normal_()
        layer.rows.bias.data.normal_()
        layer.rows.stretch.data.normal_(std=0.1)
    return network


def masks(network: MaskNetwork, features: np.ndarray) -> np.ndarray:
    """Of the network in float64 at pi = 1, (frames, units), from the features (frames, features)."""
    x = torch.from_numpy(features).double()[:, None]
    with torch.no_grad():
        v, _ = copy.deepcopy(network).double()(2 * x - 1 if features.dtype == np.uint8 else x)
        gains: np.ndarray = network.mask.gains(v[:, 0]).numpy()
    return gains


@given(
    weights=exact,
    feature_bits=st.sampled_from([1, 4, 8]),
    bits=st.integers(1, 8),
    gain_bits=st.integers(1, 8),
    kind=st.sampled_from(["gru", "dense"]),
    hidden=st.lists(st.integers(1, 20), max_size=2),
    half=st.integers(1, 15),
    seed=st.integers(0, 2**16),
    learned=st.booleans(),
)
@settings(max_examples=100)
def test_golden_model_equals_network_bit_for_bit(
    weights: str,
    feature_bits: int,
    bits: int,
    gain_bits: int,
    kind: str,
    hidden: list[int],
    half: int,
    seed: int,
    learned: bool,
) -> None:
    network = network_of(weights, feature_bits, bits, gain_bits, kind, hidden, half + 1, seed, learned)
    front = front_end(half + 1, "binary" if feature_bits == 1 else "level", feature_bits, gain_bits)
    made = to_bundle(network, front, "random", {})
    features = any_features(np.random.default_rng(seed), made.front_end, 20)
    np.testing.assert_array_equal(GoldenModel(made).masks(features), masks(network, features))


def test_each_layer_may_have_a_format_of_its_own() -> None:
    network = network_of("int4,int8,ternary", 8, 8, 6, "gru", [12, 9], 17, 3)
    front = front_end(17, "level", 8, 6)
    made = to_bundle(network, front, "random", {})
    assert [layer.format.w.name for layer in made.layers] == ["int4", "int8", "ternary"]
    features = any_features(np.random.default_rng(3), made.front_end, 20)
    np.testing.assert_array_equal(GoldenModel(made).masks(features), masks(network, features))


def test_random_networks_reach_most_of_their_gains() -> None:
    """A mask of few values would show little."""
    network = network_of("int4", 8, 8, 6, "gru", [30], 20, 0)
    made = to_bundle(network, front_end(20, "level", 8, 6), "random", {})
    features = any_features(np.random.default_rng(0), made.front_end, 50)
    assert len(np.unique(GoldenModel(made).masks(features))) > 40


@pytest.mark.parametrize("bits", range(1, 9))
def test_rounded_functions_are_the_tables(bits: int) -> None:
    index, step = torch.arange(-one(bits), one(bits)).float(), (bits + 4) / 2 ** (bits + 1)
    tables, out = _Tables(bits, True), torch.empty(2**bits)
    tanh = tables.values(index, torch.tensor(step), 0, slice(None), False, out).clone()
    assert tanh.tolist() == tanh_table(bits).tolist()
    sigmoid = tables.values(index, torch.tensor(2 * step), 0, slice(None), True, out)
    assert (sigmoid * one(bits)).tolist() == sigmoid_table(bits).tolist()


@pytest.mark.parametrize("name", sorted(WEIGHT_FORMATS))
def test_a_weight_becomes_the_nearest_one_of_its_format(name: str) -> None:
    format = WEIGHT_FORMATS[name]
    codes = [code for code in range(-format.most, format.most + 1) if code or format.zero]
    values = format.values(np.array(codes, np.int8)).astype(float)
    x = np.random.default_rng(0).normal(0, min(format.largest, 100), 500)
    found = _nearest(torch.from_numpy(x), format).numpy()
    assert set(found) <= set(values)
    assert np.array_equal(np.abs(found - x), np.abs(values[:, None] - x).min(axis=0))


@pytest.mark.parametrize("name", sorted(WEIGHT_FORMATS))
def test_the_step_loses_least_on_normal_weights(name: str) -> None:
    """Less than a step half as large or twice as large."""
    format = WEIGHT_FORMATS[name]

    def error(step: float) -> float:
        weights = torch.from_numpy(np.random.default_rng(0).normal(size=100_000))
        return float((step * _nearest(weights / step, format) - weights).square().mean())

    best = best_step(format)
    assert error(best) <= 1.001 * min(error(best / 2), error(best * 2))
    if name == "binary":
        assert best == pytest.approx(math.sqrt(2 / math.pi), rel=0.01)  # the mean magnitude


def test_real_valued_the_layer_is_the_gru_of_the_paper() -> None:
    """At pi = 0: eq. (1) in real numbers, of operands in units of what stands for 1."""
    torch.manual_seed(0)
    format = Format(8, 8, WEIGHT_FORMATS["int4"], WEIGHT_FORMATS["int4"])
    layer = Gru(5, 4, format, reach=one(8), slope=3.0)
    layer.rows.bias.data.normal_()
    x = torch.randint(-128, 128, (6, 2, 5)).float()
    states = layer(x, None, REAL) / top(8)
    w, scale, h = layer.rows.weight, 3.0 / 3.0, torch.tanh(layer.initial)  # slope / sqrt(5 + 4)
    for t in range(6):

        def sums(gate: int, state: Any, t: int = t) -> Any:
            return scale * (x[t] / 128 @ w[gate, :, :5].T + state @ w[gate, :, 5:].T) + layer.rows.bias[gate]

        r, z = torch.sigmoid(2 * sums(0, h) / 2), torch.sigmoid(2 * sums(1, h) / 2)
        h = z * h + (1 - z) * torch.tanh(sums(2, r * h))
        assert torch.allclose(states[t], h, atol=1e-5)


@pytest.mark.parametrize("pi", [REAL, BINARY])
@pytest.mark.parametrize("kind", ["gru", "dense"])
def test_every_parameter_has_a_gradient(pi: Any, kind: str) -> None:
    network = network_of("int4", 8, 8, 8, kind, [6], 5, 0, learned_steps=True)
    v, _ = network(torch.randint(-128, 128, (7, 3, 5)).float(), pi=pi)
    v.square().mean().backward()
    for name, parameter in network.named_parameters():
        if name.endswith("stretch") and pi == REAL:
            continue  # real weights have no step
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("name", ["binary", "ternary", "int4", "seo4"])
def test_the_gradient_of_a_step_is_that_of_lsq(name: str) -> None:
    """Esser et al. (2020), eq. (3): the rounding error in steps within the range, the largest value beyond it."""
    network = network_of(name, 8, 8, 8, "dense", [], 5, 2, learned_steps=True)
    (rows,), upstream = [layer.rows for layer in network.layers], torch.randn(1, 5, 5)
    weight, _, _ = rows.effective(BINARY)
    (weight * upstream).sum().backward()
    format = WEIGHT_FORMATS[name]
    (step,), (_, _, move) = rows._steps(), rows._parts()[0]
    x = (rows.weight / step[..., None]).detach()
    nearest, within = _nearest(x, format), x.abs() <= format.largest
    slope = torch.where(within, nearest - x, nearest) * upstream * move[..., None]
    expected = (slope * step[..., None]).sum(-1).detach()  # by the logarithm of a step
    assert torch.allclose(rows.stretch.grad[0], expected, atol=1e-5)
    assert torch.allclose(rows.weight.grad, within * upstream * move[..., None], atol=1e-6)


def test_the_gradient_at_pi_0_is_that_of_the_function() -> None:
    network = network_of("int4", 8, 4, 8, "gru", [3], 4, 1).double()
    x = torch.randint(-128, 128, (4, 2, 4)).double()
    names, values = zip(*network.named_parameters(), strict=True)

    def output(*parameters: Any) -> Any:
        return torch.func.functional_call(network, dict(zip(names, parameters, strict=True)), (x,), {"pi": REAL})[0]

    assert torch.autograd.gradcheck(output, tuple(value.detach().requires_grad_() for value in values))


def test_the_state_goes_on_from_one_stretch_to_the_next() -> None:
    network = network_of("seo4", 8, 5, 8, "gru", [6, 4], 5, 0)
    x = torch.randint(-128, 128, (8, 3, 5)).float()
    whole, _ = network(x)
    first, states = network(x[:3])
    second, _ = network(x[3:], states)
    assert torch.equal(torch.cat([first, second]), whole)


def test_formats_of_a_network() -> None:
    network = network_of("int4", 1, 6, 3, "gru", [4, 5], 9, 0)
    made = to_bundle(network, front_end(9, "binary", 1, 3), "names", {})
    assert [(layer.name, layer.kind) for layer in made.layers] == [("gru0", "gru"), ("gru1", "gru"), ("mask", "dense")]
    bits = [(entry["input_bits"], entry["output_bits"]) for entry in (layer.entry["format"] for layer in made.layers)]
    assert bits == [(1, 6), (6, 6), (6, 3)]


def test_the_bundle_is_exact_whatever_the_training_was_in() -> None:
    """Thresholds are rounded in float64, of float32 weights."""
    network = network_of("int8", 8, 8, 8, "gru", [9], 9, 3)
    one_way = to_bundle(network, front_end(9, "level", 8, 8), "a", {})
    other = to_bundle(copy.deepcopy(network).double(), front_end(9, "level", 8, 8), "a", {})
    assert one_way.identity == other.identity
