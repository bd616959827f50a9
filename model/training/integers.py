"""Integer layers in PyTorch, real-valued (pi = 0) or quantised as in their bundle (pi = 1).

They follow rule 14 of docs/exact-meaning.md. Sums are in steps of the table index, so `floor` of a sum is the index.
Operands are the integers themselves. Rounding passes its gradient straight through; tables have the gradient of sigmoid
and tanh, as everywhere in training (`model.training.network`).

A weight is `step` times the value of its format nearest to w / step. Each row has its own step, which follows the row:
its root mean square, times the best step for normally distributed weights. Learned steps are this times a factor with
the gradient of LSQ (Esser, McKinstry, Bablani, Appuswamy and Modha 2020), as in FQSS.

In float64, outside autocast, a network at pi = 1 computes exactly the integers of its bundle if its sums fit in 53
bits. In float32 training, a sum close to an integer may fall on the wrong side of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor, nn

from model.bundle.formats import Format, WeightFormat, one, top
from model.bundle.integer_layers import IntegerLayer
from model.bundle.scales import multipliers
from model.bundle.tables import sigmoid_table, tanh_table
from model.training.bernoulli import Draw
from model.training.network import BINARY, INITIAL, Layer, MaskLayer, Pi, Recurrence

__all__ = ["Gru", "IntegerDense", "Quantisation", "best_step"]


@dataclass(frozen=True)
class Quantisation:
    """The number formats of a network.

    weights : of the matrices of all layers, or of each layer
    input_bits : of the features
    bits : of gates, states and hidden outputs
    gain_bits : of a mask unit
    slope : scale of a sum, in units of 1 / sqrt(columns)
    learned_steps : whether steps of weights have a gradient at pi = 1
    """

    weights: Sequence[WeightFormat]
    input_bits: int
    bits: int
    gain_bits: int
    slope: float
    learned_steps: bool = False

    def layers(self, kind: str, sizes: Sequence[int]) -> tuple[list[Layer], MaskLayer]:
        """Integer layers of these sizes, from the features to the mask; hidden layers are gru or dense."""
        bits, last = [self.input_bits, *[self.bits] * (len(sizes) - 2), self.gain_bits], len(sizes) - 2

        def shape(index: int, recurrent: bool) -> tuple[int, int, Format, int, float]:
            weights = self.weights[index % len(self.weights)]
            format = Format(bits[index], bits[index + 1], weights, weights if recurrent else None)
            reach = one(bits[index]) if index == 0 else top(bits[index])
            return sizes[index], sizes[index + 1], format, reach, self.slope

        hidden: list[Layer] = [
            Gru(*shape(index, True)) if kind == "gru" else IntegerDense(*shape(index, False)) for index in range(last)
        ]
        mask = IntegerDense(*shape(last, False))
        for layer in (*hidden, mask):
            layer.rows.stretch.requires_grad_(self.learned_steps)
        return hidden, mask


class _Through(torch.autograd.Function):
    """The rounded value, with the gradient of the smooth one."""

    @staticmethod
    def forward(ctx: Any, smooth: Tensor, rounded: Tensor) -> Tensor:
        return rounded.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


class _Tables:
    """Tables, reset and update with so many bits; without rounding at pi = 0."""

    def __init__(self, bits: int, rounds: bool) -> None:
        self.largest, self._bits, self._rounds = float(top(bits)), bits, rounds

    def values(self, v: Tensor, scale: Tensor, t: int, columns: slice, is_gate: bool, out: Tensor) -> Tensor:
        if not self._rounds:
            torch.mul(v, scale, out=out)
            return out.sigmoid_() if is_gate else out.tanh_().mul_(self.largest)
        if self._bits == 1:
            torch.ge(v, 0.0, out=out)
            return out if is_gate else out.mul_(2.0).sub_(1.0)
        # The rounded functions equal the tables, as no entry is near a tie.
        limit = one(self._bits)
        torch.floor(v, out=out).clamp_(-limit, limit - 1).add_(0.5).mul_(scale)
        return out.sigmoid_().mul_(limit).round_().div_(limit) if is_gate else out.tanh_().mul_(self.largest).round_()

    def reset(self, r: Tensor, h: Tensor, out: Tensor) -> Tensor:
        return self._rounded(torch.mul(r, h, out=out))

    def state(self, new: Tensor, h: Tensor, z: Tensor, out: Tensor) -> Tensor:
        return self._rounded(torch.lerp(new, h, z, out=out))

    def _rounded(self, values: Tensor) -> Tensor:
        return values.add_(0.5).floor_() if self._rounds and self._bits > 1 else values

    def outputs(self, v: Tensor, scale: Tensor) -> Tensor:
        """Table of tanh at sums v, with the gradient of tanh."""
        smooth = self.largest * torch.tanh(scale * v)
        with torch.no_grad():
            rounded = self.values(v, scale, 0, slice(None), False, torch.empty_like(v))
        result: Tensor = _Through.apply(smooth, rounded)
        return result


class IntegerRows(nn.Module):
    """`gates` stacked matrices [W | U] with their thresholds, as in `model.training.network.Rows`.

    `weight` is (gates, units, inputs + states), real; `bias` (gates, units) adds to the argument of tanh. `stretch`
    (1 or 2, gates, units) is the logarithm of the factors of the steps of W and U. `reach` is the input value that
    means 1.
    """

    centre: Tensor
    steps: Tensor

    def __init__(self, gates: int, units: int, inputs: int, format: Format, reach: int, slope: float) -> None:
        super().__init__()
        self.inputs, self.format = inputs, format
        columns = inputs + (units if format.u is not None else 0)
        self.weight = nn.Parameter(torch.empty(gates, units, columns).uniform_(-INITIAL, INITIAL))
        self.bias = nn.Parameter(torch.zeros(gates, units))
        self.stretch = nn.Parameter(torch.zeros(1 if format.u is None else 2, gates, units))
        self.register_buffer("centre", torch.zeros(inputs))
        bits = format.output_bits
        step = (bits + 4) / 2 ** (bits + 1)  # argument of tanh per step of the index; twice that for sigmoid
        steps = torch.tensor([2 * step] * (gates - 1) + [step]).view(-1, 1)
        self.register_buffer("steps", steps, persistent=False)
        self._scales = [slope / math.sqrt(columns) / reach, slope / math.sqrt(columns) / top(bits)]

    @property
    def weight_bits(self) -> int:
        """Bits of a stored weight."""
        return self.format.w.bits

    def _parts(self) -> list[tuple[Tensor, WeightFormat, Tensor]]:
        """W and U with their formats, and the index change for a weight of 1 times an operand of 1, (gates, 1)."""
        formats = [self.format.w] if self.format.u is None else [self.format.w, self.format.u]
        split = [self.inputs, self.weight.shape[-1] - self.inputs][: len(formats)]
        moves = [scale / self.steps for scale in self._scales]
        return list(zip(self.weight.split(split, -1), formats, moves, strict=False))

    def _steps(self) -> list[Tensor]:
        """The step of each row of W and U, (gates, units); their gradient is that of the factors alone."""
        return [
            best_step(format) * part.detach().square().mean(-1).sqrt().clamp_min(1e-12) * stretch.exp()
            for (part, format, _), stretch in zip(self._parts(), self.stretch, strict=True)
        ]

    def _with_steps(self) -> Tensor:
        """The rounded weights with the gradients of LSQ, in steps of the index.

        Within the format's range a weight has its gradient, and the step that of the rounding error; beyond it the step
        alone has one.
        """
        parts = []
        for (part, format, move), step in zip(self._parts(), self._steps(), strict=True):
            each = step[..., None]
            x = (part / each).detach()
            nearest = _nearest(x, format)
            within = x.abs() <= format.largest
            parts.append(torch.where(within, part + each * (nearest - x), each * nearest) * move[..., None])
        return torch.cat(parts, -1)

    def rounded(self) -> Tensor:
        """The real weights nearest to `weight` that the format has, (gates, units, columns)."""
        parts = [
            step[..., None].detach() * _nearest((part / step[..., None]).detach(), format)
            for (part, format, _), step in zip(self._parts(), self._steps(), strict=True)
        ]
        return torch.cat(parts, -1)

    def quantised(self) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """At pi = 1: integer weights of W and U, (gates, units, columns); m / 2^s of each row; integer thresholds.

        The last two are (gates, units).
        """
        weights, scales = [], []
        for (part, format, move), step in zip(self._parts(), self._steps(), strict=True):
            weights.append(_nearest((part / step[..., None]).detach(), format))
            scales.append(step.detach() * move)
        found, shift = multipliers(*[scale.double().cpu().numpy() for scale in scales])
        rounded = [np.ldexp(multiplier.astype(np.float64), -shift.astype(np.int64)) for multiplier in found]
        scales = [torch.from_numpy(values).to(scale) for values, scale in zip(rounded, scales, strict=True)]
        limit = float(2**31 - 1)
        threshold = weights[0] @ self.centre - self.bias.detach() / (self.steps * scales[0])
        return weights, scales, threshold.round().clamp(-limit, limit)

    def effective(self, pi: Pi) -> tuple[Tensor, Tensor, Tensor]:
        """Weights (gates, units, columns) and thresholds (gates, units), both in steps of the index.

        Also the argument of tanh or sigmoid per step, (gates, 1).
        """
        weight = torch.cat([part * move[..., None] for part, _, move in self._parts()], -1)
        threshold = weight[..., : self.inputs] @ self.centre - self.bias / self.steps
        if pi == BINARY:
            weights, scales, limits = self.quantised()
            values = torch.cat([part * scale[..., None] for part, scale in zip(weights, scales, strict=True)], -1)
            weight = self._with_steps() if self.stretch.requires_grad else weight
            weight, threshold = _Through.apply(weight, values), _Through.apply(threshold, limits * scales[0])
        return weight, threshold, self.steps

    def exported(self) -> dict[str, Any]:
        """The arrays of the bundle's layer that depend on weights and biases."""
        weights, scales, threshold = self.quantised()
        found, shift = multipliers(*[scale.double().numpy() for scale in scales])
        formats = (self.format.w, self.format.u)
        codes = [_codes(part, format) for part, format in zip(weights, formats, strict=False) if format]
        arrays = {"w": codes[0], "w_multiplier": found[0], "shift": shift}
        arrays["threshold"] = threshold.numpy().astype(np.int32)
        return arrays if self.format.u is None else arrays | {"u": codes[1], "u_multiplier": found[1]}


