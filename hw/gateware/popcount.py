"""Popcount: how many bits of a word are 1."""

from dataclasses import dataclass

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Cost", "Popcount", "cost", "delayed", "latency", "packed_sums"]


def latency(width: int) -> int:
    """Cycles from a word of `width` bits to its count: the levels of the tree, floor(log2(width))."""
    return max(width.bit_length() - 1, 0)


@dataclass(frozen=True)
class Cost:
    """What a popcount takes on ECP5, whose chains are built of two positions (CCU2C) of one LUT4 each.

    Exact for 2^k - 1 bits from 7 on; other widths leave inputs unused and may come out smaller. On iCE40, `lut4`
    is the number of logic cells at most.
    """

    lut4: int
    ff: int


def cost(width: int) -> Cost:
    """The cost of `Popcount(width)`, worked out from its tree."""
    lut4, ff = 0, 0
    counts = [width]  # how many bits each value counts that the level above takes in
    for _ in range(latency(width)):
        widths = [(bits // 2).bit_length() for bits in counts if bits > 1]
        size = _per_chain(widths)
        for first in range(0, len(widths), size):
            positions = 1 + sum(1 + width for width in widths[first : first + size])
            lut4 += positions + positions % 2
        ff += 1 + sum(bits.bit_length() for bits in counts)  # one says that the word is valid
        counts = [half for bits in counts for half in ((bits // 2, (bits - 1) // 2, 1) if bits > 1 else (bits,))]
    return Cost(lut4, ff)


class Popcount(wiring.Component):
    """Count the ones of `width` bits, one word per cycle, by a tree of adders that share carry chains.

    The count of n bits is the count of one half of n - 1 bits, plus that of the other half, plus the bit that is
    left, as carry in: no input of an adder is wasted, and 2^k - 1 bits take no more full adders than they must.
    The adders of a level lie in few carry chains, so that a full adder costs one LUT4 and an adder one more
    (`packed_sums`); out of LUTs alone, each full adder would cost two. A register follows each level.

    Latency: `latency(width)` cycles. Throughput: one word per cycle, without back-pressure.
    Cost: `cost(width)`; 98 LUT4 and 119 flip-flops for 63 bits.

    Members
    -------
    i : In(stream of unsigned(width), always ready)
    o : Out(stream of range(width + 1), always ready)
    """

    def __init__(self, width: int) -> None:
        self.width = width
        super().__init__(
            {
                "i": In(stream.Signature(width, always_ready=True)),
                "o": Out(stream.Signature(range(width + 1), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = iter(self.i.payload)
        levels: list[list[tuple[Signal, Value, Value, Value]]] = [[] for _ in range(latency(self.width))]

        def count(width: int, level: int) -> Value:
            """The count of the next `width` bits, `level` registers after they came in."""
            if width <= 1:
                return delayed(m, next(bits), level) if width else Const(0, 0)
            a, b = count(width // 2, level - 1), count((width - 1) // 2, level - 1)
            total = Signal(range(width + 1), reset_less=True, name=f"count{level}")
            levels[level - 1].append((total, a, b, delayed(m, next(bits), level - 1)))
            return total

        m.d.comb += self.o.payload.eq(count(self.width, len(levels)))
        for adders in levels:
            sums = packed_sums([(a, b, carry) for _, a, b, carry in adders])
            m.d.sync += [total.eq(value) for (total, *_), value in zip(adders, sums, strict=True)]
        under_way = Signal(len(levels))
        valid = Cat(self.i.valid, under_way)
        m.d.sync += under_way.eq(valid)
        m.d.comb += self.o.valid.eq(valid[-1])
        return m


def packed_sums(adders: list[tuple[Value, Value, Value]]) -> list[Value]:
    """The sums a + b + carry of several adders, by few additions and so in few carry chains.

    Each adder has as many positions as its wider operand has bits, and one before them in which both summands
    are its carry: whatever comes into that position goes no further, and appears there as its sum bit, which is
    the carry out of the adder before. Cost: one LUT4 per position, and one at the end of each chain.
    """
    size = _per_chain([max(len(a), len(b)) for a, b, _ in adders])
    return [total for first in range(0, len(adders), size) for total in _one_chain(adders[first : first + size])]


CHAIN = 34
"""Positions in a chain, at most: no carry goes that far, but the tools time it as if it did (docs/hardware.md)."""


def _per_chain(widths: list[int]) -> int:
    """How many adders of these widths go into one chain: all chains have as many, but perhaps the last."""
    most = max(1, (CHAIN - 1) // (1 + max(widths, default=0)))
    chains = -(-len(widths) // most)
    return -(-len(widths) // chains) if widths else 1


def _one_chain(adders: list[tuple[Value, Value, Value]]) -> list[Value]:
    left: list[Value] = []
    right: list[Value] = []
    places = []
    start = 0
    for a, b, carry in adders:
        width = max(len(a), len(b))
        left += [carry, a, Const(0, width - len(a))]
        right += [carry, b, Const(0, width - len(b))]
        places.append(slice(start + 1, start + width + 2))
        start += 1 + width
    total = Cat(left) + Cat(right)
    return [total[place] for place in places]


def delayed(m: Module, value: Value, cycles: int, *, reset: bool = False) -> Value:
    """`value`, `cycles` cycles later; with `reset`, 0 after a reset until then."""
    for _ in range(cycles):
        register = Signal(value.shape(), reset_less=not reset, name="delayed")
        m.d.sync += register.eq(value)
        value = register
    return value
