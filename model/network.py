"""The bitwise GRU network in PyTorch, from real-valued (pi = 0) to fully binary (pi = 1).

Kim, Maity and Kim (ICASSP 2019). Round 1 is pi = 0: tanh-compressed weights, eq. (9). Round 2 mixes them with
ternary ones by the scaled-sparsity mask B, eq. (5) and (6), and Bernoulli masks C over weights and activations,
eq. (7), (8) and (11), drawn anew at every call; bitwise functions pass the gradients of their relaxed
counterparts, eq. (12). Vectors are bipolar floats, -1 or +1.

Every gate computes `v = s (a - t)`. Here `a` is the product with weights in units of mu, so that at pi = 1 it is
a sum of ternary times +-1: an integer, exact in float32. The bit is `a >= t`, ties to 1, and `ceil(t)` is the
integer threshold that `model.export` writes, so the golden model computes the same bits. The scale `s` only sets
the slope of the relaxed functions: of order 1 / sqrt(columns), it keeps `v` where tanh isn't saturated.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

Draw = torch.Generator | None
"""Source of the Bernoulli masks and dropout; None is PyTorch's global one."""


INITIAL = 0.1
"""Weights begin in +-INITIAL: small against what they learn, since only signs of what was learned survive."""


@dataclass(frozen=True)
class Binarisation:
    """How weights become ternary, the same in every layer.

    `rho` is the fraction that is kept, `slope` the scale of v in units of 1 / sqrt(columns). With `zeros_learn` the
    weights that are not kept go on learning; without it, eq. (12), they can't come back once pi is 1.
    """

    rho: float = 0.8
    slope: float = 4.0
    zeros_learn: bool = False


class _PartlyBinaryWeight(torch.autograd.Function):
    """Eq. (7) divided by mu: `kept * sgn(w)` where C is 1, `tanh(w) / mu` elsewhere.

    Its derivative is eq. (12), where `learning` says which of the weights that C chose have one: the paper's B lets
    only the kept ones learn.
    """

    @staticmethod
    def forward(ctx: Any, weight: Tensor, kept: Tensor, learning: Tensor, chosen: Tensor, mu: Tensor) -> Tensor:
        relaxed = torch.tanh(weight)
        ctx.save_for_backward(relaxed, learning, chosen, mu)
        return torch.where(chosen, sign(weight) * kept, relaxed / mu)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        relaxed, learning, chosen, mu = ctx.saved_tensors
        slope = torch.where(chosen, learning.to(relaxed.dtype), 1.0 / mu)
        return gradients[0] * slope * (1.0 - relaxed * relaxed), None, None, None, None


class _PartlyBinaryActivation(torch.autograd.Function):
    """Eq. (8): the given bits where C is 1, `relaxed(v)` elsewhere; the derivative is the relaxed one everywhere."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, positive: Tensor, chosen: Tensor, is_gate: bool) -> Tensor:
        relaxed = torch.sigmoid(v) if is_gate else torch.tanh(v)
        ctx.save_for_backward(relaxed)
        ctx.is_gate = is_gate
        bits = positive.to(v.dtype)
        return torch.where(chosen, bits if is_gate else 2.0 * bits - 1.0, relaxed)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (relaxed,) = ctx.saved_tensors
        slope = relaxed * (1.0 - relaxed) if ctx.is_gate else 1.0 - relaxed * relaxed
        return gradients[0] * slope, None, None, None


def sign(values: Tensor) -> Tensor:
    """-1 or +1, with sgn(0) = +1 as everywhere in the project (torch.sign has 0 there)."""
    return 2.0 * (values >= 0).to(values.dtype) - 1.0


def sparsity_mask(weight: Tensor, rho: float) -> tuple[Tensor, Tensor]:
    """Eq. (5) for one gate, over the concatenation [W | U]: (kept, mu).

    `kept` is True for the round(rho * n) weights of largest magnitude (of equal ones at the cutoff, the first
    in memory), `mu` the mean of their |tanh(w)|: the compressed weight is what the ternary one stands in for.
    """
    magnitude = weight.detach().abs()
    flat = magnitude.flatten()
    count = max(1, round(rho * flat.numel()))
    smallest = torch.kthvalue(flat, flat.numel() - count + 1).values
    kept = flat > smallest
    ties = torch.nonzero(flat == smallest).flatten()
    kept[ties[: count - int(kept.sum())]] = True
    mu = torch.tanh(flat[kept]).mean()
    return kept.view_as(weight), mu.clamp_min(1e-12)  # all-zero weights have a scale too


def bernoulli(pi: float, shape: Sequence[int], draw: Draw) -> Tensor:
    """A mask C: True with probability `pi`. Nothing is drawn at the ends, 0 and 1."""
    if pi in (0.0, 1.0):
        return torch.full(tuple(shape), pi == 1.0)
    return torch.rand(tuple(shape), generator=draw) < pi


def dropout(x: Tensor, rate: float, draw: Draw) -> Tensor:
    """Zero a fraction `rate` and scale up the rest (nn.Dropout, but with a generator of our own)."""
    if rate == 0.0:
        return x
    return x * (torch.rand(x.shape, generator=draw) >= rate) / (1.0 - rate)


def activation(v: Tensor, positive: Tensor, chosen: Tensor, is_gate: bool = False) -> Tensor:
    """Eq. (8): bits where C (`chosen`) is 1, bipolar or 0 and 1 for a gate; tanh(v) or the gate's sigmoid elsewhere."""
    result: Tensor = _PartlyBinaryActivation.apply(v, positive, chosen, is_gate)
    return result


