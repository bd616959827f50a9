"""Number formats: how a weight is stored, and how a word of weights is multiplied by a word of operands.

Schedule and memories do not depend on the format; they ask an `Arithmetic` for the bits of a weight and for the
products. Everything else is counting, the same for all formats: over operands of -1 and +1, the sum of a row's products
is `2 count - kept`, where `count` is the number of products that are +1 and `kept` the number of non-zero weights.

A *dynamic* matrix, `Uh (r * h)`, has operands of -1, 0 and +1. Such an operand is the mean of two bipolar ones:
`h` with +1 where r is 0, and `h` with -1 there. Its rows are counted over both, with the same weights, and
a static row of the same engine counts its one operand twice (docs/hardware.md lists the alternatives that were tried).
"""

from typing import Protocol

import numpy as np
from amaranth.hdl import Value
from numpy.typing import NDArray

from hw.shape.number_format import BINARY, TERNARY, NumberFormat

__all__ = ["Arithmetic", "Binary", "Ternary", "select"]

Weights = NDArray[np.int8]
"""Weights as -1, 0, +1."""


class Arithmetic(Protocol):
    """The interface of a number format."""

    format: NumberFormat

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        """Weights (..., simd) as they are stored, (..., simd * format.bits), lowest bit first."""
        ...

    def products(self, stored: Value, x: Value) -> Value:
        """One bit per lane: 1 if the product of weight and operand (1 is +1, 0 is -1) is +1."""
        ...


class Ternary:
    """Weights of -1, 0, +1 as two planes: `simd` sign bits, then `simd` non-zero bits. One LUT4 per lane."""

    format = TERNARY

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        return np.concatenate([weights > 0, weights != 0], axis=-1).astype(np.uint8)

    def products(self, stored: Value, x: Value) -> Value:
        return ~(x ^ stored[: len(x)]) & stored[len(x) :]


class Binary:
    """Weights of -1 and +1 as one plane of sign bits. One LUT4 per lane.

    A padding weight (0) is stored as +1, so its product with a padding operand (bit 0, which means -1) is not +1.
    """

    format = BINARY

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        return (weights >= 0).astype(np.uint8)

    def products(self, stored: Value, x: Value) -> Value:
        return ~(x ^ stored)


def select(number_format: NumberFormat) -> Arithmetic:
    """The arithmetic of a number format."""
    return Ternary() if number_format.has_zero else Binary()
