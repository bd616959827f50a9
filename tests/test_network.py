"""The network: masks, gradients and exactness (paper equations in brackets)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from model.network import Binarisation, Network, Rows, bernoulli, dropout, sign, sparsity_mask  # noqa: E402 (after importorskip)


def rows(weight: torch.Tensor, zeros_learn: bool = False) -> Rows:
    """A single gate whose every column is an input; it keeps 80 % of its weights."""
    units, columns = weight.shape
    made = Rows(1, units, columns, 0, Binarisation(rho=0.8, slope=3.0, zeros_learn=zeros_learn))
    made.weight.data.copy_(weight[None])
    return made


@given(st.integers(1, 40), st.integers(1, 40), st.floats(0.05, 1.0), st.booleans(), st.integers(0, 99))
@settings(deadline=None)
def test_sparsity_mask_keeps_exactly_rho_of_the_weights(
    units: int, columns: int, rho: float, ties: bool, seed: int
) -> None:
    """Eq. (5): also where many weights have the magnitude of the cutoff."""
    torch.manual_seed(seed)
    weight = torch.randint(-2, 3, (units, columns)).float() if ties else torch.randn(units, columns)
    kept, mu = sparsity_mask(weight, rho)
    count = max(1, round(rho * units * columns))
    assert int(kept.sum()) == count
    largest = weight.abs().flatten().sort(descending=True).values[:count]
    assert torch.equal(weight.abs()[kept].sort(descending=True).values, largest)
    assert float(mu) == pytest.approx(max(float(torch.tanh(largest).mean()), 1e-12), rel=1e-5)


def test_cutoff_and_scale_are_shared_by_input_and_recurrent_weights_of_one_gate() -> None:
    layer = Rows(3, 8, 6, 8, Binarisation(rho=0.5))
    layer.weight.data[0, :, :6] *= 0.01  # gate r: its input weights are all below its cutoff
    weight, _, scale = layer.effective(1.0)
    assert int((weight[0] != 0).sum()) == round(0.5 * 8 * 14)
    assert int((weight[0, :, 6:] != 0).sum()) > int((weight[0, :, :6] != 0).sum())
    assert len({float(s) for s in scale.flatten()}) == 3


def test_ties_go_to_plus_one_and_to_one() -> None:
    assert sign(torch.tensor([-1.5, -0.0, 0.0, 2.0])).tolist() == [-1.0, 1.0, 1.0, 1.0]
    network = Network(2, [], 1, "dense", Binarisation(rho=1.0, slope=1.0))
    network.mask.rows.weight.data.fill_(0.5)
    _, bits, _ = network(torch.tensor([[[1.0, -1.0]], [[-1.0, -1.0]]]))
    assert bits.flatten().tolist() == [True, False]


def test_bernoulli_mask_is_drawn_with_its_probability_and_whole_at_the_ends() -> None:
    draw = torch.Generator().manual_seed(1)
    assert float(bernoulli(0.3, (200, 200), draw).float().mean()) == pytest.approx(0.3, abs=0.02)
    assert not bernoulli(0.0, (3, 3), draw).any()
    assert bernoulli(1.0, (3, 3), draw).all()


def test_masks_are_drawn_anew_at_every_call() -> None:
    made, draw = rows(torch.randn(30, 30)), torch.Generator().manual_seed(1)
    first, second = made.effective(0.5, draw)[0], made.effective(0.5, draw)[0]
    assert not torch.equal(first, second)


def test_dropout_keeps_the_mean() -> None:
    x = torch.ones(300, 300)
    dropped = dropout(x, 0.2, torch.Generator().manual_seed(1))
    assert float((dropped == 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)


def test_partly_binary_weights_are_ternary_where_chosen_and_compressed_elsewhere() -> None:
    """Eq. (7), in units of mu."""
    weight = torch.randn(20, 20)
    made = rows(weight)
    kept, mu = sparsity_mask(weight, 0.8)
    effective = made.effective(0.5, torch.Generator().manual_seed(3))[0][0]
    chosen = bernoulli(0.5, (1, 20, 20), torch.Generator().manual_seed(3))[0]
    torch.testing.assert_close(effective[chosen], (sign(weight) * kept)[chosen], rtol=0, atol=0)
    torch.testing.assert_close(effective[~chosen] * mu, torch.tanh(weight)[~chosen])


@pytest.mark.parametrize("zeros_learn", [False, True])
@pytest.mark.parametrize("pi", [0.0, 0.4, 1.0])
def test_gradient_of_the_weights(pi: float, zeros_learn: bool) -> None:
    """Eq. (10) at pi = 0 and eq. (12) above it: x * (1 - tanh(w)^2) * (B * C + (1 - C)), times the scale of v.

    Where zeros learn too, B is mu everywhere.
    """
    torch.manual_seed(5)
    weight, x = torch.randn(7, 9), torch.randn(9)
    made = rows(weight, zeros_learn)
    effective, threshold, scale = made.effective(pi, torch.Generator().manual_seed(3))
    upstream = torch.randn(7)
    v = scale[0, 0, 0] * (effective[0] @ x - threshold.flatten())
    v.backward(upstream)
    kept, mu = sparsity_mask(weight, 0.8)
    chosen = bernoulli(pi, (1, 7, 9), torch.Generator().manual_seed(3))[0]
    b, c = mu if zeros_learn else kept * mu, chosen.float()
    slope = made.scale
    expected = upstream[:, None] * x * slope * (1 - torch.tanh(weight) ** 2) * (b * c + (1 - c))
    torch.testing.assert_close(made.weight.grad[0], expected)
    torch.testing.assert_close(made.bias.grad[0], upstream)


def test_round_1_is_a_gru_with_compressed_weights() -> None:
    """Eq. (9): one step against the formula, reset gate before the product."""
    torch.manual_seed(0)
    network = Network(5, [4], 3, "bgru", Binarisation(rho=0.8, slope=2.0))
    layer = network.hidden[0]
    x, h = torch.randn(1, 2, 5), torch.rand(2, 4) * 2 - 1
    states, _ = layer(x, h, 0.0)
    w = torch.tanh(layer.rows.weight) * layer.rows.scale
    r = torch.sigmoid(torch.cat([x[0], h], 1) @ w[0].T)
    z = torch.sigmoid(torch.cat([x[0], h], 1) @ w[1].T)
    candidate = torch.tanh(torch.cat([x[0], r * h], 1) @ w[2].T)
    torch.testing.assert_close(states[0], z * h + (1 - z) * candidate)


@pytest.mark.parametrize("pi", [0.3, 1.0])
def test_bitwise_activations_have_the_relaxed_gradient(pi: float) -> None:
    """The network's gradient at pi = 1 equals that of the relaxed functions around the same bits, eq. (12)."""
    torch.manual_seed(2)
    network = Network(6, [5], 4, "dense", Binarisation(rho=1.0, slope=2.0))
    x = sign(torch.randn(1, 3, 6))
    v, _, _ = network(x, pi=pi, draw=torch.Generator().manual_seed(4))
    v.sum().backward()
    hidden, draw = network.hidden[0], torch.Generator().manual_seed(4)
    inner, _ = hidden(x, pi, draw)
    chosen = bernoulli(pi, inner.shape, draw)
    soft = torch.tanh(inner)
    activation = soft + (torch.where(chosen, sign(inner), soft) - soft).detach()
    outer, _ = network.mask(activation, pi, draw)
    (expected,) = torch.autograd.grad(outer.sum(), hidden.rows.weight)
    torch.testing.assert_close(hidden.rows.weight.grad, expected)


