"""The golden model: the network in NumPy on packed 64-bit words, bit for bit what the hardware must do.

It reads nothing but a bundle. Every rule is stated in docs/exact-meaning.md; the notation is that of
Kim, Maity and Kim (ICASSP 2019, eq. 4) with integer thresholds:

    r  = step(Wr x + Ur h - tr)
    z  = step(Wz x + Uz h - tz)
    h~ = sgn (Wh x + Uh (r * h) - th)
    h  = h~ where z = 0, the old h where z = 1
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from model.bits import Bits, Words, pack, unpack
from model.bundle import Bundle, Layer, Matrix

Trace = dict[str, dict[str, Words]]
"""Layer name to vector name to packed bits: r, z, candidate and h of a BGRU layer, y of a dense one."""


def dot(matrix: Matrix, x: Words, active: Words | None = None) -> NDArray[np.int32]:
    """Ternary matrix times bipolar vector: `2 popcount(xnor & nz) - popcount(nz)` per row, int32 (..., rows).

    Where `active` is given, columns whose bit in it is 0 count as 0: this is the operand r * h.
    """
    kept = matrix.nonzero if active is None else matrix.nonzero & active
    equal = ~(matrix.sign ^ x) & kept
    difference = 2 * np.bitwise_count(equal).astype(np.int16) - np.bitwise_count(kept)
    return difference.sum(axis=-1, dtype=np.int32)


class GoldenModel:
    """A network with its state. `step` takes one frame; `reset` returns to the initial state."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._state: dict[str, Words] = {}
        self.reset()

    def reset(self) -> None:
        """Begin a new utterance: every BGRU layer's h becomes the bundle's initial state."""
        for layer in self.bundle.layers:
            if layer.initial_state is not None:
                self._state[layer.name] = layer.initial_state.copy()

    def step(self, features: Words) -> tuple[Words, Trace]:
        """One frame: packed feature bits to packed mask bits, and every vector on the way."""
        trace: Trace = {}
        x = features
        for layer in self.bundle.layers:
            if layer.kind == "bgru":
                x, trace[layer.name] = self._bgru(layer, x)
            else:
                x = pack(dot(layer.w, x) >= layer.threshold)
                trace[layer.name] = {"y": x}
        return x, trace

    def _bgru(self, layer: Layer, x: Words) -> tuple[Words, dict[str, Words]]:
        assert layer.u is not None  # a BGRU layer has recurrent weights (checked with the bundle)
        h = self._state[layer.name]
        from_input = dot(layer.w, x)
        gates = Matrix(layer.u.sign[:2], layer.u.nonzero[:2], layer.units)
        r, z = pack(from_input[:2] + dot(gates, h) >= layer.threshold[:2])
        recurrent = Matrix(layer.u.sign[2], layer.u.nonzero[2], layer.units)
        candidate = pack(from_input[2] + dot(recurrent, h, active=r) >= layer.threshold[2])
        new = (z & h) | (~z & candidate)
        self._state[layer.name] = new
        return new, {"r": r, "z": z, "candidate": candidate, "h": new}

    def steps(self, frames: Iterable[Words]) -> Iterator[tuple[Words, Trace]]:
        """`step` over packed frames, from the present state on."""
        return (self.step(frame) for frame in frames)

    def masks(self, features: Bits) -> Bits:
        """One utterance from its initial state: feature bits (frames, features) to mask bits (frames, bins)."""
        self.reset()
        packed = np.stack([mask for mask, _ in self.steps(pack(features))])
        return unpack(packed, self.bundle.layers[-1].units)
