"""The network: masks, gradients and exactness (paper equations in brackets)."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from model.training.bernoulli import Draw  # noqa: E402 (after importorskip)
from model.training.network import (  # noqa: E402 (after importorskip)
    BINARY,
    REAL,
    Binarisation,
    MaskNetwork,
    Pi,
    Rows,
    activation,
    dropout,
    sign,
    sparsity_mask,
)


def rows(weight: torch.Tensor, zeros_learn: bool = False) -> Rows:
    """A single gate whose every column is an input; it keeps 80 % of its weights."""
    units, columns = weight.shape
    made = Rows(1, units, columns, 0, Binarisation(rho=0.8, slope=3.0, zeros_learn=zeros_learn))
    made.weight.data.copy_(weight[None])
    return made


@given(
    st.integers(1, 3),
    st.integers(1, 20),
    st.integers(1, 40),
    st.floats(0.05, 1.0),
    st.booleans(),
    st.booleans(),
    st.integers(0, 99),
)
def test_sparsity_mask_keeps_exactly_rho_of_the_weights(
    gates: int, units: int, columns: int, rho: float, per_row: bool, ties: bool, seed: int
) -> None:
    """Eq. (5): of every gate or every row, also where many weights have the magnitude of the cutoff."""
    torch.manual_seed(seed)
    shape = (gates, units, columns)
    weight = torch.randint(-2, 3, shape).float() if ties else torch.randn(shape)
    kept, mu = sparsity_mask(weight, rho, per_row)
    assert mu.shape == (gates, units if per_row else 1, 1)
    groups = weight.abs().view(-1, columns if per_row else units * columns)
    count = max(1, round(rho * groups.shape[1]))
    for magnitude, chosen, scale in zip(groups, kept.view(groups.shape), mu.flatten(), strict=True):
        largest = magnitude.sort(descending=True).values[:count]
        assert torch.equal(magnitude[chosen].sort(descending=True).values, largest)
        assert float(scale) == pytest.approx(max(float(torch.tanh(largest).mean()), 1e-12), rel=1e-5)


def test_cutoff_and_scale_are_shared_by_input_and_recurrent_weights_of_one_gate() -> None:
    layer = Rows(3, 8, 6, 8, Binarisation(rho=0.5))
    layer.weight.data[0, :, :6] *= 0.01  # gate r: its input weights are all below its cutoff
    weight, _, scale = layer.effective(BINARY, Draw())
    assert int((weight[0] != 0).sum()) == round(0.5 * 8 * 14)
    assert int((weight[0, :, 6:] != 0).sum()) > int((weight[0, :, :6] != 0).sum())
    assert len({float(s) for s in scale.flatten()}) == 3


def test_ties_go_to_plus_one_and_to_one() -> None:
    assert sign(torch.tensor([-1.5, -0.0, 0.0, 2.0])).tolist() == [-1.0, 1.0, 1.0, 1.0]
    network = MaskNetwork(2, [], 1, "dense", Binarisation(rho=1.0, slope=1.0))
    network.mask.rows.weight.data.fill_(0.5)
    v, _ = network(torch.tensor([[[1.0, -1.0]], [[-1.0, -1.0]]]))
    assert (v >= 0).flatten().tolist() == [True, False]


def test_masks_are_drawn_again_at_every_call() -> None:
    made, draw = rows(torch.randn(30, 30)), Draw(1)
    first, second = made.effective(Pi(0.5, 0.5), draw)[0], made.effective(Pi(0.5, 0.5), draw)[0]
    assert not torch.equal(first, second)


def test_dropout_keeps_the_mean() -> None:
    x = torch.ones(30, 30, 100)
    dropped = dropout(x, 0.2, Draw(1))
    assert float((dropped == 0).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)


def test_partly_binary_weights_are_ternary_where_chosen_and_compressed_elsewhere() -> None:
    """Eq. (7), in units of mu."""
    weight = torch.randn(20, 20)
    made = rows(weight)
    kept, mu = (found[0] for found in sparsity_mask(weight[None], 0.8))
    effective = made.effective(Pi(0.5, 0.0), Draw(3))[0][0]
    chosen = Draw(3).bernoulli(0.5, (1, 20, 20))[0]
    torch.testing.assert_close(effective[chosen], (sign(weight) * kept)[chosen], rtol=0, atol=0)
    torch.testing.assert_close((effective * mu)[~chosen], torch.tanh(weight)[~chosen])


@pytest.mark.parametrize("zeros_learn", [False, True])
@pytest.mark.parametrize("pi", [0.0, 0.4, 1.0])
def test_gradient_of_the_weights(pi: float, zeros_learn: bool) -> None:
    """Eq. (10) at pi = 0 and eq. (12) above it: x * (1 - tanh(w)^2) * (B * C + (1 - C)), times the scale of v.

    Where zeros learn too, B is mu everywhere.
    """
    torch.manual_seed(5)
    weight, x = torch.randn(7, 9), torch.randn(9)
    made = rows(weight, zeros_learn)
    effective, threshold, scale = made.effective(Pi(pi, 0.0), Draw(3))
    upstream = torch.randn(7)
    v = scale[0, 0] * (effective[0] @ x - threshold.flatten())
    v.backward(upstream)
    kept, mu = (found[0] for found in sparsity_mask(weight[None], 0.8))
    chosen = torch.as_tensor(Draw(3).bernoulli(pi, (1, 7, 9))).expand(1, 7, 9)[0]
    b, c = mu if zeros_learn else kept * mu, chosen.float()
    slope = made.scale
    expected = upstream[:, None] * x * slope * (1 - torch.tanh(weight) ** 2) * (b * c + (1 - c))
    torch.testing.assert_close(made.weight.grad[0], expected)
    torch.testing.assert_close(made.bias.grad[0], upstream)


def test_round_1_is_a_gru_with_compressed_weights() -> None:
    """Eq. (9): one step against the formula, reset gate before the product."""
    torch.manual_seed(0)
    network = MaskNetwork(5, [4], 3, "bgru", Binarisation(rho=0.8, slope=2.0))
    layer = network.hidden[0]
    x, h = torch.randn(1, 2, 5), torch.rand(2, 4) * 2 - 1
    states = layer(x, h, REAL, Draw())
    w = torch.tanh(layer.rows.weight) * layer.rows.scale
    r = torch.sigmoid(torch.cat([x[0], h], 1) @ w[0].T)
    z = torch.sigmoid(torch.cat([x[0], h], 1) @ w[1].T)
    candidate = torch.tanh(torch.cat([x[0], r * h], 1) @ w[2].T)
    torch.testing.assert_close(states[0], z * h + (1 - z) * candidate)


def straight_through(v: torch.Tensor, chosen: torch.Tensor | bool, is_gate: bool) -> torch.Tensor:
    """Eq. (8) with the gradient of eq. (12), as autograd has it."""
    soft = torch.sigmoid(v) if is_gate else torch.tanh(v)
    bits = (v >= 0).to(v.dtype) if is_gate else sign(v)
    return soft + (torch.where(torch.as_tensor(chosen), bits, soft) - soft).detach()


@pytest.mark.parametrize("pi", [REAL, Pi(0.3, 0.6), Pi(1.0, 0.0), Pi(0.0, 1.0), BINARY])
@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 7), st.integers(1, 7), st.booleans(), st.integers(0, 99))
@settings(max_examples=20)
def test_the_written_out_gradient_through_time_is_autograds(
    pi: Pi, frames: int, batch: int, inputs: int, units: int, begins: bool, seed: int
) -> None:
    """Every parameter's gradient of a BGRU layer, eq. (11) and (12), against the same recorded step by step."""
    torch.manual_seed(seed)
    network = MaskNetwork(inputs, [units], 1, "bgru", Binarisation(rho=0.6, slope=3.0, per_row=True))
    layer, x = network.hidden[0], sign(torch.randn(frames, batch, inputs))
    h = None if begins else sign(torch.randn(batch, units))
    upstream = torch.randn(frames, batch, units)
    states = layer(x, h, pi, Draw(seed))
    states.backward(upstream)
    written = [(name, value.grad) for name, value in layer.named_parameters()]
    layer.zero_grad()

    draw = Draw(seed)
    weight, threshold, scale = layer.rows.effective(pi, draw)
    if h is None:
        h = straight_through(layer.initial, draw.bernoulli(pi.activations, (units,)), False).expand(batch, units)
    chosen = torch.as_tensor(draw.of_sequences(pi.activations, (frames, batch, 3 * units)))
    chosen = chosen.expand(frames, batch, 3 * units)
    expected = []
    for at, mask in zip(x, chosen, strict=True):
        r, z = (
            straight_through(scale[g] * (torch.cat([at, h], 1) @ weight[g].T - threshold[g]), mask.chunk(3, 1)[g], True)
            for g in (0, 1)
        )
        v = scale[2] * (torch.cat([at, r * h], 1) @ weight[2].T - threshold[2])
        h = z * h + (1 - z) * straight_through(v, mask.chunk(3, 1)[2], False)
        expected.append(h)
    torch.testing.assert_close(states, torch.stack(expected))
    torch.stack(expected).backward(upstream)
    for (name, value), parameter in zip(written, layer.parameters(), strict=True):
        assert (value is None) == (parameter.grad is None), name
        if value is not None:
            torch.testing.assert_close(value, parameter.grad, rtol=1e-4, atol=1e-5, msg=name)


