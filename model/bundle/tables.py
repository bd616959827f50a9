"""Tables of tanh and sigmoid for integer layers, exact on every machine (docs/exact-meaning.md, rule 14.5)."""

from decimal import ROUND_HALF_EVEN, Context, Decimal

import numpy as np
from numpy.typing import NDArray

from model.bundle.formats import one, top

__all__ = ["sigmoid_table", "tanh_table"]

DIGITS = Context(prec=50, rounding=ROUND_HALF_EVEN)
"""Ten times the digits that the rounding needs: no entry is within 10^-4 of half of an odd number."""


def tanh_table(bits: int) -> NDArray[np.int8]:
    """Entries for q = -2^(bits-1) upwards, (2^bits,): -top to top."""
    if bits == 1:
        return np.array([-1, 1], np.int8)
    return np.array([_nearest(top(bits) * value) for value in _tanh(bits)], np.int8)


def sigmoid_table(bits: int) -> NDArray[np.uint8]:
    """Entries for q = -2^(bits-1) upwards, (2^bits,): 0 to one."""
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