class Rows(nn.Module):
    """`gates` stacked matrices [W | U] with their thresholds: all that a layer multiplies by.

    `weight` is (gates, units, inputs + states), real; `bias` (gates, units) is in units of v. The inputs are
    measured from `centre`, their mean over the training data, which folds into the threshold as W centre.
    """

    centre: Tensor

    def __init__(self, gates: int, units: int, inputs: int, states: int, binary: Binarisation) -> None:
        super().__init__()
        self.inputs, self.rho, self.zeros_learn = inputs, binary.rho, binary.zeros_learn
        columns = inputs + states
        self.weight = nn.Parameter(torch.empty(gates, units, columns).uniform_(-INITIAL, INITIAL))
        self.bias = nn.Parameter(torch.zeros(gates, units))
        self.scale = binary.slope / math.sqrt(columns)
        self.register_buffer("centre", torch.zeros(inputs))

    def effective(self, pi: float, draw: Draw = None) -> tuple[Tensor, Tensor, Tensor]:
        """(weights in units of mu, thresholds t on a, scales s), shapes (gates, units, columns | 1 | 1)."""
        if pi == 0.0:
            weight, mu = torch.tanh(self.weight), torch.ones(len(self.weight), 1, 1)
        else:
            masks = [sparsity_mask(gate, self.rho) for gate in self.weight]
            kept, mu = torch.stack([kept for kept, _ in masks]), torch.stack([mu for _, mu in masks])[:, None, None]
            chosen = bernoulli(pi, self.weight.shape, draw)
            learning = torch.ones_like(kept) if self.zeros_learn else kept
            weight = _PartlyBinaryWeight.apply(self.weight, kept, learning, chosen, mu)
        scale = self.scale * mu
        threshold = (weight[..., : self.inputs] @ self.centre)[..., None] - self.bias[..., None] / scale
        return weight, threshold, scale

    @torch.no_grad()
    def ternary(self) -> tuple[Tensor, Tensor]:
        """At pi = 1: weights -1, 0, +1 and integer thresholds, the two things that are exported."""
        weight, threshold, _ = self.effective(1.0)
        return weight, torch.ceil(threshold[..., 0])


