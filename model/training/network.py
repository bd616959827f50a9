"""The bitwise GRU network in PyTorch, from real-valued (pi = 0) to fully binary (pi = 1).

Kim, Maity and Kim (ICASSP 2019). Round 1 is pi = 0: tanh-compressed weights, eq. (9). Round 2 mixes them with
ternary ones by the scaled-sparsity mask B, eq. (5) and (6), and Bernoulli masks C over weights and activations,
eq. (7), (8) and (11), drawn again at every call; bitwise functions pass the gradients of their relaxed
counterparts, eq. (12). Vectors are bipolar floats, -1 or +1.

Every gate computes `v = s (a - t)`. Here `a` is the product with weights in units of mu, so that at pi = 1 it is
a sum of ternary times +-1: an integer, exact in float32. The bit is `a >= t`, ties to 1, and `ceil(t)` is the
integer threshold that `model.training.export` writes, so the golden model computes the same bits. The scale `s` only
sets the slope of the relaxed functions: of order 1 / sqrt(columns), it keeps `v` where tanh isn't saturated.

Products are those of torch: in bfloat16 under `torch.autocast`, which training uses and which is not exact, and in
float32 outside it, for everything that is compared bit by bit.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from model.training.bernoulli import Draw

INITIAL = 0.1
"""Weights start in +-INITIAL: small compared with what they learn, since only the signs of what they learn survive."""


class Pi(NamedTuple):
    """The bitwise share: the probability of C = 1 for weights, eq. (7), and for activations, eq. (8)."""

    weights: float
    activations: float


REAL, BINARY = Pi(0.0, 0.0), Pi(1.0, 1.0)
"""Round 1, and the end of round 2."""


@dataclass(frozen=True)
class Binarisation:
    """How weights become ternary, the same in every layer.

    `rho` is the fraction of weights kept in every row or, as in eq. (5), in every gate. `slope` is the scale of v in
    units of 1 / sqrt(columns). With `zeros_learn` the weights that are not kept continue to learn; without it, as in
    eq. (12), they stay zero once pi is 1.
    """

    rho: float = 0.8
    slope: float = 4.0
    zeros_learn: bool = False
    per_row: bool = False

    def layers(self, kind: str, sizes: Sequence[int]) -> tuple[list["Layer"], "MaskLayer"]:
        """Bitwise layers of these sizes, from the features to the mask; hidden layers are bgru or dense."""
        make: type[BGRU | Dense] = BGRU if kind == "bgru" else Dense
        *hidden, (inputs, units) = pairwise(sizes)
        return [make(*size, self) for size in hidden], Dense(inputs, units, self)


class Arithmetic(Protocol):
    """How a recurrence computes gates and states from its sums; `largest` is the state that means 1."""

    largest: float

    def values(self, v: Tensor, scale: Tensor, t: int, columns: slice, is_gate: bool, out: Tensor) -> Tensor:
        """Gates or candidates of frame t from v, the sums minus their thresholds, in these columns of all rows."""

    def reset(self, r: Tensor, h: Tensor, out: Tensor) -> Tensor:
        """The operand r * h, written to `out`."""

    def state(self, new: Tensor, h: Tensor, z: Tensor, out: Tensor) -> Tensor:
        """The new state from the candidate, the old state and z, written to `out`."""


class _Bitwise:
    """Eq. (8) and (11); C may be one bool for all elements."""

    largest = 1.0

    def __init__(self, chosen: Tensor | bool) -> None:
        self._chosen = chosen

    def values(self, v: Tensor, scale: Tensor, t: int, columns: slice, is_gate: bool, out: Tensor) -> Tensor:
        chosen = self._chosen if isinstance(self._chosen, bool) else self._chosen[t, :, columns]
        return mixed(v, scale, chosen, is_gate, out)

    def reset(self, r: Tensor, h: Tensor, out: Tensor) -> Tensor:
        return torch.mul(r, h, out=out)

    def state(self, new: Tensor, h: Tensor, z: Tensor, out: Tensor) -> Tensor:
        return torch.lerp(new, h, z, out=out)


class _PartlyBinaryWeight(torch.autograd.Function):
    """Eq. (7) divided by mu: `kept * sgn(w)` where C is 1 (True: everywhere), `tanh(w) / mu` elsewhere.

    Its derivative is eq. (12), where `learning` says which of the weights that C chose have one: with the paper's B
    only the kept ones do.
    """

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, kept: Tensor, learning: Tensor | bool, chosen: Tensor | bool, mu: Tensor
    ) -> Tensor:
        ctx.save_for_backward(weight, mu)
        ctx.learning, ctx.chosen = learning, chosen
        ternary = sign(weight).mul_(kept)
        return ternary if isinstance(chosen, bool) else torch.where(chosen, ternary, torch.tanh(weight).div_(mu))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        weight, mu = ctx.saved_tensors
        slope = torch.tanh(weight).square_().neg_().add_(1.0).mul_(gradients[0])
        if isinstance(ctx.chosen, bool):
            return slope * ctx.learning, None, None, None, None
        return torch.where(ctx.chosen, slope * ctx.learning, slope / mu), None, None, None, None


class _PartlyBinaryActivation(torch.autograd.Function):
    """Eq. (8) of bipolar values: sgn(v) where C is 1, tanh(v) elsewhere; the derivative is that of tanh everywhere."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, chosen: Tensor | bool) -> Tensor:
        ctx.save_for_backward(v)
        return mixed(v, torch.ones((), device=v.device), chosen, False, torch.empty_like(v))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (v,) = ctx.saved_tensors
        return torch.tanh(v).square_().neg_().add_(1.0).mul_(gradients[0]), None


