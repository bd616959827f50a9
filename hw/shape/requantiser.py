"""The shape of a requantiser: its constants, its table, its registers and its cycles."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from numpy.typing import NDArray

from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import Family
from hw.shape.integer_engine_spec import signed_bits
from model.bundle.formats import Format, sum_most
from model.bundle.integer_layers import IntegerLayer

__all__ = ["MULTIPLIER_BITS", "ROW_CYCLES", "SHIFT_BITS", "THRESHOLD_BITS", "RequantiserShape", "constant_words"]

MULTIPLIER_BITS, SHIFT_BITS, THRESHOLD_BITS = 16, 6, 32

SHIFT_CYCLES = MULTIPLIER_BITS + 7 + 7
"""A bit of the multipliers at a time, then shifts by 8 and shifts by 1, seven of each at most."""

ROW_CYCLES = SHIFT_CYCLES + 4
"""Cycles of a row: one to load it, one to clip, one for the table, one to hand the entry on."""


@dataclass(frozen=True)
class RequantiserShape:
    """The shape of a `hw.gateware.requantiser.Requantiser`.

    format : of the layer
    inputs, units : of the layer
    matrices : 3 in a gru layer, 1 in a dense one
    sum_bits : of a row's sum over W and, in a gru layer, of that over U
    """

    format: Format
    inputs: int
    units: int
    matrices: int
    sum_bits: tuple[int, ...]
    family: Family

    @property
    def bits(self) -> int:
        """Bits of an index."""
        return self.format.output_bits

    @property
    def own_bits(self) -> int:
        """Bits of an entry: two at least, for -1, 0 and +1."""
        return max(2, self.format.output_bits)

    @property
    def _most(self) -> int:
        return sum_most(self.inputs, self.format.w, self.format.input_bits) + 2 ** (THRESHOLD_BITS - 1)

    @property
    def w_bits(self) -> int:
        """Bits of W x less the threshold."""
        return signed_bits(self._most)

    @property
    def high_bits(self) -> int:
        """Bits of the product beyond the 16 of the multipliers."""
        u = self.format.u
        return signed_bits(self._most + (sum_most(self.units, u, self.format.output_bits) if u else 0))

    @cached_property
    def constants(self) -> CyclicShape:
        """A word a row: the threshold, the shift, and the multipliers of W and U."""
        width = THRESHOLD_BITS + SHIFT_BITS + len(self.sum_bits) * MULTIPLIER_BITS
        depth = self.matrices * self.units
        return CyclicShape(width, depth, self.family.slice_width(depth, width), rom=True)

    @property
    def entries(self) -> int:
        """Entries of the table: tanh and, in a gru layer, sigmoid behind it."""
        return len(self.sum_bits) << self.bits


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
