"""EngineSpec: the shape of an engine, an MVU with its weights, its biases and a queue for its results."""

from dataclasses import dataclass
from functools import cached_property

from hw.shape import popcount
from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.number_format import NumberFormat, accumulator_bits, packed_bits

__all__ = ["LOADED", "EngineSpec", "mvu_latency", "operands"]

LOADED = "loaded_weights"
"""Name of the module with a weight memory that is filled after start; `hw.flow.rtl` removes its contents."""


def operands(dynamic: bool) -> int:
    """Operands per word: two where lanes can be 0 (`hw.gateware.arithmetic`)."""
    return 2 if dynamic else 1


def mvu_latency(simd: int, dynamic: bool) -> int:
    """Cycles from a row group's last word to its result: the popcount's, and one to accumulate.

    The popcount leaves one product to the accumulator's carry in.
    """
    return popcount.latency(operands(dynamic) * simd - 1) + 1


@dataclass(frozen=True)
class EngineSpec:
    """The shape of a `hw.gateware.engine.Engine`.

    format : what its weights can be
    folding : rows and columns per cycle, and where the weights come from
    columns : columns that are no padding; they bound the accumulator
    dynamic : whether lanes can be 0
    groups : row groups, of all its matrices together
    words : words of a row group
    """

    format: NumberFormat
    folding: Folding
    columns: int
    dynamic: bool
    groups: int
    words: int
    family: Family

    @property
    def products(self) -> int:
        """Products of a row in a cycle."""
        return operands(self.dynamic) * self.folding.simd

    @property
    def accumulator_bits(self) -> int:
        """Bits of a row's accumulator, and of its bias."""
        return accumulator_bits(self.columns, self.dynamic)

    @property
    def weight_words(self) -> int:
        """Words of weights; one is used in each cycle, so these are the ideal cycles of a frame."""
        return self.groups * self.words

    @property
    def packed_lanes(self) -> int:
        """Lanes that share codes where weights are packed: those of a row."""
        return self.folding.simd

    @property
    def weight_width(self) -> int:
        """Bits of a word of weights."""
        lanes = self.folding.pe * self.folding.simd
        if self.folding.packed:
            return lanes // self.packed_lanes * packed_bits(self.packed_lanes)
        return self.format.bits * lanes

    @cached_property
    def weights(self) -> CyclicShape | None:
        """The weight memory, or None if the weights are streamed.

        A ROM is cut into slices as wide as one block RAM is at its depth. Single-port RAM is wide enough without.
        """
        if self.folding.weights == "streamed":
            return None
        rom, depth, width = self.folding.weights == "rom", self.weight_words, self.weight_width
        return CyclicShape(width, depth, self.family.slice_width(depth, width) if rom else width, rom)

    @cached_property
    def biases(self) -> CyclicShape | None:
        """The bias memory, in one piece; None in an engine of integers."""
        width = self.folding.pe * self.accumulator_bits
        return CyclicShape(width, self.groups, width, rom=True)

    @property
    def fetch(self) -> int:
        """Cycles from a word's entry to its arrival at the MVU: its weights' memory, and three registers."""
        return (1 if self.weights is None else self.weights.latency) + 3

    @cached_property
    def latency(self) -> int:
        """Cycles from a row group's last word to its result; the last of them is the queue's."""
        return self.fetch + mvu_latency(self.folding.simd, self.dynamic) + 1

    @property
    def queue_words(self) -> int:
        """Words of the queue: it holds all results that the pipeline can."""
        return self.latency + 3
