"""Predictions of what rounding costs: each against its definition."""

import math
from typing import Any, cast

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from scipy.stats import entropy  # noqa: E402 (after importorskip)

from model.bundle.formats import WEIGHT_FORMATS  # noqa: E402 (after importorskip)
from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.training import sensitivity  # noqa: E402 (after importorskip)
from model.training.integers import Quantisation  # noqa: E402 (after importorskip)
from model.training.network import REAL, MaskNetwork  # noqa: E402 (after importorskip)

FORMATS = ("ternary", "int4", "int8")
PAIRS = torch.cartesian_prod(torch.arange(3), torch.arange(3))


def network_of(features: int, hidden: list[int], bins: int, kind: str = "gru", seed: int = 0) -> MaskNetwork:
    torch.manual_seed(seed)
    network = MaskNetwork(features, hidden, bins, kind, Quantisation([WEIGHT_FORMATS["int4"]], 8, 8, 8, slope=8.0))
    for layer in network.layers:
        layer.rows.weight.data.normal_(std=0.3)
    return network


def heard(features: int, frames: int = 12, batch: int = 3) -> list[Any]:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.integers(-128, 128, (frames, batch, features)).astype(np.float32))
    return [(x, None), (x.flip(0), None)]


def _squares(v: Any, _: Any) -> Any:
    return v.square().mean()


squares: Any = _squares
"""An objective with a known curvature."""


def rounded(network: MaskNetwork, names: tuple[str, ...] = FORMATS) -> list[list[Any]]:
    """The weights of each layer in each format, with the step of its row."""
    found = []
    for layer in network.layers:
        rows = layer.rows
        kept, row = rows.format, []
        for name in names:
            other = WEIGHT_FORMATS[name]
            rows.format = type(kept)(kept.input_bits, kept.output_bits, other, kept.u and other)
            row.append(rows.rounded())
        rows.format = kept
        found.append(row)
    return found


def test_the_trace_of_a_diagonal_hessian_is_exact() -> None:
    """A dense layer of one input: no output depends on two weights, so any signs give the trace."""
    network, sounds = network_of(1, [], 9), heard(1)
    scale = 8.0 / 128.0  # slope / sqrt(1) / the level that means 1
    expected = np.mean([2 * (scale * x.numpy()) ** 2 for x, _ in sounds])
    (found,) = sensitivity.traces(network, sounds, squares, seed=1)
    assert found == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["gru", "dense"])
def test_the_trace_is_that_of_the_whole_hessian(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within four standard deviations of the estimate, from the Hessian itself."""
    network, sounds = network_of(3, [3], 3, kind).double(), [heard(3)[0]]
    weights = [layer.rows.weight for layer in network.layers]
    sizes = [weight.numel() for weight in weights]

    def gradient() -> Any:
        v, _ = network(sounds[0][0].double(), pi=REAL)
        return torch.cat([part.flatten() for part in torch.autograd.grad(squares(v, None), weights)])

    columns = []
    for weight in weights:
        flat = weight.data.view(-1)
        for index in range(len(flat)):
            sides = []
            for distance in (1e-5, -2e-5):
                flat[index] += distance
                sides.append(gradient())
            flat[index] += 1e-5
            columns.append((sides[0] - sides[1]) / 2e-5)
    hessian = torch.stack(columns)
    assert torch.allclose(hessian, hessian.T, atol=1e-6)
    monkeypatch.setattr(sensitivity, "PROBES", 64)
    found = sensitivity.traces(network.float(), sounds, squares, seed=0)
    begin = 0
    for size, estimate in zip(sizes, found, strict=True):
        rows = hessian[begin : begin + size]
        own = rows[:, begin : begin + size]
        symmetric = rows.square().sum() + own.square().sum() - 2 * own.diagonal().square().sum()
        assert abs(estimate - float(own.trace())) < 4 * math.sqrt(symmetric / 64)
        begin += size


def test_curvature_is_half_the_mean_curvature_times_the_squared_error() -> None:
    network, sounds = network_of(4, [5], 4), heard(4)
    traces, weights = sensitivity.traces(network, sounds, squares, 3), rounded(network)
    found = sensitivity.curvature(network, weights, sounds, squares, PAIRS, 3)
    for value, chosen in zip(found, PAIRS.tolist(), strict=True):
        parts = [
            trace / layer.rows.weight.numel() * (row[index] - layer.rows.weight).square().sum() / 2
            for trace, layer, row, index in zip(traces, network.layers, weights, chosen, strict=True)
        ]
        assert value == pytest.approx(float(sum(parts).detach()), rel=1e-4)
    assert found[0] > found[4] > found[8]  # ternary, int4, int8


def test_a_network_at_no_minimum_is_refused() -> None:
    network, negative = network_of(4, [5], 4), cast(Any, lambda v, t: -squares(v, t))
    with pytest.raises(BadInput, match=r"layer 0: expected a positive curvature of the loss, got -"):
        sensitivity.curvature(network, rounded(network), heard(4), negative, PAIRS, 0)


def test_divergence_is_that_of_the_masks_with_one_layer_rounded() -> None:
    network, sounds = network_of(4, [5], 4), heard(4)[:1]
    weights = rounded(network)
    found = sensitivity.divergence(network, weights, sounds, squares, PAIRS, 0)

    def mask() -> Any:
        with torch.no_grad():
            p = (2 * network(sounds[0][0], pi=REAL)[0]).sigmoid().numpy().astype(float)
        return np.stack([p, 1 - p])

    real, alone = mask(), []
    for layer, row in zip(network.layers, weights, strict=True):
        kept = layer.rows.weight.data
        alone.append([])
        for layer.rows.weight.data in row:
            alone[-1].append(np.mean(entropy(real, mask())))
        layer.rows.weight.data = kept
    expected = [alone[0][first] + alone[1][second] for first, second in PAIRS.tolist()]
    assert found == pytest.approx(expected, rel=1e-3, abs=1e-6)
    assert found[0] > found[4] > found[8] > 0


@pytest.mark.parametrize("name", sensitivity.METHODS)
def test_a_method_leaves_the_network_as_it_is_and_repeats_itself(name: str) -> None:
    network, sounds = network_of(4, [5], 4), heard(4)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    method, weights = sensitivity.METHODS[name], rounded(network)
    first, second = (method(network, weights, sounds, squares, PAIRS, 7) for _ in range(2))
    assert first == second
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


def test_the_search_gives_probabilities_and_all_to_the_only_one() -> None:
    network, sounds = network_of(4, [5], 4), heard(4)
    weights = rounded(network)
    found = sensitivity.search(network, weights, sounds, squares, PAIRS, 0)
    assert sum(math.exp(-value) for value in found) == pytest.approx(1.0, rel=1e-4)
    assert sensitivity.search(network, weights, sounds, squares, PAIRS[:1], 0) == [0.0]


def test_the_search_finds_the_layer_that_needs_its_bits() -> None:
    """One of two layers may be exact, the other is all zeros; only the last layer's weights are right if they are."""
    network, sounds = network_of(4, [5], 4), heard(4)
    with torch.no_grad():
        wanted, _ = network(sounds[0][0], pi=REAL)
    exact = [layer.rows.weight.detach() for layer in network.layers]
    almost = 0.99 * exact[0]
    weights = [[almost, exact[0]], [torch.zeros_like(exact[1]), exact[1]]]
    either = torch.tensor([[0, 1], [1, 0]])

    distance: Any = lambda v, _: (v - wanted).square().mean()  # noqa: E731 (an objective, not a function of ours)

    first, second = sensitivity.search(network, weights, sounds[:1], distance, either, 0)
    assert first < second