class Gru(Layer):
    """One gru layer, gates in the order r, z, h. The initial state is learned."""

    kind = "gru"

    def __init__(self, inputs: int, units: int, format: Format, reach: int, slope: float) -> None:
        super().__init__()
        self.inputs, self.units, self.format = inputs, units, format
        self.rows = IntegerRows(3, units, inputs, format, reach, slope)
        self.initial = nn.Parameter(torch.empty(units).uniform_(-1.0, 1.0))

    def forward(self, x: Tensor, h: Tensor | None, pi: Pi) -> Tensor:
        """All states (frames, batch, units) from x (frames, batch, inputs) and the state before it.

        `h` is (batch, units), or None to begin from the initial state.
        """
        weight, threshold, steps = self.rows.effective(pi)
        a = nn.functional.linear(x, weight[..., : self.inputs].flatten(0, 1)).to(weight.dtype)
        tables, scale = _Tables(self.format.output_bits, pi == BINARY), steps.expand(3, self.units).flatten()
        if h is None:
            h = self.begin(tables).expand(x.shape[1], -1)
        states: Tensor = Recurrence.apply(a, weight[..., self.inputs :], threshold.flatten(), scale, h, tables)
        return states

    def begin(self, tables: _Tables) -> Tensor:
        """The initial state (units,), the table of tanh at the learned values."""
        step = self.rows.steps[-1]
        return tables.outputs(self.initial / step, step)

    def advance(self, x: Tensor, h: Tensor | None, pi: Pi, draw: Draw) -> tuple[Tensor, Tensor | None]:
        states = self(x, h, pi)
        return states, states[-1].detach()

    @torch.no_grad()
    def exported(self, name: str) -> IntegerLayer:
        """The layer as stored in a bundle."""
        bits = self.format.output_bits
        state = self.begin(_Tables(bits, True)).numpy().astype(np.int8)
        tables = {"tanh": tanh_table(bits), "sigmoid": sigmoid_table(bits)}
        arrays = self.rows.exported() | tables | {"initial_state": state}
        return IntegerLayer(name, "gru", self.inputs, self.units, self.format, **arrays)


