"""Number formats: what a weight is stored as, and how a word of weights meets a word of operands.

The schedule and the memories know nothing of the format; they ask an `Arithmetic` for the bits of a weight and
for the products. All else is counting, the same for all formats: over operands of -1 and +1, the sum of a row's
products is `2 count - kept`, where `count` is how many products are +1 and `kept` how many weights are not 0.

A *dynamic* matrix, `Uh (r * h)`, has operands of -1, 0 and +1. Such an operand is half the sum of two of -1 and
+1: of `h` with +1 where r is 0, and `h` with -1 there. Its rows are counted over both, with the same weights, and
a static row of the same engine counts its one operand twice (docs/hardware.md says what else was tried).
"""

from typing import Protocol

import numpy as np
from amaranth.hdl import Shape, Value
from numpy.typing import NDArray

__all__ = ["Arithmetic", "Binary", "Ternary", "accumulator", "biases", "select"]

Weights = NDArray[np.int8]
"""Weights as -1, 0, +1."""


def biases(weights: Weights, theta: NDArray[np.int32], dynamic: bool) -> NDArray[np.int64]:
    """What a row's accumulator begins with, so that it ends at 0 or above where the row reaches its theta.

    weights : (..., rows, columns); theta : (..., rows); result : (..., rows), within `accumulator`

    `2 count - kept >= theta`, and so, counted once or twice, `count >= ceil((theta + kept) / 2)` or
    `count >= theta + kept` (docs/exact-meaning.md, rule 8).
    """
    columns = weights.shape[-1]
    limit = theta.astype(np.int64) + np.count_nonzero(weights, axis=-1)
    if dynamic:
        return -np.clip(limit, 0, 2 * columns + 1)
    return -np.clip(-(-limit // 2), 0, columns + 1)


def accumulator(columns: int, dynamic: bool) -> Shape:
    """Shape of a row's accumulator: from out of reach, one more than can be counted below 0, to all counted."""
    most = columns * (2 if dynamic else 1)
    return Shape.cast(range(-(most + 1), most + 1))


class Arithmetic(Protocol):
    """What a number format must answer."""

    name: str
    has_zero: bool
    """Whether a weight can be 0. If not, operand bits that meet padding weights must be 0."""

    def stored_bits(self, simd: int) -> int:
        """Bits that `simd` weights take in memory."""
        ...

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        """Weights (..., simd) as they are stored, (..., stored_bits), lowest bit first."""
        ...

    def products(self, stored: Value, x: Value) -> Value:
        """A bit per lane, 1 where the product of weight and operand (1 is +1, 0 is -1) is +1."""
        ...


class Ternary:
    """Weights of -1, 0, +1 as two planes: `simd` sign bits, then `simd` non-zero bits. One LUT4 per lane."""

    name = "ternary"
    has_zero = True

    def stored_bits(self, simd: int) -> int:
        return 2 * simd

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        return np.concatenate([weights > 0, weights != 0], axis=-1).astype(np.uint8)

    def products(self, stored: Value, x: Value) -> Value:
        return ~(x ^ stored[: len(x)]) & stored[len(x) :]


class Binary:
    """Weights of -1 and +1 as one plane of sign bits. One LUT4 per lane.

    A padding weight (0) is stored as +1, so that its product with a padding operand, 0 and so -1, is not +1.
    """

    name = "binary"
    has_zero = False

    def stored_bits(self, simd: int) -> int:
        return simd

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        return (weights >= 0).astype(np.uint8)

    def products(self, stored: Value, x: Value) -> Value:
        return ~(x ^ stored)


def select(kept_all: bool) -> Arithmetic:
    """Binary where no weight of the layer is zero (rho = 1), ternary otherwise."""
    return Binary() if kept_all else Ternary()
