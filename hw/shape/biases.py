"""Thresholds as the biases with which a row's accumulator begins, so that its sign is the comparison."""

import numpy as np
from numpy.typing import NDArray

from model.bundle.layers import Layer

__all__ = ["bias_words", "biases", "layer_biases", "layer_rows"]


def biases(weights: NDArray[np.int8], theta: NDArray[np.int32], dynamic: bool) -> NDArray[np.int64]:
    """Where a row's accumulator begins, so that it ends at 0 or above where the row reaches its theta.

    weights : (..., rows, columns); theta : (..., rows); result : (..., rows), of `accumulator_bits`
    dynamic : whether lanes can be 0, and so products are counted over two operands

    `2 count - kept >= theta`, and so, counted once or twice, `count >= ceil((theta + kept) / 2)` or
    `count >= theta + kept` (docs/exact-meaning.md, rule 8).
    """
    columns = weights.shape[-1]
    limit = theta.astype(np.int64) + np.count_nonzero(weights, axis=-1)
    if dynamic:
        return -np.clip(limit, 0, 2 * columns + 1)
    return -np.clip(-(-limit // 2), 0, columns + 1)


def layer_rows(layer: Layer) -> NDArray[np.int8]:
    """All weights of each row, of the input and of the state: (matrices, units, columns)."""
    w = layer.w.values().reshape(-1, layer.units, layer.inputs)
    return w if layer.u is None else np.concatenate([w, layer.u.values()], axis=-1)


def layer_biases(layer: Layer) -> NDArray[np.int64]:
    """Of each row of a layer: (matrices, units)."""
    return biases(layer_rows(layer), layer.threshold.reshape(-1, layer.units), dynamic=layer.u is not None)


def bias_words(rows: NDArray[np.int64], pe: int, columns: int, dynamic: bool) -> NDArray[np.int64]:
    """The biases of each row group, (groups of all matrices, pe), of rows (matrices, units).

    Padding rows can't be reached by any count, so that their bits are 0.
    """
    out_of_reach = -(columns * (2 if dynamic else 1) + 1)
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % pe)), constant_values=out_of_reach).reshape(-1, pe)
