"""The ways of counting and of the dynamic term that were tried, each measured beside the one in use.

Every way is a row of 64 lanes with all that belongs to it: product, compression, accumulation over the words of a row
and comparison. It is simulated against NumPy before it is measured; one that is wrong is not measured.
"""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from hw.arithmetic import Binary, Ternary, accumulator
from hw.family import ECP5, ICE40, Family
from hw.mvu import MVU
from hw.popcount import CHAIN, Popcount, _one_chain, delayed, latency, packed_sums
from hw.rtl import to_rtlil
from hw.streams import words
from hw.synth import synthesise
from model import cli

LANES = 64
COLUMNS = 1284
SEEDS = (1, 2, 3, 4, 5)
WIDE = {"PFUMX": ("wide_mux", 1), "L6MUX21": ("wide_mux", 1)}
PRESETS = {"small": (1028, 256, 1, 64), "tiny": (1028, 96, 1, 32), "paper": (2052, 1024, 1, 8)}
"""Inputs, units, PE and SIMD."""
LENGTHS = {float("inf"): "any length", 16: "16 positions", 8: "8 positions"}


def main(
    build: Annotated[Path, typer.Option(help="Where tried.json goes.")] = Path("build"),
    only: Annotated[str, typer.Option(help="Only those whose group or name has this in it.")] = "",
) -> None:
    """Measure each way of counting and of the dynamic term; print them and write `tried.json`. Takes 10 minutes."""
    results = []
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=cli.console) as bars:
        task = bars.add_task("", total=None)
        for variant in [it for it in variants() if only in f"{it.group}: {it.name}"]:
            bars.update(task, description=f"{variant.group}: {variant.name}")
            results.append(measure(variant))
    build.mkdir(parents=True, exist_ok=True)
    (build / "tried.json").write_text(json.dumps([asdict(result) for result in results], indent=1) + "\n")
    for group in dict.fromkeys(result.group for result in results):
        cli.console.print(_table(group, [result for result in results if result.group == group]))
    for line in (
        "LUT4 and FF: one row, without what all rows share (shared, LUT4). Clock: LFE5U-85F, speed grade 6, out of",
        f"context, behind registers at all inputs, median of {len(SEEDS)} seeds; path: the slowest of the median seed,",
        "logic + routing. alone: SB_CARRY in an iCE40 logic cell whose LUT4 nothing uses; LC: all cells, with FF.",
    ):
        cli.console.print(line)


# --- What is fed, and what is expected ---


@dataclass
class Row:
    """One row's words: bits (words, 64) of the operand and of r, weights of -1, 0 and +1.

    In the words that are `dynamic` (those of Uh) lanes are off where r is 0, if the row is a candidate's.
    """

    x: NDArray[np.uint8]
    r: NDArray[np.uint8]
    weights: NDArray[np.int8]
    dynamic: NDArray[np.bool_]
    candidate: bool
    theta: int

    @property
    def active(self) -> NDArray[np.uint8]:
        return self.r | np.uint8(not self.candidate) | ~self.dynamic[:, None]

    @property
    def sum(self) -> int:
        return int((self.weights.astype(int) * (2 * self.x.astype(int) - 1) * self.active).sum())

    @property
    def kept(self) -> int:
        return int(np.count_nonzero(self.weights))


Feed = dict[str, int]
"""Port to value, for one word; a unit is given what it has ports for."""


def feeds(row: Row) -> list[Feed]:
    """The row's words, each once."""
    found = []
    for x, active, weights in zip(row.x, row.active, row.weights, strict=True):
        found.append(
            {
                "x": _integer(x),
                "active": _integer(active),
                "upper": _integer(x | 1 - active),
                "lower": _integer(x & active),
                "sign": _integer(weights >= 0),
                "nonzero": _integer(weights != 0),
            }
        )
    return found


def _integer(bits: NDArray[Any]) -> int:
    return int.from_bytes(np.packbits(bits.astype(np.uint8), bitorder="little").tobytes(), "little")


# --- Units: product, compression, accumulation, comparison ---

DIFFERENCE = Shape.cast(range(-(2 * COLUMNS + 2), 2 * COLUMNS + 2))
"""Of sums of -1, 0 and +1 that begin at -theta."""