class IntegerDense(MaskLayer):
    """One dense layer of integers, hidden or that of the mask."""

    kind = "dense"

    def __init__(self, inputs: int, units: int, format: Format, reach: int, slope: float) -> None:
        super().__init__()
        self.inputs, self.units, self.format = inputs, units, format
        self.rows = IntegerRows(1, units, inputs, format, reach, slope)

    def _sums(self, x: Tensor, pi: Pi) -> Tensor:
        """Sums in steps of the index, (..., units)."""
        weight, threshold, _ = self.rows.effective(pi)
        return nn.functional.linear(x, weight[0]).to(weight.dtype) - threshold[0]

    def forward(self, x: Tensor, pi: Pi, draw: Draw) -> Tensor:
        """Argument v (..., units) of tanh, from x (..., inputs); dividing by the step recovers the sums exactly."""
        return self.rows.steps[0] * self._sums(x, pi)

    def advance(self, x: Tensor, h: Tensor | None, pi: Pi, draw: Draw) -> tuple[Tensor, Tensor | None]:
        tables = _Tables(self.format.output_bits, pi == BINARY)
        return tables.outputs(self._sums(x, pi), self.rows.steps[0]), None

    def gains(self, v: Tensor) -> Tensor:
        bits, step = self.format.output_bits, self.rows.steps[0]
        y = _Tables(bits, True).outputs(v / step, step)
        return (y > 0 if bits == 1 else y + top(bits)).to(torch.uint8)

    @torch.no_grad()
    def exported(self, name: str) -> IntegerLayer:
        """The layer as stored in a bundle."""
        arrays = {key: array[0] for key, array in self.rows.exported().items()}
        table = tanh_table(self.format.output_bits)
        return IntegerLayer(name, "dense", self.inputs, self.units, self.format, **arrays, tanh=table)


