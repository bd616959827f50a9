"""Real scales as integer multipliers and shifts (docs/exact-meaning.md, rule 14.4)."""

import numpy as np
from numpy.typing import NDArray

from model.bundle.integer_layers import MOST_SHIFT
from model.errors import BadInput

__all__ = ["LARGEST_MULTIPLIER", "multipliers"]

LARGEST_MULTIPLIER = 2**16 - 1


def multipliers(*scales: NDArray[np.float64]) -> tuple[list[NDArray[np.uint16]], NDArray[np.uint8]]:
    """Multipliers m of 16 bits for each of the scales and the shift s that a row's share: scale = m / 2^s, rounded.

    scales : of W, and of U where there is one: (..., rows) each

    The largest multiplier of a row has all its 16 bits; where that takes more than 63 bits of shift, fewer. Raises
    `BadInput` for scales that are not finite, negative, or too large for any multiplier.
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
