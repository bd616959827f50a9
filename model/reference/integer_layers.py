"""Integer layers in NumPy, to the bit (docs/exact-meaning.md, rule 14).

One-bit vectors enter and leave as packed words, as in bitwise layers; all others are int8.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import pack, unpack
from model.bundle.formats import WeightFormat, one
from model.bundle.integer_layers import IntegerLayer
from model.reference.fixed_point import Integers

__all__ = ["Gru", "IntegerDense"]

Vector = NDArray[Any]


class _Product:
    """A matrix of weight codes (..., rows, columns) times integer vectors.

    The floating-point product is exact: no partial sum exceeds 2^47 (`Format.check`).
    """

    def __init__(self, codes: NDArray[np.int8], format: WeightFormat) -> None:
        self._values = format.values(codes).astype(np.float64)

    def __call__(self, x: Integers) -> Integers:
        return (self._values @ x.astype(np.float64)).astype(np.int64)


class _Rows:
    """Rows of W and U with their requantisation and a table: operands to table entries."""

    def __init__(self, layer: IntegerLayer, gates: slice | int, table: NDArray[np.integer[Any]]) -> None:
        own, self._limit = layer.format, one(layer.format.output_bits)
        self._w, self._u = _Product(layer.w[gates], own.w), None
        if layer.u is not None and layer.u_multiplier is not None and own.u is not None:
            self._u, self._u_multiplier = _Product(layer.u[gates], own.u), layer.u_multiplier[gates].astype(np.int64)
        self._threshold = layer.threshold[gates].astype(np.int64)
        self._w_multiplier = layer.w_multiplier[gates].astype(np.int64)
        self._shift, self._table = layer.shift[gates].astype(np.int64), table.astype(np.int64)

    def __call__(self, x: Integers, v: Integers | None = None) -> Integers:
        sums = self._w_multiplier * (self._w(x) - self._threshold)
        if self._u is not None and v is not None:
            sums += self._u_multiplier * self._u(v)
        index = np.clip(sums >> self._shift, -self._limit, self._limit - 1)
        return self._table[index + self._limit]


def _taken(x: Vector, layer: IntegerLayer) -> Integers:
    """An incoming vector as integers."""
    bipolar = layer.format.input_bits == 1
    return 2 * unpack(x, layer.inputs).astype(np.int64) - 1 if bipolar else x.astype(np.int64)


def _given(y: Integers, layer: IntegerLayer) -> Vector:
    """Integers as an outgoing vector."""
    return pack(y > 0) if layer.format.output_bits == 1 else y.astype(np.int8)


class IntegerDense:
    """A dense integer layer, without state."""

    def __init__(self, layer: IntegerLayer) -> None:
        self._layer, self._rows = layer, _Rows(layer, slice(None), layer.tanh)

    def reset(self) -> None:
        pass

    def step(self, x: Vector) -> tuple[Vector, dict[str, Vector]]:
        y = _given(self._rows(_taken(x, self._layer)), self._layer)
        return y, {"y": y}


class Gru:
    """A gru layer and its state. Its trace holds uint8 gates and int8 vectors, unpacked even if they have one bit."""

    def __init__(self, layer: IntegerLayer) -> None:
        assert layer.sigmoid is not None and layer.initial_state is not None  # checked with the bundle
        self._layer, self._initial = layer, layer.initial_state.astype(np.int64)
        self._gates = _Rows(layer, slice(0, 2), layer.sigmoid)
        self._candidate = _Rows(layer, 2, layer.tanh)
        self.reset()

    def reset(self) -> None:
        self._h = self._initial

    def step(self, x: Vector) -> tuple[Vector, dict[str, Vector]]:
        bits, operand, h = self._layer.format.output_bits, _taken(x, self._layer), self._h
        half, shift = one(bits) >> 1, bits - 1
        r, z = self._gates(operand, h)
        v = (r * h + half) >> shift
        candidate = self._candidate(operand, v)
        self._h = (z * h + (one(bits) - z) * candidate + half) >> shift
        return _given(self._h, self._layer), {
            "r": r.astype(np.uint8),
            "z": z.astype(np.uint8),
            "v": v.astype(np.int8),
            "candidate": candidate.astype(np.int8),
            "h": self._h.astype(np.int8),
        }
