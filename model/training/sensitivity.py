"""What rounding a layer's weights to a format costs a real-valued network, predicted in three ways.

As in mixed-precision quantisation of speech separation (arXiv 2111.14479): by the curvature of the loss, by the
divergence of the masks, or by a differentiable search. All take the real-valued network as it is, with its activations
in real numbers: these have the same bits whatever the weights' formats are.

An assignment is a format for each layer, as indices: row l, column f of the rounded weights. A method gives each
assignment a number; the least is the best. Numbers of different methods do not compare.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor
from torch.func import functional_call

from model.errors import BadInput
from model.training.loss import Objective, Targets
from model.training.network import REAL, MaskNetwork

__all__ = ["METHODS", "curvature", "divergence", "search", "traces"]

Heard = Sequence[tuple[Tensor, Targets]]
"""Batches: features (frames, batch, features), and the targets of the output."""

Rounded = Sequence[Sequence[Tensor]]
"""The weights of each layer, rounded to each format."""

PROBES = 16
"""Random vectors of Hutchinson's estimate."""

DISTANCE = 1e-4
"""Distance along a probe at which gradients are compared; in float64 the error is that of its square."""

STEPS, RATE = 80, 0.1
"""Steps of Adam in the search, and their rate."""


def curvature(
    network: MaskNetwork, rounded: Rounded, heard: Heard, objective: Objective, assignments: Tensor, seed: int
) -> list[float]:
    """Expected rise of the loss: half the mean curvature of each layer times its squared rounding error, summed.

    The mean curvature is the Hessian's trace divided by the number of weights (HAWQ-V2, arXiv 1911.03852). Raises
    `BadInput` for a layer whose trace is not positive: the network is not near a minimum.
    """
    found = traces(network, heard, objective, seed)
    for index, trace in enumerate(found):
        if trace <= 0:
            raise BadInput(
                f"layer {index}: expected a positive curvature of the loss, got {trace:.3g}; "
                "train longer with real values, or choose another method"
            )
    weights = [layer.rows.weight.detach() for layer in network.layers]
    rise = [
        [float(trace / (2 * weight.numel()) * (other - weight).square().sum()) for other in row]
        for trace, weight, row in zip(found, weights, rounded, strict=True)
    ]
    return _sums(rise, assignments)


def traces(network: MaskNetwork, heard: Heard, objective: Objective, seed: int) -> list[float]:
    """Trace of the loss's Hessian over the weights of each layer, by Hutchinson's estimate.

    The mean of v H v over vectors v of random signs, H v from the gradients at both sides of the weights.
    """
    exact, generator = copy.deepcopy(network).double(), torch.Generator().manual_seed(seed)
    weights = [layer.rows.weight for layer in exact.layers]
    centre, found = [weight.detach().clone() for weight in weights], [0.0] * len(weights)
    for index in range(PROBES):
        features, targets = heard[index % len(heard)]
        probes = [(torch.rand(weight.shape, generator=generator) < 0.5).to(weight) * 2 - 1 for weight in centre]
        sides = []
        for distance in (DISTANCE, -DISTANCE):
            for weight, middle, probe in zip(weights, centre, probes, strict=True):
                weight.data = middle + distance * probe
            v, _ = exact(features.double(), pi=REAL)
            sides.append(torch.autograd.grad(objective(v, targets), weights))
        for layer, (probe, after, before) in enumerate(zip(probes, *sides, strict=True)):
            found[layer] += float((probe * (after - before)).sum()) / (2 * DISTANCE) / PROBES
    return found


def divergence(
    network: MaskNetwork, rounded: Rounded, heard: Heard, objective: Objective, assignments: Tensor, seed: int
) -> list[float]:
    """Kullback-Leibler divergence of the masks with one layer rounded from the real-valued ones, summed over layers.

    Masks are probabilities, as in the loss: sigmoid(2 v) for each unit. Nats, the mean over units and frames.
    """
    changed = copy.deepcopy(network)
    found = [[0.0] * len(row) for row in rounded]
    with torch.no_grad():
        for features, _ in heard:
            real = 2 * network(features, pi=REAL)[0]
            for layer, row in enumerate(rounded):
                weight = changed.layers[layer].rows.weight
                kept = weight.data
                for index, weight.data in enumerate(row):
                    found[layer][index] += float(_divergence(real, 2 * changed(features, pi=REAL)[0])) / len(heard)
                weight.data = kept
    return _sums(found, assignments)


def _divergence(real: Tensor, other: Tensor) -> Tensor:
    """Mean divergence of Bernoulli variables whose log odds are `other` from those with `real`."""
    log_p, log_q = torch.nn.functional.logsigmoid, torch.nn.functional.logsigmoid
    p = real.sigmoid()
    return (p * (log_p(real) - log_q(other)) + (1 - p) * (log_p(-real) - log_q(-other))).mean()


def search(
    network: MaskNetwork, rounded: Rounded, heard: Heard, objective: Objective, assignments: Tensor, seed: int
) -> list[float]:
    """A differentiable search: minus the logarithm of each assignment's probability after training.

    Each layer has a score for each format. The probability of an assignment is the softmax of its scores' sum over the
    assignments given, so only those that fit have one. The loss is that of the network whose weights are the expected
    rounded ones; its gradient trains the scores alone.
    """
    parameters = {parameter: name for name, parameter in network.named_parameters()}
    names = [parameters[layer.rows.weight] for layer in network.layers]
    stacked = [torch.stack(list(row)) for row in rounded]
    formats = stacked[0].shape[0]
    one_hot = torch.nn.functional.one_hot(assignments, formats).to(stacked[0])
    scores = torch.zeros(len(stacked), formats, dtype=one_hot.dtype, device=one_hot.device, requires_grad=True)
    optimiser = torch.optim.Adam([scores], lr=RATE)

    def log_probabilities() -> Tensor:
        return torch.log_softmax((one_hot * scores).sum((1, 2)), 0)

    for step in range(STEPS):
        features, targets = heard[step % len(heard)]
        shares = torch.einsum("a,alf->lf", log_probabilities().exp(), one_hot)
        expected = [torch.tensordot(share, weights, 1) for share, weights in zip(shares, stacked, strict=True)]
        v, _ = functional_call(network, dict(zip(names, expected, strict=True)), (features,), {"pi": REAL})
        optimiser.zero_grad()
        objective(v, targets).backward()
        optimiser.step()
    found: list[float] = (-log_probabilities().detach()).tolist()
    return found


def _sums(values: Sequence[Sequence[float]], assignments: Tensor) -> list[float]:
    """The sum over layers of the values that an assignment selects."""
    return [sum(row[index] for row, index in zip(values, chosen, strict=True)) for chosen in assignments.tolist()]


Method = Callable[[MaskNetwork, Rounded, Heard, Objective, Tensor, int], list[float]]

METHODS: Mapping[str, Method] = MappingProxyType({"curvature": curvature, "divergence": divergence, "search": search})
"""The methods by name."""