def _values(format: WeightFormat) -> tuple[NDArray[np.int8], NDArray[np.float64]]:
    """All codes of a format and their weights, in ascending order."""
    codes = np.array([code for code in range(-format.most, format.most + 1) if code or format.zero], np.int8)
    return codes, format.values(codes).astype(np.float64)


def _nearest(x: Tensor, format: WeightFormat) -> Tensor:
    """The weights of a format nearest to x, any shape; ties give the larger weight."""
    values = torch.from_numpy(_values(format)[1]).to(x)
    return values[torch.bucketize(x, (values[1:] + values[:-1]) / 2, right=True)]


def _codes(weights: Tensor, format: WeightFormat) -> NDArray[np.int8]:
    """Weights of a format, any shape, to their codes."""
    codes, values = _values(format)
    found: NDArray[np.int8] = codes[np.searchsorted(values, weights.double().numpy())]
    return found


@lru_cache
def best_step(format: WeightFormat) -> float:
    """The step with the least squared error on standard normal weights."""
    weights = ndtri((np.arange(2000) + 0.5) / 2000)
    values = _values(format)[1]
    middles = (values[1:] + values[:-1]) / 2

    def error(step: float) -> float:
        return float(np.square(weights - step * values[np.searchsorted(middles, weights / step)]).mean())

    steps = np.geomspace(weights[-1] / format.largest / 8, 2.0, 400)
    return float(min(steps, key=error))
