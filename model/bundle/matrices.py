"""Ternary matrices as packed bits."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import Words, pack, unpack

__all__ = ["Matrix"]


@dataclass(frozen=True, eq=False)
class Matrix:
    """A ternary matrix, (..., rows, columns), as two packed planes (..., rows, words).

    `sign` has a 1 for +1; `nonzero` has a 0 where the weight is 0, and there `sign` is 0 too.
    """

    sign: Words
    nonzero: Words
    columns: int

    @classmethod
    def from_values(cls, values: NDArray[np.integer[Any]]) -> "Matrix":
        """From an integer array of -1, 0 and +1, shape (..., rows, columns)."""
        return cls(pack(values > 0), pack(values != 0), values.shape[-1])

    def values(self) -> NDArray[np.int8]:
        """The weights as -1, 0, +1 (int8), shape (..., rows, columns)."""
        sign = unpack(self.sign, self.columns).astype(np.int8)
        nonzero = unpack(self.nonzero, self.columns).astype(np.int8)
        return (2 * sign - 1) * nonzero
