"""Popcount: how many bits of a word are 1."""

from amaranth.hdl import Cat, Const, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Popcount", "latency"]


def _compress(columns: list[int]) -> list[int]:
    """Heights of the bit columns after one level of full adders."""
    after = [0] * (len(columns) + 1)
    for weight, height in enumerate(columns):
        after[weight] += height // 3 + height % 3
        after[weight + 1] += height // 3
    return after if after[-1] else after[:-1]


def _levels(width: int) -> int:
    """Levels of full adders until no column is higher than two bits."""
    columns, count = [width], 0
    while max(columns) > 2:
        columns, count = _compress(columns), count + 1
    return count


def latency(width: int) -> int:
    """Cycles from a word of `width` bits to its count."""
    return _levels(width) + 1


class Popcount(wiring.Component):
    """Count the ones of `width` bits, one word per cycle, by a tree of registered full adders.

    Full adders (3:2 compressors) reduce the column of `width` bits level by level, with a register after
    each level, until no column is higher than two; a carry chain adds what is left. A full adder is two
    LUT4 and its registers sit in the same slices, so the registers buy clock for nothing but latency.

    Latency: `latency(width)` cycles: one per level and one for the carry chain. Throughput: one word per cycle,
    without back-pressure.
    Cost: about `2 * (width - log2(width))` LUT4 and as many flip-flops (`docs/hardware.md` has the table).

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
        columns: list[list[Value]] = [list(self.i.payload)]
        valid: Value = self.i.valid
        for level in range(_levels(self.width)):
            columns = [
                [self._register(m, bit, f"l{level}_c{weight}_{index}") for index, bit in enumerate(column)]
                for weight, column in enumerate(_full_adders(columns))
            ]
            valid = self._register(m, valid, f"l{level}_valid", reset_less=False)
        addends = [
            Cat(column[row] if row < len(column) else Const(0, 1) for column in columns)
            for row in range(max(map(len, columns)))
        ]
        m.d.sync += self.o.payload.eq(sum(addends, Value.cast(0)))
        m.d.sync += self.o.valid.eq(valid)
        return m

    @staticmethod
    def _register(m: Module, value: Value, name: str, reset_less: bool = True) -> Signal:
        register = Signal(name=name, reset_less=reset_less)
        m.d.sync += register.eq(value)
        return register


def _full_adders(columns: list[list[Value]]) -> list[list[Value]]:
    after: list[list[Value]] = [[] for _ in range(len(columns) + 1)]
    for weight, column in enumerate(columns):
        triples = len(column) // 3
        for first in range(0, 3 * triples, 3):
            a, b, c = column[first : first + 3]
            after[weight].append(a ^ b ^ c)
            after[weight + 1].append((a & b) | (a & c) | (b & c))
        after[weight] += column[3 * triples :]
    return after if after[-1] else after[:-1]
