"""The shape of a popcount: levels of its tree, adders of a carry chain, and what they cost."""

from dataclasses import dataclass

__all__ = ["CHAIN", "PopcountCost", "adders_per_chain", "latency", "popcount_cost"]

CHAIN = 34
"""Most positions in a carry chain: no carry goes that far, but the tools time it as if it did (docs/hardware.md)."""


def latency(width: int) -> int:
    """Cycles from a word of `width` bits to its count: the levels of the tree, floor(log2(width))."""
    return max(width.bit_length() - 1, 0)


def adders_per_chain(widths: list[int]) -> int:
    """How many adders of these widths share a chain: the same in all chains but perhaps the last."""
    most = max(1, (CHAIN - 1) // (1 + max(widths, default=0)))
    chains = -(-len(widths) // most)
    return -(-len(widths) // chains) if widths else 1


@dataclass(frozen=True)
class PopcountCost:
    """What a popcount takes on ECP5, whose chains are built of two positions (CCU2C) of one LUT4 each.

    Exact for 2^k - 1 bits from 7 on; other widths leave inputs unused and may come out smaller. On iCE40, `lut4` is an
    upper bound on the logic cells.
    """

    lut4: int
    ff: int


def popcount_cost(width: int) -> PopcountCost:
    """The cost of `hw.gateware.popcount.Popcount(width)`, worked out from its tree."""
    lut4, ff = 0, 0
    counts = [width]  # how many bits each input of the level above counts
    for _ in range(latency(width)):
        widths = [(bits // 2).bit_length() for bits in counts if bits > 1]
        size = adders_per_chain(widths)
        for first in range(0, len(widths), size):
            positions = 1 + sum(1 + width for width in widths[first : first + size])
            lut4 += positions + positions % 2
        ff += 1 + sum(bits.bit_length() for bits in counts)  # one says that the word is valid
        counts = [half for bits in counts for half in ((bits // 2, (bits - 1) // 2, 1) if bits > 1 else (bits,))]
    return PopcountCost(lut4, ff)
