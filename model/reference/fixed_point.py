"""Integer arithmetic on arrays: int64, exact, every shift arithmetic."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Complex", "Integers", "bit_length", "rounded"]

Integers = NDArray[np.int64]


class Complex(NamedTuple):
    """Complex integers: real and imaginary parts of one shape."""

    re: Integers
    im: Integers


def rounded(x: Integers, shift: int) -> Integers:
    """`(x + 2^(shift - 1)) >> shift`: x / 2^shift to the nearest integer, ties upwards; `shift` at least 1."""
    result: Integers = (x + (1 << (shift - 1))) >> shift
    return result


def bit_length(x: Integers) -> Integers:
    """Bits of each non-negative integer below 2^62; 0 has none."""
    length = np.frexp(x.astype(np.float64))[1].astype(np.int64)
    # From 2^53 on, the conversion may round up to the next power of two.
    return length - ((x >> np.maximum(length - 1, 0)) == 0) * (x > 0)