class Unit(wiring.Component):
    """One row of 64 lanes.

    Members
    -------
    operands, sign, nonzero (ternary) : In(64), a word; valid, first, last : In(1), its marks
    limit : In, what the row begins at or is compared with; taken with `take`
    done : Out(1); result : Out(1), with it
    """

    limit_shape = accumulator(COLUMNS, False)

    def __init__(
        self, ternary: bool = True, operands: tuple[str, ...] = ("x",), extra: dict[str, Any] | None = None
    ) -> None:
        names = (*operands, "sign", *(("nonzero",) if ternary else ()))
        marks = ("valid", "first", "last")
        super().__init__(
            {
                **{name: In(LANES) for name in names},
                **{mark: In(1) for mark in marks},
                **{name: In(shape) for name, shape in (extra or {}).items()},
                "limit": In(self.limit_shape),
                **{name: Out(1) for name in ("take", "done", "result")},
            }
        )
        self.ternary = ternary

    def begin(self, row: Row) -> int:
        """The row's limit: by default of a count that begins there and ends at 0 or above."""
        return -words(row.theta + row.kept, 2)

    def feeds(self, row: Row) -> list[Feed]:
        """The words of a row as this unit takes them."""
        return feeds(row)

    def products(self, x: Value) -> list[Value]:
        """A bit per lane, 1 where the product with operand `x` is +1."""
        equal = ~(x ^ self.sign)
        return list(equal & self.nonzero) if self.ternary else list(equal)

    def accumulate(self, m: Module, total: Value, carry: Value, stages: int, begin: Value | None = None) -> None:
        """Begin at the limit, add up, and take the sign as the result: as `hw.mvu.MVU`."""
        valid, first, last = (delayed(m, mark, stages) for mark in (self.valid, self.first, self.last))
        sums = Signal(self.limit_shape if begin is None else begin.shape(), reset_less=True)
        before = Mux(first, self.limit if begin is None else begin, sums).as_unsigned()
        added = Signal(len(sums))
        m.d.comb += [added.eq(total), self.take.eq(valid & first), self.result.eq(sums >= 0)]
        (after,) = packed_sums([(before, added, carry)])
        with m.If(valid):
            m.d.sync += sums.eq(after)
        m.d.sync += self.done.eq(valid & last)

    def compare(self, m: Module, total: Value, carry: Value, stages: int, shape: Shape) -> None:
        """Begin at 0, add up, and compare with the limit a cycle later: as the version before."""
        valid, first, last = (delayed(m, mark, stages) for mark in (self.valid, self.first, self.last))
        sums, ended = Signal(shape, reset_less=True), Signal()
        added = Signal(len(sums))
        m.d.comb += added.eq(total)
        (after,) = packed_sums([(Mux(first, 0, sums).as_unsigned(), added, carry)])
        with m.If(valid):
            m.d.sync += sums.eq(after)
        m.d.sync += [ended.eq(valid & last), self.done.eq(ended), self.result.eq(sums >= self.limit)]
        m.d.comb += self.take.eq(ended)


class InUse(Unit):
    """`hw.mvu.MVU` itself."""

    def __init__(self, ternary: bool = True, dynamic: bool = False) -> None:
        self.dynamic = dynamic
        self.limit_shape = accumulator(COLUMNS, dynamic)
        super().__init__(ternary, ("upper", "lower") if dynamic else ("x",))

    def begin(self, row: Row) -> int:
        return -(row.theta + row.kept) if self.dynamic else super().begin(row)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.mvu = mvu = MVU(Ternary() if self.ternary else Binary(), 1, LANES, COLUMNS, self.dynamic)
        word = mvu.i.payload
        m.d.comb += [
            mvu.i.valid.eq(self.valid),
            word.weights[0].eq(Cat(self.sign, self.nonzero) if self.ternary else self.sign),
            word.first.eq(self.first),
            word.last.eq(self.last),
            mvu.biases.payload[0].eq(self.limit),
            self.take.eq(mvu.biases.ready),
            self.done.eq(mvu.o.valid),
            self.result.eq(mvu.o.payload.data[0]),
        ]
        operands = (self.upper, self.lower) if self.dynamic else (self.x,)
        m.d.comb += [port.eq(operand) for port, operand in zip(word.x, operands, strict=True)]
        return m


Compressor = Callable[[Module, list[Value]], tuple[Value, int]]
"""Bits to their count, and the registers on the way."""


class Biased(Unit):
    """As the MVU, with another compressor: all products but one through it, that one as the accumulator's carry in."""

    def __init__(self, compressor: Compressor, ternary: bool = True, dynamic: bool = False) -> None:
        self.compressor, self.dynamic = compressor, dynamic
        self.limit_shape = accumulator(COLUMNS, dynamic)
        super().__init__(ternary, ("upper", "lower") if dynamic else ("x",))

    def begin(self, row: Row) -> int:
        return -(row.theta + row.kept) if self.dynamic else super().begin(row)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        operands = (self.upper, self.lower) if self.dynamic else (self.x,)
        last, *others = chain.from_iterable(map(self.products, operands))
        count, stages = self.compressor(m, others)
        self.accumulate(m, count, delayed(m, last, stages), stages)
        return m


class Cleared(Unit):
    """The same with an accumulator that is cleared and a comparison; all products are compressed, or one is a carry."""

    def __init__(self, compressor: Compressor, ternary: bool = True, carry: bool = False) -> None:
        self.compressor, self.carry = compressor, carry
        super().__init__(ternary)

    def begin(self, row: Row) -> int:
        return -super().begin(row)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        products = self.products(self.x)
        count, stages = self.compressor(m, products[self.carry :])
        carry = delayed(m, products[0], stages) if self.carry else Const(0, 1)
        self.compare(m, count, carry, stages, Shape.cast(range(COLUMNS + 2)))
        return m


