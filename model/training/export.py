"""From a trained network to a bundle."""

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.corpora.float_front_end import FloatFrontEnd
from model.training import network as training
from model.training.integers import Gru, IntegerDense
from model.training.network import BGRU, Dense, MaskNetwork


def to_bundle(network: MaskNetwork, front_end: FloatFrontEnd, name: str, provenance: dict[str, Any]) -> Bundle:
    """The quantised (pi = 1) form of a network; layers are named by kind and place: gru0, dense1, ..., mask."""
    names = [f"{'dense' if layer.kind == 'dense' else 'gru'}{index}" for index, layer in enumerate(network.hidden)]
    layers = tuple(_layer(layer, label) for layer, label in zip(network.layers, [*names, "mask"], strict=True))
    return Bundle(name, front_end.to_integers(), layers, provenance)


def _layer(layer: training.Layer, name: str) -> Layer | IntegerLayer:
    if isinstance(layer, Gru | IntegerDense):
        return copy.deepcopy(layer).double().exported(name)  # exact, see model.training.integers
    assert isinstance(layer, BGRU | Dense)
    weight, threshold = layer.rows.ternary()
    values = weight.numpy().astype(np.int8)
    limits = _thresholds(threshold, values.shape[-1])
    if isinstance(layer, Dense):
        return Layer(name, "dense", layer.inputs, layer.units, Matrix.from_values(values[0]), limits[0])
    return Layer(
        name,
        "bgru",
        layer.inputs,
        layer.units,
        w=Matrix.from_values(values[..., : layer.inputs]),
        threshold=limits,
        u=Matrix.from_values(values[..., layer.inputs :]),
        initial_state=pack(layer.initial.detach().numpy() >= 0),
    )


def _thresholds(threshold: Tensor, columns: int) -> NDArray[np.int32]:
    """As int32. No sum of `columns` weights exceeds +-columns: a threshold beyond that means "always" or "never"."""
    limits: NDArray[np.int32] = np.clip(threshold.numpy(), -columns, columns + 1).astype(np.int32)
    return limits
