"""The shape of a requantiser: its constants, its table, its registers and its cycles."""

from dataclasses import dataclass

from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import Family
from hw.shape.integer_engine_spec import signed_bits
from hw.shape.row_constants import MULTIPLIER_BITS, THRESHOLD_BITS, StoredBits, constants_shape
from model.bundle.formats import Format, sum_most

__all__ = ["ROW_CYCLES", "RequantiserShape"]

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
    stored : the bits of its constants that are in memory
    """

    format: Format
    inputs: int
    units: int
    matrices: int
    sum_bits: tuple[int, ...]
    stored: StoredBits
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

    @property
    def rows(self) -> int:
        """Rows of a frame."""
        return self.matrices * self.units

    @property
    def constants(self) -> CyclicShape | None:
        """The memory of the rows' constants; None if all rows have the same."""
        return constants_shape(self.stored.count, self.rows, self.family.name)

    @property
    def reads(self) -> int:
        """Words of a row's constants."""
        return 0 if self.constants is None else self.constants.depth // self.rows

    @property
    def entries(self) -> int:
        """Entries of the table: tanh and, in a gru layer, sigmoid behind it."""
        return len(self.sum_bits) << self.bits