# --- Compressors ---


def plain_sum(m: Module, bits: list[Value]) -> tuple[Value, int]:
    """`sum()`, left to Yosys."""
    return sum(bits[1:], bits[0]), 0


def in_use(m: Module, bits: list[Value]) -> tuple[Value, int]:
    """`hw.popcount.Popcount`."""
    count = Popcount(len(bits))
    m.submodules += count
    m.d.comb += count.i.payload.eq(Cat(bits))
    return count.o.payload, latency(len(bits))


def pairs(every: int) -> Compressor:
    """A tree of two-input adders, each a chain of its own, a register after every so many levels."""

    def compress(m: Module, bits: list[Value]) -> tuple[Value, int]:
        values, level, stages = bits, 0, 0
        while len(values) > 1:
            sums = [a + b for a, b in zip(values[::2], values[1::2], strict=False)]
            values, level = sums + values[2 * len(sums) :], level + 1
            if every and level % every == 0:
                values, stages = [delayed(m, value, 1) for value in values], stages + 1
        return values[0], stages

    return compress


def packed(every: int = 1, longest: float = CHAIN) -> Compressor:
    """The tree of `hw.popcount`: a register after every so many levels, chains of at most so many positions."""

    def compress(m: Module, bits: list[Value]) -> tuple[Value, int]:
        waiting = iter(bits)
        levels: list[list[tuple[Signal, Value, Value, Value]]] = [[] for _ in range(latency(len(bits)))]

        def stage(level: int) -> int:
            return level // every if every else 0

        def count(width: int, level: int) -> Value:
            if width <= 1:
                return delayed(m, next(waiting), stage(level)) if width else Const(0, 0)
            a, b = count(width // 2, level - 1), count((width - 1) // 2, level - 1)
            total = Signal(range(width + 1), reset_less=True)
            levels[level - 1].append((total, a, b, delayed(m, next(waiting), stage(level - 1))))
            return total

        result = count(len(bits), len(levels))
        for level, adders in enumerate(levels, 1):
            domain = m.d.sync if stage(level) > stage(level - 1) else m.d.comb
            sums = _sums([(a, b, carry) for _, a, b, carry in adders], longest)
            domain += [total.eq(value) for (total, *_), value in zip(adders, sums, strict=True)]
        return result, stage(len(levels))

    return compress


def _sums(adders: list[tuple[Value, Value, Value]], longest: float) -> list[Value]:
    """As `packed_sums`, in chains of so many positions at most, but for an adder that is longer by itself."""
    if longest == CHAIN:
        return packed_sums(adders)
    chains: list[list[tuple[Value, Value, Value]]] = []
    used = 0
    for adder in adders:
        positions = max(len(adder[0]), len(adder[1])) + 1
        if not chains or used + positions > longest:
            chains.append([])
            used = 0
        chains[-1].append(adder)
        used += positions
    return [total for some in chains for total in _one_chain(some)]


def packed_values(m: Module, values: list[Value]) -> tuple[Value, int]:
    """The sum of wider values by a tree of adders that share chains, a register after each level."""
    stages = 0
    while len(values) > 1:
        couples = list(zip(values[::2], values[1::2], strict=False))
        sums = packed_sums([(a, b, Const(0, 1)) for a, b in couples])
        values, stages = [delayed(m, value, 1) for value in sums + values[2 * len(couples) :]], stages + 1
    return values[0], stages


def half_adders(m: Module, bits: list[Value]) -> tuple[Value, int]:
    """Pairs of products to sum and carry, a LUT4 each where a product has two inputs, and a popcount of each kind."""
    couples = list(zip(bits[::2], bits[1::2], strict=False))
    ones, stages = in_use(m, [a ^ b for a, b in couples])
    twos, _ = in_use(m, [a & b for a, b in couples])
    left = bits[-1] if len(bits) % 2 else Const(0, 1)
    (total,) = packed_sums([(ones, Cat(Const(0, 1), twos), delayed(m, left, stages))])
    return delayed(m, total, 1), stages + 1


def counters(every: int, *sizes: int) -> Compressor:
    """Compressors (3:2, 6:3, 7:3) in LUTs until two bits of each weight are left, and a chain that adds those."""
    tree = columns_tree(every, *sizes)
    return lambda m, bits: tree(m, [bits])


def columns_tree(every: int, *sizes: int) -> Callable[[Module, list[list[Value]]], tuple[Value, int]]:
    """The same for bits of several weights."""

    def compress(m: Module, columns: list[list[Value]]) -> tuple[Value, int]:
        level, stages = 0, 0
        while max(map(len, columns)) > 2:
            columns, level = _reduce(m, columns, sizes), level + 1
            if every and level % every == 0:
                columns, stages = [[delayed(m, bit, 1) for bit in column] for column in columns], stages + 1
        a, b = (Cat(column[row] if row < len(column) else Const(0, 1) for column in columns) for row in (0, 1))
        if every:
            return delayed(m, a + b, 1), stages + 1
        return a + b, 0

    return compress


def _reduce(m: Module, columns: list[list[Value]], sizes: tuple[int, ...]) -> list[list[Value]]:
    """One level: each column's bits by the largest compressor that they fill."""
    after: list[list[Value]] = [[] for _ in range(len(columns) + 2)]
    for weight, column in enumerate(columns):
        bits = iter(column)
        left = len(column)
        for size in sorted(sizes, reverse=True):
            while left >= size:
                for place, bit in enumerate(_counter(m, list(islice(bits, size)))):
                    after[weight + place].append(bit)
                left -= size
        after[weight] += bits
    while not after[-1]:
        after.pop()
    return after


def _counter(m: Module, bits: list[Value]) -> list[Value]:
    """How many of 3, 6 or 7 bits are 1, lowest bit first."""
    if len(bits) == 3:
        a, b, c = bits
        both = [Signal(), Signal()]
        m.d.comb += [both[0].eq(a ^ b ^ c), both[1].eq((a & b) | (a & c) | (b & c))]
        return list(both)
    (s1, c1), (s2, c2) = _counter(m, bits[:3]), _counter(m, bits[3:6])
    s, c = _counter(m, [s1, s2, bits[6]]) if len(bits) == 7 else (s1 ^ s2, s1 & s2)
    return [s, *_counter(m, [c1, c2, c])]


# --- Dynamic term ---


class Signed(Unit):
    """Operands of -1, 0 and +1: the sums, signed, begin at -theta."""

    limit_shape = DIFFERENCE

    def __init__(self) -> None:
        super().__init__(operands=("x", "active"))

    def begin(self, row: Row) -> int:
        return -row.theta

    def signs(self) -> tuple[list[Value], list[Value], list[Value]]:
        """Bits per lane: the product is +1; it is -1; it is either."""
        kept = self.nonzero & self.active
        equal = ~(self.x ^ self.sign)
        return list(equal & kept), list(~equal & kept), list(kept)


class Subtracted(Signed):
    """A popcount of +1 and one of -1, subtracted; the last lane goes by the carries of subtraction and accumulator."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plus, minus, _ = self.signs()
        a, stages = in_use(m, plus[1:])
        b, _ = in_use(m, minus[1:])
        (total,) = packed_sums([(_wide(a, 8), ~_wide(b, 8), delayed(m, plus[0], stages))])
        self.accumulate(m, delayed(m, total[:8].as_signed(), 1), delayed(m, ~minus[0], stages + 1), stages + 1)
        return m


class SubtractedBefore(Signed):
    """The version before this one: 3:2 in LUTs, a subtraction, an accumulator with clear, a comparison."""

    limit_shape = Shape.cast(range(-COLUMNS, COLUMNS + 2))

    def begin(self, row: Row) -> int:
        return row.theta

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plus, minus, _ = self.signs()
        a, stages = counters(1, 3)(m, plus)
        b, _ = counters(1, 3)(m, minus)
        difference = a[:7] - b[:7]
        self.compare(m, delayed(m, difference, 1), Const(0, 1), stages + 1, self.limit_shape)
        return m


class Doubled(Signed):
    """Twice the popcount of +1 less that of the lanes that are kept and active."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plus, minus, either = self.signs()
        a, stages = in_use(m, plus[1:])
        b, _ = in_use(m, either[1:])
        (total,) = packed_sums([(_wide(Cat(Const(0, 1), a), 8), ~_wide(b, 8), delayed(m, plus[0], stages))])
        self.accumulate(m, delayed(m, total[:8].as_signed(), 1), delayed(m, ~minus[0], stages + 1), stages + 1)
        return m


class Apart(Signed):
    """+1 and -1 each with an accumulator of their own, compared with one another at the end."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plus, minus, _ = self.signs()
        a, stages = in_use(m, plus[1:])
        b, _ = in_use(m, minus[1:])
        valid, first, last = (delayed(m, mark, stages) for mark in (self.valid, self.first, self.last))
        up, down, ended = Signal(DIFFERENCE, reset_less=True), Signal(range(COLUMNS + 1), reset_less=True), Signal()
        (more,) = packed_sums([(Mux(first, self.limit, up).as_unsigned(), a, delayed(m, plus[0], stages))])
        (less,) = packed_sums([(Mux(first, 0, down), b, delayed(m, minus[0], stages))])
        with m.If(valid):
            m.d.sync += [up.eq(more), down.eq(less)]
        m.d.sync += [ended.eq(valid & last), self.done.eq(ended), self.result.eq(up >= down)]
        m.d.comb += self.take.eq(valid & first)
        return m


class Offset(Signed):
    """A lane is 0, 1 or 2, one more than its product; what that adds is a part of the limit."""

    def __init__(self, in_luts: bool) -> None:
        self.in_luts = in_luts
        super().__init__()

    def begin(self, row: Row) -> int:
        return -row.theta - row.x.size

    def elaborate(self, platform: object) -> Module:
        m = Module()
        plus, _, either = self.signs()
        one = [~bit for bit in either]
        if self.in_luts:
            total, stages = columns_tree(1, 3)(m, [one, plus])
        else:
            total, stages = packed_values(m, [Cat(low, high) for low, high in zip(one, plus, strict=True)])
        self.accumulate(m, total, Const(0, 1), stages)
        return m


class SecondPass(Unit):
    """A static row; a candidate's words of Uh come twice, as `upper` and as `lower`, and all others count `twice`."""

    limit_shape = accumulator(COLUMNS, True)

    def __init__(self) -> None:
        super().__init__(extra={"twice": 1})

    def begin(self, row: Row) -> int:
        return -(row.theta + row.kept) if row.candidate else super().begin(row)

    def feeds(self, row: Row) -> list[Feed]:
        found: list[Feed] = []
        for feed, dynamic in zip(feeds(row), row.dynamic, strict=True):
            if row.candidate and dynamic:
                found += [{**feed, "x": feed[half], "twice": 0} for half in ("upper", "lower")]
            else:
                found.append({**feed, "twice": int(row.candidate)})
        return found

    def elaborate(self, platform: object) -> Module:
        m = Module()
        last, *others = self.products(self.x)
        count, stages = in_use(m, others)
        last, twice = delayed(m, last, stages), delayed(m, self.twice, stages)
        # Twice the count of all 64, less the last one, is what goes beside the last one as carry.
        total = delayed(m, Mux(twice, Cat(last, count), count), 1)
        self.accumulate(m, total, delayed(m, last, 1), stages + 1)
        return m


class DenseU(Unit):
    """A static row for networks whose Uh has no zero: then only the number of active lanes is missing, one per frame.

    `ones`, that number, comes from outside; `candidate` goes with the limit and says that it counts.
    """

    limit_shape = accumulator(COLUMNS, True)

    def __init__(self) -> None:
        super().__init__(operands=("x", "active"), extra={"ones": range(COLUMNS + 1), "candidate": 1})

    def begin(self, row: Row) -> int:
        return -(row.theta + int(np.count_nonzero(row.weights[~row.dynamic] if row.candidate else row.weights)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        products = [product & active for product, active in zip(self.products(self.x), self.active, strict=True)]
        count, stages = in_use(m, products[1:])
        # A limit is there for longer than a cycle before it is taken.
        begin = Signal(accumulator(COLUMNS, False), reset_less=True)
        m.d.sync += begin.eq((self.limit - Mux(self.candidate, self.ones, 0)) >> 1)
        self.accumulate(m, count, delayed(m, products[0], stages), stages, begin)
        return m


def _wide(value: Value, width: int) -> Value:
    return Cat(value, Const(0, width - len(value)))


class Halves(wiring.Component):
    """Shared by all rows: the two operands whose halves add up to one with lanes that are off."""

    def __init__(self) -> None:
        super().__init__({"x": In(LANES), "active": In(LANES), "upper": Out(LANES), "lower": Out(LANES)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.upper.eq(self.x | ~self.active), self.lower.eq(self.x & self.active)]
        return m


class Ones(wiring.Component):
    """Shared by all rows: how many bits of r are 1, counted as they are computed, with PE = 1 one by one."""

    def __init__(self) -> None:
        super().__init__({"r": In(1), "r_valid": In(1), "r_first": In(1), "ones": Out(range(COLUMNS + 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        with m.If(self.r_valid):
            m.d.sync += self.ones.eq(Mux(self.r_first, 0, self.ones) + self.r)
        return m


# --- The variants ---


@dataclass(frozen=True)
class Variant:
    """One way. `families` may be synthesised in another manner than the project's."""

    group: str
    name: str
    unit: Callable[[], Unit]
    shared: Callable[[], Any] | None = None
    ternary: bool = True
    dynamic: bool = False
    dense: bool = False
    families: tuple[Family, ...] = (ECP5, ICE40)
    extra_cycles: Callable[[int, int, int, int], int] = lambda inputs, units, pe, simd: 0


def _flow(family: Family, synthesis: str, **cells: Any) -> Family:
    return replace(family, synthesis=synthesis, cells={**family.cells, **cells})


def _mapped_by(mapping: str) -> Family:
    """Yosys' script for ECP5 with another command in the place of its `abc9`."""
    script = f"synth_ecp5 -nowidelut -run begin:map_luts -top unit\n{mapping}\nclean\n"
    return _flow(ECP5, f"{script}synth_ecp5 -nowidelut -run map_cells:check")


def variants() -> list[Variant]:
    """All that is measured; the first of each group is what is in use."""
    found = []

    def static(name: str, unit: Callable[[], Unit], group: str = "ternary", **others: Any) -> None:
        found.append(Variant(group, name, unit, ternary=group != "binary", **others))

    static(f"in use: chains of {CHAIN} positions at most, register per level", InUse)
    static("in use, LUT4 not folded into chains", InUse, families=(replace(ECP5, absorbs=False),))
    for longest, length in LENGTHS.items():
        static(f"the same, chains of {length}", partial(Biased, packed(1, longest)))
    static("the same, register every 2 levels", lambda: Biased(packed(2)))
    static("the same, no register", lambda: Biased(packed(0)))
    static("the same, accumulator with clear, comparison", lambda: Cleared(in_use, carry=True))
    static("sum(), no register", lambda: Biased(plain_sum))
    static("two-input adders, no register", lambda: Biased(pairs(0)))
    static("two-input adders, register per level", lambda: Biased(pairs(1)))
    static("3:2 in LUTs, no register", lambda: Biased(counters(0, 3)))
    static("3:2 in LUTs, register per level", lambda: Biased(counters(1, 3)))
    static("3:2 in LUTs, register every 2 levels", lambda: Biased(counters(2, 3)))
    static("the version before: 3:2, clear, comparison", lambda: Cleared(counters(1, 3)))
    static("6:3 and 3:2 in LUTs, register per level", lambda: Biased(counters(1, 6, 3)))
    static("7:3 and 3:2 in LUTs, register per level", lambda: Biased(counters(1, 7, 3)))

    flow = "in use, other synthesis"
    static("as it is (ECP5: -nowidelut)", InUse, flow)
    static("ECP5 with wide multiplexers", InUse, flow, families=(_flow(ECP5, "synth_ecp5", **WIDE),))
    static("-dff", InUse, flow, families=tuple(_flow(it, f"{it.synthesis} -dff") for it in (ECP5, ICE40)))
    static("ECP5 -noccu2: no carry chains", InUse, flow, families=(_flow(ECP5, "synth_ecp5 -nowidelut -noccu2"),))
    static("iCE40 -nocarry: no carry chains", InUse, flow, families=(_flow(ICE40, f"{ICE40.synthesis} -nocarry"),))
    static("ECP5 -cmp2softlogic", InUse, flow, families=(_flow(ECP5, "synth_ecp5 -nowidelut -cmp2softlogic"),))
    static("ECP5, abc in place of abc9", InUse, flow, families=(_mapped_by("abc -lut 4 -dress"),))
    static("ECP5, abc9 without -W 300", InUse, flow, families=(_mapped_by("abc9 -maxlut 4"),))
    static("iCE40 -noabc", InUse, flow, families=(_flow(ICE40, f"{ICE40.synthesis} -noabc"),))

    static("in use", lambda: InUse(ternary=False), "binary")
    static("in use, not folded", lambda: InUse(ternary=False), "binary", families=(replace(ECP5, absorbs=False),))
    static("half adders in LUTs, then packed", lambda: Biased(half_adders, ternary=False), "binary")
    static("3:2 in LUTs, register per level", lambda: Biased(counters(1, 3), ternary=False), "binary")
    static("the version before", lambda: Cleared(counters(1, 3), ternary=False), "binary")

    def dynamic(name: str, unit: Callable[[], Unit], **others: Any) -> None:
        found.append(Variant("ternary, lanes may be off", name, unit, dynamic=True, **others))

    dynamic("in use: two operands counted together", lambda: InUse(dynamic=True), shared=Halves)
    dynamic(
        "in use, not folded",
        lambda: InUse(dynamic=True),
        shared=Halves,
        families=(replace(ECP5, absorbs=False),),
    )
    for longest, length in LENGTHS.items():
        unit = partial(Biased, packed(1, longest), dynamic=True)
        dynamic(f"the same, chains of {length}", unit, shared=Halves)
    dynamic("+1 less -1, packed", Subtracted)
    dynamic("the version before: +1 less -1, 3:2 in LUTs", SubtractedBefore)
    dynamic("twice +1 less kept and active, packed", Doubled)
    dynamic(
        "second pass over Uh's words",
        SecondPass,
        extra_cycles=lambda inputs, units, pe, simd: words(units, pe) * words(units, simd),
    )
    dynamic("+1 and -1 apart, two accumulators", Apart)
    dynamic("lanes of 0, 1, 2: packed adders", lambda: Offset(in_luts=False))
    dynamic("lanes of 0, 1, 2: 3:2 in LUTs", lambda: Offset(in_luts=True))
    dynamic("Uh without zeros (another network)", DenseU, shared=Ones, dense=True)
    return found


# --- Simulation against NumPy ---


def frames(variant: Variant) -> list[list[Row]]:
    """Frames of rows over one vector each: sums of all sizes, at, above and below theta."""
    rng = np.random.default_rng(0)
    found = []
    for static_words, dynamic_words, rows in ((2, 1, 24), (1, 2, 12), (12, 8, 12)):
        shape = (static_words + dynamic_words, LANES)
        dynamic = np.arange(shape[0]) >= static_words
        x, r = rng.integers(0, 2, (2, *shape), dtype=np.uint8)
        frame = []
        for index in range(rows):
            candidate = variant.dynamic and bool(rng.integers(0, 4))
            weights = rng.choice(np.array([-1, 0, 1], np.int8), p=[0.4, 0.2, 0.4], size=shape)
            if index % 6 == 0:
                weights = (2 * x.astype(np.int8) - 1) * np.int8(rng.choice([-1, 1]))  # the extremes
            if not variant.ternary:
                weights[weights == 0] = 1
            if variant.dense:
                weights[dynamic] = rng.choice([-1, 1], size=weights[dynamic].shape)
            row = Row(x, r, weights, dynamic, candidate, 0)
            frame.append(replace(row, theta=row.sum + int(rng.choice([0, 0, 1, -1, 2, -7, 9]))))
        found.append(frame)
    return found


def check(variant: Variant) -> int:
    """Latency in cycles from a row's last word to its result; raises `AssertionError` where a result is wrong."""
    unit, top = variant.unit(), Module()
    top.submodules.unit = unit
    inputs = {name: getattr(unit, name) for name, member in unit.signature.members.items() if member.flow is In}
    if variant.shared is not None:
        top.submodules.shared = shared = variant.shared()
        for name, member in shared.signature.members.items():
            if member.flow is Out:
                top.d.comb += inputs.pop(name).eq(getattr(shared, name))
            else:
                inputs[name] = getattr(shared, name)
    work = frames(variant)
    rows = list(chain.from_iterable(work))
    rng = np.random.default_rng(1)
    fed: list[int] = []
    got: list[tuple[int, int]] = []
    cycle = 0

    async def feed(ctx):  # type: ignore[no-untyped-def]  # Amaranth's simulator has no types
        for frame in work:
            if "r" in inputs:
                await ctx.tick().repeat(20)  # rows before must not see it
                for index, bit in enumerate(frame[0].r[frame[0].dynamic].reshape(-1)):
                    ctx.set(inputs["r"], int(bit))
                    ctx.set(inputs["r_valid"], 1)
                    ctx.set(inputs["r_first"], index == 0)
                    await ctx.tick()
                ctx.set(inputs["r_valid"], 0)
                await ctx.tick().repeat(2)
            for row in frame:
                items = unit.feeds(row)
                for index, item in enumerate(items):
                    while rng.random() < 0.2:
                        ctx.set(inputs["valid"], 0)
                        await ctx.tick()
                    for name, value in item.items():
                        if name in inputs:
                            ctx.set(inputs[name], value)
                    ctx.set(inputs["valid"], 1)
                    ctx.set(inputs["first"], index == 0)
                    ctx.set(inputs["last"], index == len(items) - 1)
                    await ctx.tick()
                fed.append(cycle - 1)
            ctx.set(inputs["valid"], 0)

    async def serve(ctx):  # type: ignore[no-untyped-def]
        for row in rows:
            ctx.set(inputs["limit"], unit.begin(row))
            if "candidate" in inputs:
                ctx.set(inputs["candidate"], row.candidate)
            await ctx.tick().until(unit.take)

    async def collect(ctx):  # type: ignore[no-untyped-def]
        nonlocal cycle
        async for *_, done, result in ctx.tick().sample(unit.done, unit.result):
            if done:
                got.append((cycle, result))
            cycle += 1
            if len(got) == len(rows):
                return

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    for process in (collect, feed, serve):
        simulator.add_testbench(process)
    simulator.run_until(1e-6 * 10_000)
    assert [result for _, result in got] == [int(row.sum >= row.theta) for row in rows], "wrong results"
    latencies = {after - before for before, (after, _) in zip(fed, got, strict=True)}
    assert len(latencies) == 1, f"latency varies: {latencies}"
    return latencies.pop()


# --- Measurement ---


@dataclass
class Result:
    """What one variant takes; what failed is in words."""

    group: str
    name: str
    latency: int | str = ""
    ecp5: dict[str, Any] | str = ""
    clock: dict[str, Any] | str = ""
    ice40: dict[str, Any] | str = ""
    shared: dict[str, Any] | str = ""
    cycles: dict[str, dict[str, int]] = field(default_factory=dict)


class Registered(wiring.Component):
    """A unit behind a register at each input, so that nextpnr times the way from there."""

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        super().__init__(unit.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = self.unit
        for name, member in self.signature.members.items():
            inside, outside = getattr(self.unit, name), getattr(self, name)
            if member.flow is In:
                m.d.sync += inside.eq(outside)
            else:
                m.d.comb += outside.eq(inside)
        return m


def measure(variant: Variant) -> Result:
    """Simulate, then synthesise and place; goes on where a tool fails."""
    result = Result(variant.group, variant.name)
    try:
        result.latency = check(variant)
    except AssertionError as error:
        result.latency = f"failed: {error}"
        return result
    for family in variant.families:
        cost = _attempt(partial(_cost, variant.unit(), family))
        if family.name == "ecp5":
            result.ecp5 = cost
            result.clock = _attempt(partial(_clock, variant.unit(), family))
        else:
            result.ice40 = cost
    if variant.shared is not None:
        shared = variant.shared()
        result.shared = _attempt(lambda: dict(synthesise(to_rtlil(shared, "unit"), "unit", variant.families[0])))
    if variant.dynamic:
        for preset, shape in PRESETS.items():
            inputs, units, pe, simd = shape
            ideal = 3 * words(units, pe) * (words(inputs, simd) + words(units, simd))
            result.cycles[preset] = {"ideal": ideal, "extra": variant.extra_cycles(*shape)}
    return result


def _attempt(work: Callable[[], dict[str, Any]]) -> dict[str, Any] | str:
    try:
        return work()
    except RuntimeError as error:
        said = [line for line in str(error).splitlines() if "Warning" not in line]
        return f"failed: {said[-1] if said else 'the tool ended without a word'}"


def _cost(unit: Unit, family: Family) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        cost: dict[str, Any] = dict(synthesise(to_rtlil(unit, "unit"), "unit", family, folder / "netlist.json"))
        if family.name == "ice40":
            said = _nextpnr("ice40", folder, "--hx8k", "--package", "ct256", "--pack-only")
            carries, merged, cells = (
                int(found[1]) if (found := re.search(pattern, said)) else 0
                for pattern in (r"(\d+) LCs used as CARRY", r"(\d+) LUTs merged into carry", r"ICESTORM_LC: *(\d+)/")
            )
            cost.update({"lone_carries": carries - merged, "logic_cells": cells})
    return cost


def _nextpnr(family: str, folder: Path, *options: str) -> str:
    """Run nextpnr on `netlist.json` of a folder; what it says."""
    module = f"yowasp_nextpnr_{family}"
    script = f"import sys, {module} as n; sys.exit(n.run_nextpnr_{family}(sys.argv[1:]))"
    command = [sys.executable, "-c", script, "--json", "netlist.json", *options]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if run.returncode:
        raise RuntimeError(f"nextpnr-{family}: {run.stderr.strip()[-300:]}")
    return run.stderr


def _clock(unit: Unit, family: Family) -> dict[str, Any]:
    """MHz of each seed as in `hw.place.ecp5_fmax`, of one netlist, and the slowest path of the median seed."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        synthesise(to_rtlil(Registered(unit), "unit"), "unit", family, folder / "netlist.json")
        reports = []
        for seed in SEEDS:
            chip = ("--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context", "--timing-allow-fail")
            _nextpnr("ecp5", folder, "-q", *chip, "--report", "report.json", "--seed", str(seed), "--freq", "200")
            report = json.loads((folder / "report.json").read_text())
            reports.append((min(clock["achieved"] for clock in report["fmax"].values()), report))
    mhz, middle = sorted(reports, key=lambda it: it[0])[len(SEEDS) // 2]
    path = next(path for path in middle["critical_paths"] if path["from"] == path["to"] and "clk" in path["from"])[
        "path"
    ]
    routing = sum(step["delay"] for step in path if step["type"] == "routing")
    return {
        "mhz": round(mhz, 1),
        "seeds": [round(each, 1) for each, _ in reports],
        "logic_ns": round(sum(step["delay"] for step in path) - routing, 2),
        "routing_ns": round(routing, 2),
        "carry_positions": sum(step["to"]["port"] == "FCI" for step in path),
        "to": path[-1]["to"]["cell"],
    }


def _table(group: str, results: list[Result]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title=group, title_justify="left")
    for column in (
        "variant",
        "LUT4",
        "per lane",
        "shared",
        "FF",
        "latency",
        "MHz",
        "path, ns",
        "iCE40 LUT4",
        "alone",
        "LC",
    ):
        table.add_column(column, justify="left" if column == "variant" else "right")
    table.add_column("extra cycles")
    for result in results:
        table.add_row(result.name, *cells_of(result))
    return table


def cells_of(result: Result) -> list[str]:
    """A result's cells of the table."""
    if isinstance(result.latency, str):
        return [result.latency, *[""] * 10]
    ecp5, clock, ice40 = (it if isinstance(it, dict) else {} for it in (result.ecp5, result.clock, result.ice40))
    failed = {True: "failed", False: "-"}
    wide = f" + {ecp5['wide_mux']} wide" if ecp5.get("wide_mux") else ""
    extra = [
        f"{name} {counts['extra']:,} ({100 * counts['extra'] / counts['ideal']:.1f} %)"
        for name, counts in result.cycles.items()
        if counts["extra"]
    ]
    return [
        f"{ecp5['lut4']}{wide}" if ecp5 else failed[bool(result.ecp5)],
        f"{ecp5['lut4'] / LANES:.2f}" if ecp5 else "",
        f"{result.shared['lut4']}" if isinstance(result.shared, dict) else "",
        f"{ecp5['ff']}" if ecp5 else "",
        f"{result.latency}",
        f"{clock['mhz']:.0f}" if clock else failed[bool(result.clock)],
        f"{clock['logic_ns']:.1f} + {clock['routing_ns']:.1f}" if clock else "",
        f"{ice40['lut4']}" if ice40 else failed[bool(result.ice40)],
        f"{ice40['lone_carries']}" if ice40 else "",
        f"{ice40['logic_cells']}" if ice40 else "",
        ", ".join(extra) or ("none" if result.cycles else ""),
    ]


if __name__ == "__main__":
    cli.run(main)