def test_states_carried_over_chunks_equal_one_long_call() -> None:
    torch.manual_seed(1)
    network = Network(8, [6, 5], 3, "bgru", Binarisation(rho=0.8, slope=2.0))
    x = sign(torch.randn(12, 4, 8))
    whole, _, _ = network(x)
    first, _, states = network(x[:5])
    second, _, _ = network(x[5:], states)
    assert torch.equal(whole, torch.cat([first, second]))
    assert all(state is not None and not state.requires_grad for state in states)


def test_every_state_is_bipolar_from_the_first_frame() -> None:
    torch.manual_seed(1)
    layer = Network(8, [6], 3, "bgru", Binarisation(rho=0.8, slope=2.0)).hidden[0]
    states, _ = layer(sign(torch.randn(9, 2, 8)), None, 1.0)
    assert set(states.unique().tolist()) <= {-1.0, 1.0}


def test_pre_activations_are_of_order_one_at_any_size() -> None:
    torch.manual_seed(0)
    spreads = []
    for features in (64, 1024):
        network = Network(features, [], 50, "dense", Binarisation(rho=0.8, slope=2.0))
        v, _, _ = network(sign(torch.randn(1, 200, features)))
        spreads.append(float(v.detach().std()))
    assert math.isclose(spreads[0], spreads[1], rel_tol=0.2)
    assert 0.1 < np.mean(spreads) < 2.0