class Recurrence(torch.autograd.Function):
    """All frames of eq. (11), and their gradient through time, eq. (12), written out.

    The gradient is that of the relaxed functions, for any arithmetic.

    Autograd would record some twenty small operations per frame. Here a frame is two products forward and two
    backward; slopes, and the gradients of weights and thresholds, are computed for all frames at once.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Tensor, recurrent: Tensor, threshold: Tensor, scale: Tensor, h: Tensor, arithmetic: Arithmetic
    ) -> Tensor:
        """States (frames, batch, units) from the inputs' part of a, (frames, batch, 3 units).

        `recurrent` is U, (3, units, units), `threshold` and `scale` (3 units,), h the state before, (batch, units).
        """
        (frames, batch, _), units = a.shape, h.shape[1]
        product = _product_dtype(a)
        gates, candidate = recurrent[:2].reshape(2 * units, units).to(product).T, recurrent[2].to(product).T
        both, last = slice(2 * units), slice(2 * units, None)
        v = a - threshold
        values = torch.empty_like(v)  # r, z and the candidate: eq. (8) of v
        states = torch.empty(frames + 1, batch, units, dtype=v.dtype, device=v.device)
        masked = torch.empty_like(states[1:])
        states[0] = h
        for t in range(frames):
            before = states[t]
            part = v[t, :, both]
            part += before.to(product) @ gates
            rz = arithmetic.values(part, scale[both], t, both, True, values[t, :, both])
            arithmetic.reset(rz[:, :units], before, masked[t])
            part = v[t, :, last]
            part += masked[t].to(product) @ candidate
            new = arithmetic.values(part, scale[last], t, last, False, values[t, :, last])
            arithmetic.state(new, before, rz[:, units:], states[t + 1])
        ctx.save_for_backward(v, values, states, masked, gates, candidate, scale)
        ctx.largest = arithmetic.largest
        return states[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        v, values, states, masked, gates, candidate, scale = ctx.saved_tensors
        (frames, _, units), product = masked.shape, gates.dtype
        soft = v * scale
        soft[..., : 2 * units].sigmoid_()
        soft[..., 2 * units :].tanh_()
        slope = torch.addcmul(soft, soft, soft, value=-1.0)
        slope[..., 2 * units :] += 1.0 - soft[..., 2 * units :]
        slope *= scale
        if ctx.largest != 1.0:
            slope[..., 2 * units :] *= ctx.largest
        after, by_a = torch.zeros_like(states[0]), torch.empty_like(v)
        for t in reversed(range(frames)):
            before, (r, z, new) = states[t], values[t].chunk(3, 1)
            slope_r, slope_z, slope_new = slope[t].chunk(3, 1)
            by_r, by_z, by_new = by_a[t].chunk(3, 1)
            after += gradients[0][t]
            torch.mul((before - new).mul_(after), slope_z, out=by_z)
            torch.mul(after - z * after, slope_new, out=by_new)
            back = (by_new.to(product) @ candidate.T).to(after.dtype)
            torch.mul(back * before, slope_r, out=by_r)
            after.mul_(z).addcmul_(back, r).add_(by_a[t, :, : 2 * units].to(product) @ gates.T)
        flat = by_a.flatten(0, 1).to(product)
        by_gates = flat[:, : 2 * units].T @ states[:-1].flatten(0, 1).to(product)
        by_candidate = flat[:, 2 * units :].T @ masked.flatten(0, 1).to(product)
        by_recurrent = torch.cat([by_gates, by_candidate]).to(v.dtype).view(3, units, units)
        return by_a, by_recurrent, -by_a.sum((0, 1)), None, after, None


def _product_dtype(like: Tensor) -> torch.dtype:
    """The type of products: autocast's, or outside it the tensor's own."""
    device = like.device.type
    mixed = torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device)
    return torch.get_autocast_dtype(device) if mixed else like.dtype


def mixed(v: Tensor, scale: Tensor, chosen: Tensor | bool, is_gate: bool, out: Tensor) -> Tensor:
    """Eq. (8) of `scale * v`, written to `out`: its bit where C is 1, tanh or the gate's sigmoid of it elsewhere.

    Bits are bipolar, or 0 and 1 for a gate. C is True or False if it is the same for all.
    """
    if chosen is not True:
        torch.mul(v, scale, out=out)
        soft = out.sigmoid_() if is_gate else out.tanh_()
        if chosen is False:
            return soft
        positive = v >= 0
        return soft.masked_fill_(chosen & positive, 1.0).masked_fill_(chosen & ~positive, 0.0 if is_gate else -1.0)
    torch.ge(v, 0.0, out=out)
    return out if is_gate else out.mul_(2.0).sub_(1.0)


def sign(values: Tensor) -> Tensor:
    """-1 or +1, with sgn(0) = +1 as everywhere in the project (torch.sign gives 0)."""
    return (values >= 0).to(values.dtype).mul_(2.0).sub_(1.0)


def sparsity_mask(weight: Tensor, rho: float, per_row: bool = False) -> tuple[Tensor, Tensor]:
    """Eq. (5) for gates (gates, units, columns), each over the concatenation [W | U]: (kept, mu).

    `kept` is True for the round(rho * n) weights of largest magnitude of a gate, or of each row (of equal ones at the
    cutoff, the first in memory). `mu`, (gates, 1 or units, 1), is the mean of their |tanh(w)|: the ternary weight
    replaces the compressed one.
    """
    magnitude = weight.detach().abs().view(*weight.shape[: 2 if per_row else 1], -1)
    count = max(1, round(rho * magnitude.shape[-1]))
    smallest = _kth_smallest(magnitude, magnitude.shape[-1] - count + 1)
    kept, ties = magnitude > smallest, magnitude == smallest
    missing = count - kept.sum(-1, keepdim=True)
    if bool((ties.sum(-1, keepdim=True) > missing).any()):
        ties &= ties.cumsum(-1) <= missing
    kept |= ties
    mu = torch.tanh(magnitude).mul_(kept).sum(-1) / count
    return kept.view_as(weight), mu.clamp_min(1e-12).view(len(weight), -1, 1)  # all-zero weights have a scale too


def _kth_smallest(values: Tensor, k: int) -> Tensor:
    """The k-th smallest along the last axis, counted from 1; that axis is kept, with length 1."""
    if values.device.type != "cpu":
        return torch.kthvalue(values, k, dim=-1, keepdim=True).values
    parted = np.partition(values.numpy(), k - 1, axis=-1)  # a third of the time of torch's, which sorts indices along
    return torch.from_numpy(parted[..., k - 1 : k].copy())


def dropout(x: Tensor, rate: float, draw: Draw) -> Tensor:
    """Zero a fraction `rate` of x (frames, batch, units) and scale up the rest."""
    return x if rate == 0.0 else x * draw.of_sequences(1.0 - rate, x.shape) / (1.0 - rate)


def activation(v: Tensor, chosen: Tensor | bool) -> Tensor:
    """Eq. (8) of a hidden dense layer or an initial state: sgn(v) where C (`chosen`) is 1, tanh(v) elsewhere."""
    result: Tensor = _PartlyBinaryActivation.apply(v, chosen)
    return result


class Rows(nn.Module):
    """`gates` stacked matrices [W | U] with their thresholds.

    `weight` is (gates, units, inputs + states), real; `bias` (gates, units) is in units of v. `centre`, the mean of
    the inputs over the training data, is subtracted from them and folds into the threshold as W centre.
    """

    centre: Tensor
    weight_bits = 2

    def __init__(self, gates: int, units: int, inputs: int, states: int, binary: Binarisation) -> None:
        super().__init__()
        self.inputs, self.binary = inputs, binary
        columns = inputs + states
        self.weight = nn.Parameter(torch.empty(gates, units, columns).uniform_(-INITIAL, INITIAL))
        self.bias = nn.Parameter(torch.zeros(gates, units))
        self.scale = binary.slope / math.sqrt(columns)
        self.register_buffer("centre", torch.zeros(inputs))

    def effective(self, pi: Pi, draw: Draw) -> tuple[Tensor, Tensor, Tensor]:
        """Weights in units of mu (gates, units, columns), thresholds t on a, and scales s, (gates, units) both."""
        if pi.weights == 0.0:
            weight, mu = torch.tanh(self.weight), self.weight.new_ones(1, 1, 1)
        else:
            kept, mu = sparsity_mask(self.weight, self.binary.rho, self.binary.per_row)
            chosen = draw.bernoulli(pi.weights, self.weight.shape)
            weight = _PartlyBinaryWeight.apply(self.weight, kept, self.binary.zeros_learn or kept, chosen, mu)
        scale = (self.scale * mu[..., 0]).expand(self.bias.shape)
        threshold = (weight[..., : self.inputs] @ self.centre).float() - self.bias / scale
        if pi == BINARY:
            threshold = threshold + (torch.ceil(threshold) - threshold).detach()  # integers, so that a - t is exact
        return weight, threshold, scale

    @torch.no_grad()
    def ternary(self) -> tuple[Tensor, Tensor]:
        """At pi = 1: weights -1, 0, +1 and integer thresholds (gates, units), the two things that are exported."""
        weight, threshold, _ = self.effective(BINARY, Draw())
        return weight, threshold


class Layer(nn.Module, ABC):
    """A layer of a network."""

    kind: str
    inputs: int
    units: int
    rows: Any

    @abstractmethod
    def advance(self, x: Tensor, h: Tensor | None, pi: Pi, draw: Draw) -> tuple[Tensor, Tensor | None]:
        """Output for x (frames, batch, inputs), and the state to continue from; h is the earlier state, or None."""


class MaskLayer(Layer):
    """A layer that may also be the last one: its `forward` gives v."""

    @abstractmethod
    def gains(self, v: Tensor) -> Tensor:
        """Gain of each mask unit, uint8 (docs/exact-meaning.md, rule 13), from the output v."""


class BGRU(Layer):
    """One bitwise GRU layer, eq. (11); gates in the order r, z, h. The initial state is learned."""

    kind = "bgru"

    def __init__(self, inputs: int, units: int, binary: Binarisation) -> None:
        super().__init__()
        self.inputs, self.units = inputs, units
        self.rows = Rows(3, units, inputs, units, binary)
        self.initial = nn.Parameter(torch.empty(units).uniform_(-1.0, 1.0))

    def forward(self, x: Tensor, h: Tensor | None, pi: Pi, draw: Draw) -> Tensor:
        """All states (frames, batch, units) from x (frames, batch, inputs) and the state before it.

        `h` is (batch, units), or None to begin from the initial state.
        """
        weight, threshold, scale = self.rows.effective(pi, draw)
        a = nn.functional.linear(x, weight[..., : self.inputs].flatten(0, 1)).float()
        if h is None:
            h = activation(self.initial, draw.bernoulli(pi.activations, self.initial.shape)).expand(x.shape[1], -1)
        chosen = draw.of_sequences(pi.activations, a.shape)
        recurrent = weight[..., self.inputs :]
        states: Tensor = Recurrence.apply(a, recurrent, threshold.flatten(), scale.flatten(), h, _Bitwise(chosen))
        return states

    def advance(self, x: Tensor, h: Tensor | None, pi: Pi, draw: Draw) -> tuple[Tensor, Tensor | None]:
        states = self(x, h, pi, draw)
        return states, states[-1].detach()


class Dense(MaskLayer):
    """A dense layer: a hidden one with the activation sgn (the paper's BNN), or the last one, the mask."""

    kind = "dense"

    def __init__(self, inputs: int, units: int, binary: Binarisation) -> None:
        super().__init__()
        self.inputs, self.units = inputs, units
        self.rows = Rows(1, units, inputs, 0, binary)

    def forward(self, x: Tensor, pi: Pi, draw: Draw) -> Tensor:
        """The relaxed v (..., units) of x (..., inputs); the bit is v >= 0."""
        weight, threshold, scale = self.rows.effective(pi, draw)
        return scale[0] * (nn.functional.linear(x, weight[0]).float() - threshold[0])

    def advance(self, x: Tensor, h: Tensor | None, pi: Pi, draw: Draw) -> tuple[Tensor, Tensor | None]:
        v = self(x, pi, draw)
        return activation(v, draw.of_sequences(pi.activations, v.shape)), None

    def gains(self, v: Tensor) -> Tensor:
        return (v >= 0).to(torch.uint8)


class Numbers(Protocol):
    """The numbers that a network computes with; they decide the type of its layers."""

    def layers(self, kind: str, sizes: Sequence[int]) -> tuple[list[Layer], MaskLayer]:
        """Hidden layers of these sizes and this kind, from the features on, and the layer of the mask."""


class MaskNetwork(nn.Module):
    """Any number of hidden layers, then the dense layer of the mask.

    `hidden` gives the units of each hidden layer, `kind` the kind of all of them, `numbers` their arithmetic.
    """

    def __init__(self, features: int, hidden: Sequence[int], bins: int, kind: str, numbers: Numbers) -> None:
        super().__init__()
        layers, self.mask = numbers.layers(kind, [features, *hidden, bins])
        self.hidden = nn.ModuleList(layers)

    @property
    def layers(self) -> list[Layer]:
        """All layers in order, the mask's last."""
        return [*self.hidden, self.mask]

    def centre(self, mean: Tensor) -> None:
        """Subtract the features' mean over the training data, shape (features,)."""
        self.layers[0].rows.centre.copy_(mean)

    def forward(
        self,
        x: Tensor,
        states: Sequence[Tensor | None] | None = None,
        pi: Pi = BINARY,
        drop: tuple[float, float] = (0.0, 0.0),
        draw: Draw | None = None,
    ) -> tuple[Tensor, list[Tensor | None]]:
        """Features x (frames, batch, features), bipolar or levels, to (v, states) with v (frames, batch, bins).

        `v` is the relaxed output for the loss; `mask.gains` turns it into the mask. `states` are those that an
        earlier call returned, detached, to continue the same sequences, or None to begin. `drop` is the dropout of
        the features and of every hidden layer's output.
        """
        draw = draw or Draw()
        x = dropout(x, drop[0], draw)
        after: list[Tensor | None] = []
        for index, layer in enumerate(self.layers[:-1]):
            x, state = layer.advance(x, None if states is None else states[index], pi, draw)
            after.append(state)
            x = dropout(x, drop[1], draw)
        return self.mask(x, pi, draw), after
