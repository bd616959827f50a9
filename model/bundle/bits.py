"""Bit vectors as 64-bit words.

Element `i` of a vector is bit `i % 64` of word `i // 64`, least significant bit first; the unused
high bits of the last word are zero. A 1 stands for +1, a 0 for -1 (docs/exact-meaning.md).
"""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Bits = NDArray[np.uint8]

WORD = 64


def words_for(length: int) -> int:
    """Number of 64-bit words that hold `length` bits."""
    return -(-length // WORD)


def pack(bits: NDArray[np.generic]) -> Words:
    """Pack the last axis of a 0/1 array, shape (..., length), into (..., words_for(length)) words."""
    length = bits.shape[-1]
    padding = [(0, 0)] * (bits.ndim - 1) + [(0, words_for(length) * WORD - length)]
    padded = np.pad(np.asarray(bits, dtype=np.uint8), padding)
    return np.packbits(padded, axis=-1, bitorder="little").view("<u8").astype(np.uint64, copy=False)


def unpack(words: Words, length: int) -> Bits:
    """The inverse of `pack`: (..., words) to a 0/1 array of shape (..., length)."""
    octets = np.ascontiguousarray(words.astype("<u8", copy=False)).view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=length, bitorder="little")


def padding_is_zero(words: Words, length: int) -> bool:
    """Whether there are `words_for(length)` words and no bit beyond `length` is set."""
    if words.shape[-1] != words_for(length):
        return False
    used = length % WORD
    return used == 0 or not np.any(words[..., -1] >> np.uint64(used))
