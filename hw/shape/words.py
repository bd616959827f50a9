"""Vectors in words: how many words carry a vector, and which bits of the last one belong to it."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["ceil_log2", "integers", "used_lanes", "words"]


def words(length: int, width: int) -> int:
    """How many `width`-bit words carry a vector of `length` bits."""
    return -(-length // width)


def used_lanes(length: int, width: int) -> int:
    """The bits of a vector's last word that belong to the vector, as a mask."""
    return (1 << (length - (words(length, width) - 1) * width)) - 1


def ceil_log2(count: int) -> int:
    """Bits of the address of `count` words, or of a counter of so many values."""
    return (count - 1).bit_length()


def integers(rows: NDArray[np.uint8]) -> list[int]:
    """Rows of bits, lowest first, as Python integers."""
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(rows, axis=-1, bitorder="little")]
