"""The constants of a requantiser's rows in block RAM: which bits are stored, and in how many words a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from numpy.typing import NDArray

from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import FAMILIES
from hw.shape.ram_mapping import mapped
from model.bundle.integer_layers import IntegerLayer

__all__ = [
    *("MOST_READS", "MULTIPLIER_BITS", "ONE", "SHIFT_BITS", "THRESHOLD_BITS", "ZERO"),
    *("StoredBits", "constant_words", "constants_shape", "stored_bits"),
]

MULTIPLIER_BITS, SHIFT_BITS, THRESHOLD_BITS = 16, 6, 32

MOST_READS = 32
"""Most words of a row: the next row's are read while a row is computed, which takes 34 cycles."""

ZERO, ONE = -1, -2
"""A bit that is the same in all rows."""


def constant_words(layer: IntegerLayer) -> list[int]:
    """A word for each row, in the order of use: threshold, shift, multiplier of W and, with U, that of U."""
    fields: list[tuple[NDArray[Any], int]] = [
        (layer.threshold, THRESHOLD_BITS),
        (layer.shift, SHIFT_BITS),
        (layer.w_multiplier, MULTIPLIER_BITS),
    ]
    if layer.u_multiplier is not None:
        fields.append((layer.u_multiplier, MULTIPLIER_BITS))
    found = [0] * layer.threshold.size
    place = 0
    for values, bits in fields:
        found = [
            word | (value % (1 << bits)) << place for word, value in zip(found, values.ravel().tolist(), strict=True)
        ]
        place += bits
    return found


@dataclass(frozen=True)
class StoredBits:
    """The bits of a layer's constants that a memory needs: one of those that are equal in every row, and no constant.

    The threshold's upper bits are copies of its sign, the shifts differ little, and so on.

    sources : for each bit of `constant_words`, the stored bit that it equals, or `ZERO` or `ONE`
    """

    sources: tuple[int, ...]

    @property
    def count(self) -> int:
        """Bits stored per row."""
        return max(self.sources) + 1 if max(self.sources) >= 0 else 0

    def packed(self, word: int) -> int:
        """The stored bits of a row, out of all of its bits."""
        return sum((word >> self.sources.index(bit) & 1) << bit for bit in range(self.count))

    def words(self, rows: Sequence[int], shape: CyclicShape) -> list[int]:
        """The stored bits of all rows as the words of a memory of `shape`, lowest bits first."""
        reads = shape.depth // len(rows)
        packed = [self.packed(row) for row in rows]
        return [row >> place * shape.width & (1 << shape.width) - 1 for row in packed for place in range(reads)]


def stored_bits(layer: IntegerLayer) -> StoredBits:
    """Which bits of a layer's constants are stored."""
    rows = constant_words(layer)
    width = THRESHOLD_BITS + SHIFT_BITS + MULTIPLIER_BITS * (1 if layer.u_multiplier is None else 2)
    known: dict[int, int] = {}
    sources = []
    for bit in range(width):
        column = sum((word >> bit & 1) << row for row, word in enumerate(rows))
        if column in (0, (1 << len(rows)) - 1):
            sources.append(ONE if column else ZERO)
        else:
            sources.append(known.setdefault(column, len(known)))
    return StoredBits(tuple(sources))


@cache
def constants_shape(bits: int, rows: int, family: str) -> CyclicShape | None:
    """The memory of so many bits a row, or None for none: the fewest block RAMs, and then the fewest words a row.

    A row in several words takes registers for all of them but one, and no cycles.
    """
    if not bits:
        return None
    shapes = [_in_words(bits, rows, family, reads) for reads in range(1, min(bits, MOST_READS) + 1)]
    return min(shapes, key=lambda shape: _blocks(shape, family))  # of equals the first


def _in_words(bits: int, rows: int, family: str, reads: int) -> CyclicShape:
    width, depth = -(-bits // reads), reads * rows
    return CyclicShape(width, depth, FAMILIES[family].slice_width(depth, width), rom=True)


def _blocks(shape: CyclicShape, family: str) -> int:
    depth = shape.depth + shape.spare_words
    return sum(mapped(family, width, depth, rom=True, block=True).cells for width in shape.slices.values())