@pytest.mark.parametrize("pi", [Pi(0.3, 0.3), BINARY])
def test_bitwise_activations_of_dense_layers_have_the_relaxed_gradient(pi: Pi) -> None:
    torch.manual_seed(2)
    v, upstream = torch.randn(3, 4, 5, requires_grad=True), torch.randn(3, 4, 5)
    chosen = Draw(4).of_sequences(pi.activations, v.shape)
    given_, expected = activation(v, chosen), straight_through(v, chosen, False)
    assert torch.equal(given_, expected)
    torch.testing.assert_close(torch.autograd.grad(given_, v, upstream), torch.autograd.grad(expected, v, upstream))


def test_training_products_are_bfloat16_and_those_that_are_compared_are_not() -> None:
    """Outside of autocast sums of ternary weights are integers, exact; under it they are rounded to 8 bits."""
    network = MaskNetwork(1001, [], 1, "dense", Binarisation(rho=1.0, slope=math.sqrt(1001)))
    network.mask.rows.weight.data.fill_(0.5)
    x = torch.ones(1, 1, 1001)
    scale = float(network.mask.rows.effective(BINARY, Draw())[2])
    assert float(network(x)[0].detach()) / scale == pytest.approx(1001, rel=1e-6)
    with torch.autocast("cpu", torch.bfloat16):
        assert float(network(x)[0].detach()) / scale == pytest.approx(1000, rel=1e-6)


