"""The golden model: the network in NumPy, bit for bit what the hardware must do.

It reads nothing but a bundle. docs/exact-meaning.md states every rule. The notation is that of Kim, Maity and Kim
(ICASSP 2019, eq. 4), with integer thresholds:

    r  = step(Wr x + Ur h - tr)
    z  = step(Wz x + Uz h - tz)
    h~ = sgn (Wh x + Uh (r * h) - th)
    h  = h~ where z = 0, the old h where z = 1

One-bit vectors are packed in 64-bit words. Integer layers are in `model.reference.integer_layers`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import WORD, Words, pack, unpack
from model.bundle.bundle import Bundle
from model.bundle.formats import top
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.reference.analysis import Features
from model.reference.integer_layers import Gru, IntegerDense
from model.reference.synthesis import Mask

__all__ = ["GoldenModel", "Product", "Trace"]

Trace = dict[str, dict[str, NDArray[Any]]]
"""Vectors by layer and name: r, z, candidate and h of a recurrent layer, y of a dense one."""

Integers = NDArray[np.int32]

NEVER = np.iinfo(np.int32).max
"""A threshold that no sum reaches, so that padding bits are 0."""


class Product:
    """A ternary matrix (..., rows, columns) times packed bipolar vectors.

    The planes are stored as (words, rows), so that NumPy works along the many rows, not the few words. Each matrix is
    padded with zero rows to a multiple of 64, so that the resulting bits pack into whole words.
    """

    def __init__(self, matrix: Matrix) -> None:
        self._sign, self._nonzero = _words_first(matrix.sign), _words_first(matrix.nonzero)
        self._kept = _count(self._nonzero)

    def __call__(self, x: Words, active: Words | None = None) -> Integers:
        """`popcount(nz) - 2 popcount(xor & nz)` per row, that is `2 popcount(xnor & nz) - popcount(nz)`.

        Columns whose bit in `active` is 0 count as 0: the operand is then r * h.
        """
        nonzero, kept = self._nonzero, self._kept
        if active is not None:
            nonzero = nonzero & active[:, None]
            kept = _count(nonzero)
        differ = self._sign ^ x[:, None]
        differ &= nonzero
        return kept - 2 * _count(differ)


def _words_first(plane: Words) -> Words:
    """(..., rows, words) to (words, all rows), each matrix padded with zero rows."""
    filled = np.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(0, -plane.shape[-2] % WORD), (0, 0)])
    return np.ascontiguousarray(filled.reshape(-1, plane.shape[-1]).T)


def _count(words: Words) -> Integers:
    """Number of ones in each row of (words, rows)."""
    return np.bitwise_count(words).sum(axis=0, dtype=np.int32)


def _reached(sums: Integers, threshold: Integers) -> Words:
    """The bits `sum >= threshold`, packed."""
    octets = np.packbits(sums >= threshold, bitorder="little")
    return octets.view("<u8").astype(np.uint64, copy=False)


class _Dense:
    """A dense layer, without state."""

    def __init__(self, layer: Layer) -> None:
        self._w, self._threshold = Product(layer.w), _thresholds(layer)

    def reset(self) -> None:
        pass

    def step(self, x: Words) -> tuple[Words, dict[str, Words]]:
        y = _reached(self._w(x), self._threshold)
        return y, {"y": y}


class _Bgru:
    """A BGRU layer and its state."""

    def __init__(self, layer: Layer) -> None:
        assert layer.u is not None and layer.initial_state is not None  # checked with the bundle
        self._w, self._threshold, self._initial = Product(layer.w), _thresholds(layer), layer.initial_state
        self._gates = Product(Matrix(layer.u.sign[:2], layer.u.nonzero[:2], layer.units))
        self._candidate = Product(Matrix(layer.u.sign[2], layer.u.nonzero[2], layer.units))
        self.reset()

    def reset(self) -> None:
        self._h = self._initial

    def step(self, x: Words) -> tuple[Words, dict[str, Words]]:
        h, sums, limits = self._h, self._w(x), self._threshold
        third = len(sums) // 3
        r, z = _reached(sums[: 2 * third] + self._gates(h), limits[: 2 * third]).reshape(2, -1)
        candidate = _reached(sums[2 * third :] + self._candidate(h, active=r), limits[2 * third :])
        self._h = (z & h) | (~z & candidate)
        return self._h, {"r": r, "z": z, "candidate": candidate, "h": self._h}


def _thresholds(layer: Layer) -> Integers:
    """A layer's thresholds, in the order of the rows of a `Product`."""
    filling = [(0, 0)] * (layer.threshold.ndim - 1) + [(0, -layer.units % WORD)]
    return np.pad(layer.threshold, filling, constant_values=NEVER).ravel()


def _made(layer: Layer | IntegerLayer) -> "_Dense | _Bgru | IntegerDense | Gru":
    if isinstance(layer, IntegerLayer):
        return Gru(layer) if layer.kind == "gru" else IntegerDense(layer)
    return _Bgru(layer) if layer.kind == "bgru" else _Dense(layer)


class GoldenModel:
    """A network with its state. `step` takes one frame; `reset` returns to the initial state."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._layers = {layer.name: _made(layer) for layer in bundle.layers}

    def reset(self) -> None:
        """Begin a new utterance: every recurrent layer's h becomes the bundle's initial state."""
        for layer in self._layers.values():
            layer.reset()

    def step(self, features: NDArray[Any]) -> tuple[NDArray[Any], Trace]:
        """One frame: features to the last layer's output, with every vector in between.

        Bits are packed; levels and integer outputs are int8.
        """
        trace: Trace = {}
        x = features
        for name, layer in self._layers.items():
            x, trace[name] = layer.step(x)
        return x, trace

    def steps(self, frames: Iterable[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], Trace]]:
        """`step` over frames, from the current state."""
        return (self.step(frame) for frame in frames)

    def go_on(self, features: Features) -> Mask:
        """Continue from the current state: features (frames, features) to the mask (frames, units)."""
        front_end = self.bundle.front_end
        frames = pack(features) if front_end.feature_bits == 1 else features
        outputs = np.stack([output for output, _ in self.steps(frames)])
        if front_end.gain_bits == 1:
            return unpack(outputs, self.bundle.layers[-1].units)
        return (outputs.astype(np.int16) + top(front_end.gain_bits)).astype(np.uint8)

    def masks(self, features: Features) -> Mask:
        """One utterance from its initial state: features (frames, features) to the mask (frames, units)."""
        self.reset()
        return self.go_on(features)
