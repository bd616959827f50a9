"""Real scales to integer multipliers and shifts (docs/exact-meaning.md, rule 14.4)."""

import numpy as np
from numpy.typing import NDArray

from model.bundle.integer_layers import MOST_SHIFT
from model.errors import BadInput

__all__ = ["LARGEST_MULTIPLIER", "multipliers"]

LARGEST_MULTIPLIER = 2**16 - 1


def multipliers(*scales: NDArray[np.float64]) -> tuple[list[NDArray[np.uint16]], NDArray[np.uint8]]:
    """16-bit multipliers m for each of the scales, and the shift s that a row shares: m / 2^s is the rounded scale.

    scales : of W and, if there is one, of U, each (..., rows)

    The larger multiplier of a row uses all 16 bits, unless that takes a shift beyond 63. Raises `BadInput` for scales
    that are negative, not finite, or too large.
    """
    most = np.max(np.stack(scales), axis=0)
    wrong = [float(value) for scale in scales for value in scale.ravel() if not 0 <= value <= LARGEST_MULTIPLIER]
    if wrong:
        raise BadInput(f"scales: expected finite ones from 0 to {LARGEST_MULTIPLIER}, got {wrong[0]}")
    exponent = np.frexp(most)[1]  # most is from 2^(exponent - 1) to 2^exponent
    shift = np.clip(16 - exponent, 0, MOST_SHIFT)
    shift -= (np.floor(np.ldexp(most, shift) + 0.5) > LARGEST_MULTIPLIER) & (shift > 0)
    found = [np.floor(np.ldexp(scale, shift) + 0.5).astype(np.uint16) for scale in scales]
    return found, shift.astype(np.uint8)
