"""Number formats in bits: what weights and accumulators take."""

from dataclasses import dataclass

__all__ = ["BINARY", "CODE_BITS", "TERNARY", "TRITS", "NumberFormat", "accumulator_bits", "packed_bits"]

TRITS, CODE_BITS = 5, 8
"""Packed weights: so many ternary digits in so many bits (`hw.gateware.trits`)."""


@dataclass(frozen=True)
class NumberFormat:
    """What a weight can be, and how many bits it takes unpacked.

    has_zero : whether a weight can be 0. If not, operand bits that meet padding weights must be 0.
    """

    name: str
    has_zero: bool
    bits: int


TERNARY = NumberFormat("ternary", has_zero=True, bits=2)
BINARY = NumberFormat("binary", has_zero=False, bits=1)


def packed_bits(count: int) -> int:
    """Bits that `count` packed ternary weights take."""
    return CODE_BITS * -(-count // TRITS)


def accumulator_bits(columns: int, dynamic: bool) -> int:
    """Bits of a row's accumulator, signed: from out of reach, one more than can be counted below 0, to all counted."""
    return (columns * (2 if dynamic else 1)).bit_length() + 1
