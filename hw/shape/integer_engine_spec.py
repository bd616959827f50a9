"""The shape of an engine of integers: lanes of products, their sums, and two results in its queue."""

from dataclasses import dataclass
from functools import cached_property

from hw.shape.cyclic_memory import CyclicShape
from hw.shape.engine_spec import EngineSpec
from hw.shape.words import ceil_log2
from model.bundle.formats import WEIGHT_FORMATS, WeightFormat, one, sum_most
from model.errors import BadInput

__all__ = ["IntegerEngineSpec", "integer_mvu_latency", "lanes_of", "signed_bits", "sum_bits"]


def signed_bits(most: int) -> int:
    """Bits of a signed integer of magnitude up to `most`."""
    return 1 + most.bit_length()


def sum_bits(columns: int, weights: WeightFormat, bits: int) -> int:
    """Bits of an exact sum over so many columns, with operands of so many bits (docs/exact-meaning.md, rule 14.3)."""
    return signed_bits(sum_most(columns, weights, bits))


def integer_mvu_latency(simd: int) -> int:
    """Cycles from a row group's last word to its result: one for the products, the tree's, one to accumulate."""
    return 2 + ceil_log2(simd)


def lanes_of(w: WeightFormat, u: WeightFormat | None, layer: str) -> WeightFormat:
    """The format of a layer's lanes: the narrower of the two that holds the codes of both.

    The codes -1, 0 and 1 mean the same in every format, and those of `seo` of few bits the same in more.
    Raises `BadInput` for `seo` next to `int3` or wider.
    """
    if u is None:
        return w
    narrow, wide = sorted((w, u), key=lambda format: (format.bits, format.exponent))
    if narrow.most > 1 and narrow.exponent != wide.exponent:
        raise BadInput(f"layer {layer}: expected W and U both seo or both int, got {w.name} and {u.name}")
    return WEIGHT_FORMATS[wide.name]


@dataclass(frozen=True)
class IntegerEngineSpec(EngineSpec):
    """The shape of a `hw.gateware.integer_engine.IntegerEngine`; `format` is that of its lanes.

    operand_bits : of a lane's operand, signed
    sum_bits : of a row's sum over W and, in a gru layer, of that over U
    """

    operand_bits: int
    sum_bits: tuple[int, ...]

    @property
    def weights_format(self) -> WeightFormat:
        """The format of the lanes."""
        return WEIGHT_FORMATS[self.format.name]

    @property
    def packed_lanes(self) -> int:
        """All lanes: operands of several bits make a wide SIMD costly, and a narrow one would waste most of a code."""
        return self.folding.pe * self.folding.simd

    @property
    def product_bits(self) -> int:
        """Bits of a product."""
        return signed_bits(self.weights_format.largest * one(self.operand_bits))

    @property
    def most_multipliers(self) -> int:
        """All lanes, where a weight is an integer of several bits and Yosys takes a multiplier for the product."""
        lanes = self.weights_format
        taken = self.family.multiplies((lanes.bits, self.operand_bits), self.product_bits)
        return self.folding.pe * self.folding.simd if taken and lanes.most > 1 and not lanes.exponent else 0

    @property
    def accumulator_bits(self) -> int:
        """Bits of a row's accumulator, which serves both sums."""
        return max(self.sum_bits)

    @property
    def result_bits(self) -> int:
        """Bits of a row group's result: the sums of its rows."""
        return self.folding.pe * sum(self.sum_bits)

    @cached_property
    def biases(self) -> CyclicShape | None:
        """None: a row's threshold is the requantiser's."""
        return None

    @cached_property
    def latency(self) -> int:
        """Cycles from a row group's last word to its result; the last of them is the queue's."""
        return self.fetch + integer_mvu_latency(self.folding.simd) + 1

    @property
    def queue_words(self) -> int:
        """Two: one row group is requantised, one computed. The engine's latency is below a row's requantisation."""
        return 2