class BGRU(nn.Module):
    """One bitwise GRU layer, eq. (11); gates in the order r, z, h. The initial state is learned."""

    kind = "bgru"

    def __init__(self, inputs: int, units: int, binary: Binarisation) -> None:
        super().__init__()
        self.inputs, self.units = inputs, units
        self.rows = Rows(3, units, inputs, units, binary)
        self.initial = nn.Parameter(torch.empty(units).uniform_(-1.0, 1.0))

    def forward(self, x: Tensor, h: Tensor | None, pi: float, draw: Draw = None) -> tuple[Tensor, Tensor]:
        """All states (frames, batch, units) and the last one, from x (frames, batch, inputs) and the state before it.

        `h` is (batch, units), or None to begin from the initial state.
        """
        frames, batch, units = x.shape[0], x.shape[1], self.units
        weight, threshold, scale = self.rows.effective(pi, draw)
        from_input = x @ weight[:, :, : self.inputs].reshape(3 * units, self.inputs).T
        recurrent = weight[:, :, self.inputs :]
        gates, candidate = recurrent[:2].reshape(2 * units, units).T, recurrent[2].T
        gate_t, candidate_t = threshold[:2].flatten(), threshold[2].flatten()
        gate_s, candidate_s = scale[:2].expand(2, units, 1).flatten(), scale[2].flatten()
        chosen = bernoulli(pi, (frames, batch, 3 * units), draw)
        if h is None:
            h = activation(self.initial, self.initial >= 0, bernoulli(pi, (units,), draw)).expand(batch, units)
        states = []
        for from_x, mask in zip(from_input, chosen, strict=True):
            a = from_x[:, : 2 * units] + h @ gates
            rz = activation(gate_s * (a - gate_t), a >= gate_t, mask[:, : 2 * units], is_gate=True)
            r, z = rz[:, :units], rz[:, units:]
            a = from_x[:, 2 * units :] + (r * h) @ candidate
            new = activation(candidate_s * (a - candidate_t), a >= candidate_t, mask[:, 2 * units :])
            h = z * h + (1.0 - z) * new
            states.append(h)
        return torch.stack(states), h


class Dense(nn.Module):
    """A dense layer. As a hidden layer its activation is sgn (the paper's BNN), as the last one the mask."""

    kind = "dense"

    def __init__(self, inputs: int, units: int, binary: Binarisation) -> None:
        super().__init__()
        self.inputs, self.units = inputs, units
        self.rows = Rows(1, units, inputs, 0, binary)

    def forward(self, x: Tensor, pi: float, draw: Draw = None) -> tuple[Tensor, Tensor]:
        """From x (..., inputs): v and whether a >= t, both (..., units)."""
        weight, threshold, scale = self.rows.effective(pi, draw)
        a = x @ weight[0].T
        return scale[0, 0, 0] * (a - threshold.flatten()), a >= threshold.flatten()


class Network(nn.Module):
    """Any number of BGRU or hidden dense layers, then the dense layer of the mask.

    `hidden` says how many units each hidden layer has and `kind`, bgru or dense, what they all are.
    """

    def __init__(self, features: int, hidden: Sequence[int], bins: int, kind: str, binary: Binarisation) -> None:
        super().__init__()
        make = {"bgru": BGRU, "dense": Dense}[kind]
        sizes = [features, *hidden]
        self.hidden = nn.ModuleList(make(*pair, binary) for pair in pairwise(sizes))
        self.mask = Dense(sizes[-1], bins, binary)

    @property
    def layers(self) -> list[BGRU | Dense]:
        """All layers in order, the mask's last."""
        return [*self.hidden, self.mask]

    def centre(self, mean: Tensor) -> None:
        """Measure the features, bipolar, from their mean over the training data, shape (features,)."""
        self.layers[0].rows.centre.copy_(mean)

    def forward(
        self,
        x: Tensor,
        states: Sequence[Tensor | None] | None = None,
        pi: float = 1.0,
        drop: tuple[float, float] = (0.0, 0.0),
        draw: Draw = None,
    ) -> tuple[Tensor, Tensor, list[Tensor | None]]:
        """Features x (frames, batch, features), bipolar, to (v, bits, states) with v and bits (frames, batch, bins).

        `v` is the relaxed output that a loss is computed on, `bits` (bool) the mask. `states` is what an earlier
        call returned, detached, to go on with the same sequences, or None to begin. `drop` is the dropout of the
        features and of every hidden layer's output.
        """
        x = dropout(x, drop[0], draw)
        after: list[Tensor | None] = []
        for index, layer in enumerate(self.hidden):
            if isinstance(layer, BGRU):
                x, state = layer(x, None if states is None else states[index], pi, draw)
                after.append(state.detach())
            else:
                v, positive = layer(x, pi, draw)
                x = activation(v, positive, bernoulli(pi, v.shape, draw))
                after.append(None)
            x = dropout(x, drop[1], draw)
        v, bits = self.mask(x, pi, draw)
        return v, bits, after
