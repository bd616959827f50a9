"""Counting, multiplying and accumulating: equal to the integers, for every input."""

from functools import partial

import numpy as np
from amaranth.hdl import Array, Const, Mux, Signal, Value, signed

from hw.gateware.arithmetic import Arithmetic, Binary, Ternary
from hw.gateware.mvu import MVU
from hw.gateware.popcount import Popcount, _one_chain, packed_sums
from hw.gateware.trits import TritDecoder, Unpack, _decode, pack_trits
from hw.shape import popcount as popcount_shape
from hw.shape.number_format import CODE_BITS, TRITS, accumulator_bits
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

POPCOUNT_WIDTHS = (1, 2, 3, 4, 5, 6, 7, 8, 11, 15)


def total(values: list[Value]) -> Value:
    """The sum, as a tree."""
    while len(values) > 1:
        values = [a + b for a, b in zip(values[::2], [*values[1::2], Const(0)], strict=False)]
    return values[0]


def popcount() -> str:
    """Each width's count, checked against the sum of the bits that went in `latency` cycles earlier."""
    h = Harness()
    for width in POPCOUNT_WIDTHS:
        dut = h.component(Popcount(width), f"count_{width}")
        cycles = popcount_shape.latency(width)
        bits = h.past(dut.i.payload, cycles)
        h.check(dut.o.valid == h.past(dut.i.valid, cycles))
        h.check(~dut.o.valid | (dut.o.payload == total([bits[place] for place in range(width)])))
    return h.rtlil()


def sums() -> str:
    """Adders of mixed widths in shared chains, checked against each adder alone."""
    h = Harness()
    adders = []
    for index, (left, right) in enumerate([(1, 1), (3, 2), (2, 4), (5, 5), (4, 1), (6, 6), (1, 3), (9, 8)]):
        a, b, carry = (h.free(width, f"{name}_{index}") for name, width in (("a", left), ("b", right), ("carry", 1)))
        adders.append((a, b, carry))
    for (a, b, carry), found in zip(adders, packed_sums(adders), strict=True):
        h.check(found == a + b + carry)
    return h.rtlil()


def mvu(arithmetic: Arithmetic, simd: int, columns: int, dynamic: bool, pe: int = 2) -> str:
    """A row's accumulator, checked against one of twice the width that sums integers: weights times operands.

    The environment: biases and counts are what `hw.shape.biases` allows for `columns`, and a row group's words follow
    `first`. The bias is 0 or less and at least one below what can be counted.
    """
    h = Harness()
    dut = h.component(MVU(arithmetic, pe, simd, columns, dynamic))
    most = columns * dut.operands
    stages = dut.latency - 1
    word, valid = dut.i.payload, h.past(dut.i.valid, stages)
    first, last, start = (h.past(word[mark], stages) for mark in ("first", "last", "start"))
    wide = signed(2 * accumulator_bits(columns, dynamic))
    opened = Signal()
    with h.m.If(valid):
        h.m.d.sync += opened.eq(~last)
    h.assume(~valid | (first == ~opened))
    h.check(dut.o.valid == h.past(valid & last))
    h.check(~dut.o.valid | (dut.o.payload.start == h.past(start)))
    for row in range(pe):
        weights = h.past(word.weights[row], stages)
        lanes = []
        for operand in range(dut.operands):
            x = h.past(word.x[operand], stages)
            for lane in range(simd):
                sign = Mux(x[lane] == weights[lane], Const(1, signed(2)), Const(-1, signed(2)))
                lanes.append(Mux(weights[simd + lane], sign, 0) if arithmetic.format.has_zero else sign)
        # 2 count = sum + kept, for each word and so for the row.
        kept = (
            dut.operands * total([weights[simd + lane] for lane in range(simd)])
            if arithmetic.format.has_zero
            else Const(len(lanes))
        )
        twice = Signal(wide, name=f"twice_{row}")
        twice_count = Signal(wide, name=f"twice_count_{row}")
        h.m.d.comb += twice_count.eq(total(lanes) + kept)
        bias = dut.biases[row]
        counted, before = Signal(wide, name=f"counted_{row}"), Signal(wide, name=f"before_{row}")
        h.m.d.comb += before.eq(Mux(first, 0, counted))
        h.assume((bias >= -(most + 1)) & (bias <= 0))
        h.assume(~valid | (before + twice_count <= 2 * most))
        with h.m.If(valid):
            h.m.d.sync += [twice.eq(Mux(first, 2 * bias, twice) + twice_count), counted.eq(before + twice_count)]
        accumulator = h.signal(dut, f"total_{row}")
        h.check(twice == 2 * accumulator)
        # What the accumulator holds is the bias and the count, so the bounds of both are its own.
        h.check((counted >= 0) & (counted <= 2 * most))
        h.check((twice >= counted - 2 * (most + 1)) & (twice <= counted))
        h.check(~dut.o.valid | (dut.o.payload.data[row] == (twice >= 0)))
    return h.rtlil()


def accumulator_widths() -> str:
    """The most columns that each width of accumulator serves: allowed biases and counts add up within it."""
    h = Harness()
    for dynamic in (False, True):
        most_columns = {accumulator_bits(columns, dynamic): columns for columns in range(1, 1 << COLUMN_BITS)}
        for bits, columns in most_columns.items():
            most = columns << dynamic
            name = f"{bits}_{'dynamic' if dynamic else 'static'}"
            bias, count = h.free(signed(bits + 4), f"bias_{name}"), h.free(bits + 4, f"count_{name}")
            allowed = (bias <= 0) & (bias >= -(most + 1)) & (count <= most)
            after = bias + count
            h.check(~allowed | ((bias == bias[:bits].as_signed()) & (after == after[:bits].as_signed())))
    return h.rtlil()


