"""Number formats of integer layers (docs/exact-meaning.md, rule 14)."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from model.errors import BadInput

__all__ = ["MOST_BITS", "WEIGHT_FORMATS", "Format", "WeightFormat", "one", "top"]

MOST_BITS = 8
"""Maximum bits of an operand."""

WORD_BITS = 64
"""Bits of a row's sum before the shift."""


def top(bits: int) -> int:
    """Largest state or output with so many bits; the smallest is `-top`. One bit is +1 or -1."""
    return max(1, 2 ** (bits - 1) - 1)


def one(bits: int) -> int:
    """The gate value that means 1; also the largest magnitude of an operand with so many bits."""
    return 2 ** (bits - 1)


@dataclass(frozen=True)
class WeightFormat:
    """A format of weights, stored as codes from `-most` to `most`.

    name : in a bundle
    bits : per weight
    exponent : the weight is `sign(code) 2^(|code| - 1)`, or 0 for code 0; without it, the weight is the code
    zero : whether code 0 exists
    """

    name: str
    bits: int
    exponent: bool = False
    zero: bool = True

    @property
    def most(self) -> int:
        """The largest code."""
        return top(self.bits)

    @property
    def largest(self) -> int:
        """The largest weight."""
        return 2 ** (self.most - 1) if self.exponent else self.most

    def values(self, codes: NDArray[np.int8]) -> NDArray[np.int64]:
        """Codes, any shape, to weights."""
        wide = codes.astype(np.int64)
        return np.sign(wide) << np.maximum(np.abs(wide) - 1, 0) if self.exponent else wide

    def check(self, codes: NDArray[np.int8], array: str) -> None:
        """Raise `BadInput` for codes outside the format; `array` names them in the message."""
        beyond = codes[np.abs(codes.astype(np.int16)) > self.most]
        if beyond.size:
            raise BadInput(f"{array}: expected {self.name} codes from {-self.most} to {self.most}, got {beyond[0]}")
        if not (self.zero or np.all(codes)):
            raise BadInput(f"{array}: expected {self.name} codes -1 and 1, got 0")


def _weight_formats() -> dict[str, WeightFormat]:
    formats = [WeightFormat("binary", 1, zero=False), WeightFormat("ternary", 2)]
    formats += [WeightFormat(f"int{bits}", bits) for bits in range(3, 9)]
    formats += [WeightFormat(f"seo{bits}", bits, exponent=True) for bits in range(3, 7)]
    by_name = {one.name: one for one in formats}
    return by_name | {"int2": by_name["ternary"]}


WEIGHT_FORMATS: Mapping[str, WeightFormat] = MappingProxyType(_weight_formats())
"""Formats by name. A symmetric `int2` has the weights of `ternary`, so both names give one format."""


@dataclass(frozen=True)
class Format:
    """The number formats of a layer.

    input_bits : of the input
    output_bits : of the layer's own vectors: gates, state, output
    w, u : weights; `u` is None in a dense layer
    """

    input_bits: int
    output_bits: int
    w: WeightFormat
    u: WeightFormat | None = None

    def __str__(self) -> str:
        """Such as `int4, 8 > 8 bits`."""
        names = {one.name for one in (self.w, self.u) if one is not None}
        return f"{' and '.join(sorted(names))}, {self.input_bits} > {self.output_bits} bits"

    def check(self, inputs: int, units: int, layer: str) -> None:
        """Raise `BadInput` for vectors with too many bits, or sums that could overflow (rule 14.4)."""
        for name, bits in (("input_bits", self.input_bits), ("output_bits", self.output_bits)):
            if not 1 <= bits <= MOST_BITS:
                raise BadInput(f"layer {layer}: {name}: expected 1 to {MOST_BITS}, got {bits}")
        sums = sum_most(inputs, self.w, self.input_bits) + 2**31
        sums += sum_most(units, self.u, self.output_bits) if self.u else 0
        bits = (sums * (2**16 - 1)).bit_length() + 1
        if bits > WORD_BITS:
            raise BadInput(f"layer {layer}: expected sums of at most {WORD_BITS} bits, got {bits} at the worst")


def sum_most(columns: int, weights: WeightFormat, bits: int) -> int:
    """Largest sum over so many columns, with operands of so many bits (rule 14.3)."""
    return columns * weights.largest * one(bits)
