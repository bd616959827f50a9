"""Popcount: the number of ones in a word."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.shape.popcount import adders_per_chain, latency

__all__ = ["Popcount", "delayed", "packed_sums"]


class Popcount(wiring.Component):
    """Count the ones of `width` bits, one word per cycle, with a tree of adders that share carry chains.

    The count of n bits is the count of one half of n - 1 bits, plus that of the other half, plus the remaining bit as
    carry in. No adder input is wasted, and 2^k - 1 bits take the least number of full adders. The adders of a level
    share a few carry chains, so a full adder costs one LUT4 and an adder one more (`packed_sums`); in LUTs
    alone, each full adder would cost two. A register follows each level.

    Latency: `hw.shape.popcount.latency(width)` cycles. Throughput: one word per cycle, without back-pressure.
    Cost: `hw.shape.popcount.cost(width)`; 98 LUT4 and 119 flip-flops for 63 bits.

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
            """The count of the next `width` bits, `level` registers after the input."""
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
    """The sums a + b + carry of several adders, packed into few additions and so into few carry chains.

    Each adder has as many positions as its wider operand has bits, and one before them in which both summands are its
    carry in. A carry into that position goes no further: it becomes the position's sum bit, which is the previous
    adder's carry out. Cost: one LUT4 per position, and one at the end of each chain.
    """
    size = adders_per_chain([max(len(a), len(b)) for a, b, _ in adders])
    return [total for first in range(0, len(adders), size) for total in _one_chain(adders[first : first + size])]


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
    """`value`, `cycles` cycles later; with `reset`, its registers are reset to 0."""
    for _ in range(cycles):
        register = Signal(value.shape(), reset_less=not reset, name="delayed")
        m.d.sync += register.eq(value)
        value = register
    return value