COLUMN_BITS = 15
"""Of the columns of a layer, with room: `paper` has 5,130."""


def decoder() -> str:
    """Any five trits through `pack_trits` and the decoder, and any code through the decoder, `pack_trits` and back."""
    h = Harness()
    vectors = np.array([[number // 3**place % 3 - 1 for place in range(TRITS)] for number in range(3**TRITS)])
    bits = pack_trits(vectors.astype(np.int8))
    encoder = Array(int(code) for code in np.packbits(bits, axis=-1, bitorder="little").ravel())

    number = h.free(range(3**TRITS), "number")
    h.assume(number < 3**TRITS)
    packed = h.component(TritDecoder(), "packed")
    h.m.d.comb += packed.code.eq(encoder[number])
    h.check(_number(packed) == number)

    once = h.component(TritDecoder(), "once")
    twice = h.component(TritDecoder(), "twice")
    h.m.d.comb += twice.code.eq(encoder[_number(once)])
    h.check(_number(twice) == _number(once))
    h.check(once.signs == once.code[:TRITS])
    return h.rtlil()


def _number(decoder: TritDecoder) -> Value:
    """The decoder's trits in base 3, the first lowest, -1 as 0."""
    trits = (Mux(nonzero, Mux(sign, 2, 0), 1) for sign, nonzero in zip(decoder.signs, decoder.nonzeros, strict=True))
    return total([trit * 3**place for place, trit in enumerate(trits)])


def unpack() -> str:
    """A word of packed weights: each weight is what its own decoder gives, whatever the others are."""
    h = Harness()
    for count in (1, 5, 7, 12):
        dut = h.component(Unpack(count), f"unpack_{count}")
        for place in range(count):
            decoder = h.component(TritDecoder(), f"alone_{count}_{place}")
            h.m.d.comb += decoder.code.eq(dut.i.word_select(place // TRITS, CODE_BITS))
            h.check(dut.o[place] == decoder.signs[place % TRITS])
            h.check(dut.o[count + place] == decoder.nonzeros[place % TRITS])
    return h.rtlil()


def _mvu_proof(arithmetic: Arithmetic, simd: int, columns: int, dynamic: bool, mutant: Mutant) -> Proof:
    lanes = "-1, 0 and +1" if dynamic else "-1 and +1"
    return Proof(
        f"mvu-{arithmetic.format.name}-{'dynamic' if dynamic else 'static'}",
        f"A row's result is the sign of bias plus {arithmetic.format.name} weights times operands of {lanes}, summed "
        "as integers over any number of words; the accumulator never overflows.",
        "hw/gateware/mvu.py",
        partial(mvu, arithmetic, simd, columns, dynamic),
        "induction",
        5,
        (mutant,),
    )


PROOFS = (
    Proof(
        "popcount",
        f"A count is the number of ones of its word, for every word of {', '.join(map(str, POPCOUNT_WIDTHS))} bits.",
        "hw/gateware/popcount.py",
        popcount,
        "induction",
        5,
        (
            Mutant(Popcount.elaborate, "delayed(m, next(bits), level - 1)", "delayed(m, next(bits), level)"),
            Mutant(_one_chain, "right += [carry, b,", "right += [Const(0, 1), b,"),
        ),
    ),
    Proof(
        "packed-sums",
        "Adders that share a carry chain give the same sums as separate adders.",
        "hw/gateware/popcount.py",
        sums,
        "induction",
        1,
        (Mutant(_one_chain, "slice(start + 1, start + width + 2)", "slice(start + 1, start + width + 1)"),),
    ),
    _mvu_proof(Ternary(), 4, 9, False, Mutant(Ternary.products, "& stored[len(x) :]", "| ~stored[len(x) :]")),
    _mvu_proof(Ternary(), 2, 9, True, Mutant(MVU.elaborate, "products[0], stages)", "products[0], stages - 1)")),
    _mvu_proof(Binary(), 4, 9, False, Mutant(MVU.elaborate, "total >= 0", "total > 0")),
    _mvu_proof(Binary(), 2, 9, True, Mutant(accumulator_bits, "(2 if dynamic else 1)", "1")),
    Proof(
        "accumulator-widths",
        f"Bias plus count fits the accumulator, for any number of columns below {1 << COLUMN_BITS:,}.",
        "hw/shape/number_format.py",
        accumulator_widths,
        "induction",
        1,
        (Mutant(accumulator_bits, ".bit_length() + 1", ".bit_length()"),),
    ),
    Proof(
        "trit-decoder",
        "Any five weights come back from their code, and any code decodes to weights whose code decodes to the same.",
        "hw/gateware/trits.py",
        decoder,
        "induction",
        1,
        (
            Mutant(_decode, "~p & s2 & ~(q ^ both)", "~p & s2 & (q ^ both)"),
            Mutant(_decode, "(w | (both & ~q))", "w"),
        ),
    ),
    Proof(
        "unpack",
        "Each weight of a packed word depends on its own code alone, for words of 1, 5, 7 and 12 weights.",
        "hw/gateware/trits.py",
        unpack,
        "induction",
        1,
        (Mutant(Unpack.elaborate, "Cat(signs)[: self.count]", "Cat(signs)[-self.count :]"),),
    ),
)