def test_no_tensor_is_made_on_another_device_than_the_networks() -> None:
    """On PyTorch's `meta` device any tensor made on the CPU by mistake is an error, as it is on a GPU."""
    network = MaskNetwork(8, [6], 3, "bgru", Binarisation(rho=0.8, slope=2.0)).to("meta")
    v, _ = network(torch.ones(4, 2, 8, device="meta"), pi=REAL)
    v.sum().backward()
    assert v.device.type == "meta"


def test_states_carried_over_chunks_equal_one_long_call() -> None:
    torch.manual_seed(1)
    network = MaskNetwork(8, [6, 5], 3, "bgru", Binarisation(rho=0.8, slope=2.0))
    x = sign(torch.randn(12, 4, 8))
    whole, _ = network(x)
    first, states = network(x[:5])
    second, _ = network(x[5:], states)
    assert torch.equal(whole, torch.cat([first, second]))
    assert all(state is not None and not state.requires_grad for state in states)


def test_every_state_is_bipolar_from_the_first_frame() -> None:
    torch.manual_seed(1)
    layer = MaskNetwork(8, [6], 3, "bgru", Binarisation(rho=0.8, slope=2.0)).hidden[0]
    states = layer(sign(torch.randn(9, 2, 8)), None, BINARY, Draw())
    assert set(states.unique().tolist()) <= {-1.0, 1.0}


def test_pre_activations_are_of_order_one_at_any_size() -> None:
    torch.manual_seed(0)
    spreads = []
    for features in (64, 1024):
        network = MaskNetwork(features, [], 50, "dense", Binarisation(rho=0.8, slope=2.0))
        v, _ = network(sign(torch.randn(1, 200, features)))
        spreads.append(float(v.detach().std()))
    assert math.isclose(spreads[0], spreads[1], rel_tol=0.2)
    assert 0.1 < np.mean(spreads) < 2.0
