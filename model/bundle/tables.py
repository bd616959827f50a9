"""The tanh and sigmoid tables of integer layers, the same on every machine (docs/exact-meaning.md, rule 14.5)."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
from numpy.typing import NDArray

from model.bundle.formats import one, top

__all__ = ["sigmoid_table", "tanh_table"]

DIGITS = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""Far more digits than the rounding needs: no entry is within 10^-4 of a tie."""


def tanh_table(bits: int) -> NDArray[np.int8]:
    """Table of tanh, (2^bits,), from q = -2^(bits-1) up; entries are -top to top."""
    if bits == 1:
        return np.array([-1, 1], np.int8)
    return np.array([_nearest(top(bits) * value) for value in _tanh(bits)], np.int8)


def sigmoid_table(bits: int) -> NDArray[np.uint8]:
    """Table of sigmoid, (2^bits,), from q = -2^(bits-1) up; entries are 0 to one."""
    if bits == 1:
        return np.array([0, 1], np.uint8)
    return np.array([_nearest(one(bits) * (1 + value) / 2) for value in _tanh(bits)], np.uint8)


def _tanh(bits: int) -> list[Decimal]:
    """tanh((q + 1/2) (bits + 4) / 2^(bits + 1)) for each q, to 50 digits; the argument is exact."""
    found = []
    for q in range(-one(bits), one(bits)):
        power = (Decimal((2 * q + 1) * (bits + 4)) / 2 ** (bits + 1)).exp(DIGITS)
        found.append(DIGITS.divide(power - 1, power + 1))
    return found


def _nearest(value: Decimal) -> int:
    return int(value.to_integral_value(ROUND_HALF_EVEN))
