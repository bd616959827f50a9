# amaranth: UnusedElaboratable=no
"""Layers of integers: products, sums and requantisation are those of docs/exact-meaning.md, rule 14."""

from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value, signed

from hw.gateware.integer_mvu import IntegerMVU, _tree
from hw.gateware.lanes import Shifts, SignsAndZeros, TwosComplement, lanes
from hw.gateware.memory import CyclicMemory
from hw.gateware.requantiser import Requantiser, table_words
from hw.shape.family import ICE40
from hw.shape.folding import Folding
from hw.shape.integer_engine_spec import signed_bits
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.requantiser import ROW_CYCLES, RequantiserShape
from hw.shape.row_constants import MULTIPLIER_BITS, SHIFT_BITS, THRESHOLD_BITS, constant_words
from model.bundle.formats import WEIGHT_FORMATS, Format, WeightFormat, one, sum_most
from model.bundle.integer_layers import IntegerLayer
from model.bundle.random_bundle import random_integer_layer
from proofs.arithmetic import total
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

OPERAND_BITS, SIMD = 8, 2


def products(formats: list[WeightFormat]) -> str:
    """Any codes as they are stored, times any operands, checked against each code's own multiple of the operand."""
    h = Harness()
    for format in formats:
        strategy = lanes(format)
        codes = np.array([code for code in range(-format.most, format.most + 1) if code or format.zero], np.int8)
        numbers = [h.free(range(len(codes)), f"number_{format.name}_{lane}") for lane in range(SIMD)]
        operands = [h.free(signed(OPERAND_BITS), f"x_{format.name}_{lane}") for lane in range(SIMD)]
        alone = [_stored(strategy.encode(np.array([code, codes[0]], np.int8))) for code in codes]
        behind = [_stored(strategy.encode(np.array([codes[0], code], np.int8))) for code in codes]
        # A bit that the second lane's code does not change is the first lane's.
        moved = int(np.bitwise_or.reduce([word ^ behind[0] for word in behind]))
        stored = (Array(alone)[numbers[0]] & ~moved) | (Array(behind)[numbers[1]] & moved)
        width = format.bits * SIMD
        word = Signal(width, name=f"stored_{format.name}")
        h.m.d.comb += word.eq(stored)
        for number, x, product in zip(numbers, operands, strategy.products(word, operands), strict=True):
            h.assume(number < len(codes))
            multiples = Array(int(value) * x for value in format.values(codes))
            h.check(product == multiples[number])
    return h.rtlil()


def _stored(bits: np.ndarray) -> int:
    return sum(int(bit) << place for place, bit in enumerate(bits))


def mvu(format: WeightFormat, input_bits: int, output_bits: int) -> str:
    """Both sums of each row, checked against registers of twice their width; no more words than the layer has.

    The environment: no weight is the code that the format lacks, and operands are no larger than their bits allow.
    """
    h = Harness()
    layer = random_integer_layer(
        np.random.default_rng(0), "gru", 2 * SIMD, 3 * SIMD, Format(input_bits, output_bits, format, format)
    )
    spec = IntegerLayerSpec.of_integers(layer, Folding(2, SIMD, "streamed"), ICE40)
    dut = h.component(IntegerMVU(spec.engine))
    stages, word = dut.latency - 1, dut.i.payload
    valid = h.past(dut.i.valid, stages)
    first, turn, last, start = (h.past(word[mark], stages) for mark in ("first", "turn", "last", "start"))
    opened, turned, words = Signal(name="opened"), Signal(name="turned"), Signal(4, name="words")
    begins, here = first | turn, Signal(4, name="here")
    h.m.d.comb += here.eq(Mux(begins, 1, words + 1))
    with h.m.If(valid):
        h.m.d.sync += [opened.eq(~last), turned.eq((turned & ~first) | turn), words.eq(here)]
    over_u = turn | (turned & ~first)
    h.assume(~valid | ((first == ~opened) & ~(first & turn) & ~(turn & turned) & (~last | over_u)))
    h.assume(~valid | (here <= Mux(over_u, spec.h_words, spec.x_words)))
    h.check(words <= Mux(turned, spec.h_words, spec.x_words))
    h.check(dut.o.valid == h.past(valid & last))
    h.check(~dut.o.valid | (dut.o.payload.start == h.past(start)))
    for row in range(spec.folding.pe):
        stored = h.past(word.weights[row], stages)
        terms: list[Value] = []
        for lane in range(SIMD):
            weight = stored.word_select(lane, format.bits).as_signed()
            x = h.past(word.x[lane], stages).as_signed()
            h.assume(weight != -(1 << (format.bits - 1)))
            most = Mux(over_u, one(output_bits), one(input_bits))
            h.assume(~valid | ((x >= -most) & (x <= most)))
            terms.append(weight * x)
        exact = Signal(signed(2 * spec.engine.accumulator_bits), name=f"exact_{row}")
        waits = Signal(exact.shape(), name=f"waits_{row}")
        with h.m.If(valid):
            h.m.d.sync += exact.eq(Mux(begins, 0, exact) + total(terms))
        with h.m.If(valid & turn):
            h.m.d.sync += waits.eq(exact)
        h.check(h.signal(dut, f"total_{row}") == exact)
        sums = dut.o.payload.data[row]
        h.check(~turned | (h.signal(dut, f"waiting_{row}") == waits))
        h.check(~dut.o.valid | ((sums.w == waits) & (sums.u == exact)))
        # No sum is beyond that of as many words of the largest products.
        bound = words * Mux(turned, sum_most(SIMD, format, output_bits), sum_most(SIMD, format, input_bits))
        h.check((exact >= -bound) & (exact <= bound))
    return h.rtlil()


def _small_layer(units: int) -> tuple[IntegerLayer, IntegerLayerSpec]:
    ternary = WEIGHT_FORMATS["ternary"]
    layer = random_integer_layer(np.random.default_rng(0), "gru", 2, units, Format(2, 3, ternary, ternary))
    return layer, IntegerLayerSpec.of_integers(layer, Folding(2, 1, "streamed"), ICE40)


NARROW = 6
"""Bits of a threshold in the proofs: the registers are as much narrower, so that z3 is quick."""


@dataclass(frozen=True)
class _Narrow(RequantiserShape):
    """The shape of a requantiser for thresholds of `NARROW` bits."""

    @property
    def _most(self) -> int:
        return sum_most(self.inputs, self.format.w, self.format.input_bits) + 2 ** (NARROW - 1)


def _with_free_constants(h: Harness) -> tuple[Requantiser, SimpleNamespace, Value]:
    """A requantiser whose rows have any constants, its inner signals, and the constants."""
    layer, spec = _small_layer(2)
    it = spec.requantiser
    vars(spec)["requantiser"] = _Narrow(it.format, it.inputs, it.units, it.matrices, it.sum_bits, it.stored, it.family)
    dut = Requantiser(layer, spec)
    constants = h.free(THRESHOLD_BITS + SHIFT_BITS + 2 * MULTIPLIER_BITS, "constants")
    object.__setattr__(dut, "_constants", lambda m, load, step: constants)
    h.component(dut)
    inner = h.inside(dut, Requantiser.elaborate)
    h.check(inner.step < ROW_CYCLES)
    return dut, inner, constants


def multiplied() -> str:
    """Both products of a row together, by the definition of a binary product: a bit of the multipliers at its place."""
    h = Harness()
    dut, it, constants = _with_free_constants(h)
    sums, spec = dut.i.payload.data[it.row], dut.spec
    own = spec.format
    assert own.u is not None
    most_w = sum_most(spec.inputs, own.w, own.input_bits)
    most_u = sum_most(spec.units, own.u, own.output_bits)
    h.assume((sums.w >= -most_w) & (sums.w <= most_w) & (sums.u >= -most_u) & (sums.u <= most_u))
    threshold = constants[:THRESHOLD_BITS].as_signed()
    h.assume(threshold == threshold[:NARROW].as_signed())
    most_w += 1 << (NARROW - 1)

    w, u = Signal(signed(NARROW + 6), name="row_w"), Signal(signed(NARROW + 6), name="row_u")
    m_w, m_u = Signal(MULTIPLIER_BITS, name="m_w"), Signal(MULTIPLIER_BITS, name="m_u")
    exact = Signal(signed(NARROW + 6 + MULTIPLIER_BITS), name="exact")
    with h.m.If(it.load):
        multipliers = constants[THRESHOLD_BITS + SHIFT_BITS :]
        h.m.d.sync += [
            w.eq(sums.w - threshold),
            u.eq(sums.u),
            m_w.eq(multipliers[:MULTIPLIER_BITS]),
            m_u.eq(multipliers[MULTIPLIER_BITS:]),
            exact.eq(0),
        ]
    with h.m.Else(), h.m.Switch(it.step):
        for bit in range(MULTIPLIER_BITS):
            with h.m.Case(bit + 1):
                # In its place: the bits below stay.
                added = exact[bit:].as_signed() + Mux(m_w[bit], w, 0) + Mux(m_u[bit], u, 0)
                h.m.d.sync += exact.eq(Cat(exact[:bit], added))

    multiplies = (it.step != 0) & (it.step <= MULTIPLIER_BITS)
    h.check((it.step == 0) | (it.multiplying == multiplies))
    h.check(~multiplies | ((it.w == w) & (w >= -most_w) & (w <= most_w)))
    h.check(~multiplies | ((it.u == u) & (u >= -most_u) & (u <= most_u)))
    h.check(~multiplies | ((it.high >= -most_w - most_u) & (it.high <= most_w + most_u)))
    # The upper part of the product is above, its lower part in the place of the multiplier's bits.
    for bit in range(MULTIPLIER_BITS + 1):
        done = it.step == bit + 1
        h.check(~done | ((it.high == (exact >> bit)) & (it.low == Cat(m_w[bit:], exact[:bit]))))
        h.check(~(done & multiplies) | (it.factor == (m_u >> bit)))
    return h.rtlil()


def entry() -> str:
    """From any product to its entry of the table: rule 14.4's shift and clip.

    No statement says what the product is before it is shifted, so by induction it may be any word. From reset the
    multipliers are those of the sum itself, in its highest place: a mutant is refuted without a multiplication.
    """
    h = Harness()
    dut, it, constants = _with_free_constants(h)
    h.assume(~it.load | (constants[THRESHOLD_BITS + SHIFT_BITS :] == 1 << (MULTIPLIER_BITS - 1)))
    shape, spec = dut.spec.requantiser, dut.spec
    product, first = Cat(it.low, it.high).as_signed(), it.step == MULTIPLIER_BITS + 1
    shift, gate = Signal(SHIFT_BITS, name="shift"), Signal(name="is_gate")
    whole, before = Signal(product.shape(), name="whole"), Signal(product.shape(), name="before")
    h.m.d.comb += whole.eq(Mux(first, product, before))
    h.m.d.sync += before.eq(whole)
    with h.m.If(it.load):
        h.m.d.sync += [
            shift.eq(constants[THRESHOLD_BITS:][:SHIFT_BITS]),
            gate.eq(it.matrix != spec.matrices - 1),
        ]
    works = it.step != 0
    shifts = it.step > MULTIPLIER_BITS
    left, passed = Cat(it.fine, it.coarse), Signal(SHIFT_BITS, name="passed")
    h.m.d.comb += passed.eq(shift - left)
    h.check(~works | (it.gate == gate))
    h.check(~works | (it.multiplying == ~shifts))
    h.check(~(works & ~shifts) | (left == shift))
    # The multiplier of U is used up, or it would add to what is shifted.
    for bit in range(MULTIPLIER_BITS):
        h.check((it.step != bit + 1) | (it.factor[MULTIPLIER_BITS - bit :] == 0))
    h.check(~shifts | (it.factor == 0))
    h.check(~shifts | (left <= shift))
    for count in range(1 << SHIFT_BITS):
        h.check(~(shifts & (passed == count)) | (product == (whole >> count)))
    # Fine steps and coarse ones are done in time.
    late = it.step - (MULTIPLIER_BITS + 1)
    h.check(~shifts | (it.fine + it.coarse <= Mux(late <= 14, 14 - late, 0)))
    # The clip, in every cycle; in the last two nothing is left to shift.
    top = (1 << (shape.bits - 1)) - 1
    clipped = Mux(product > top, top, Mux(product < -top - 1, -top - 1, product))
    h.check(~h.begun | (it.index == h.past(clipped[: shape.bits])))
    h.check(~(works & (it.step >= ROW_CYCLES - 2)) | (it.index == clipped[: shape.bits]))
    entries = Array(Const(word, spec.own_bits) for word in table_words(dut.layer, spec.own_bits))
    h.check(dut.o.valid == (it.step == ROW_CYCLES - 1))
    h.check(~dut.o.valid | (dut.o.payload.data == entries[Cat(clipped[: shape.bits], gate)]))
    return h.rtlil()


def row_constants() -> str:
    """The constants that a row is loaded with are its own, in whatever cycles sums come and entries leave."""
    h = Harness()
    layer, _ = _small_layer(3)
    rng = np.random.default_rng(0)
    threshold = rng.integers(-(2**31), 2**31, layer.threshold.shape, dtype=np.int32)
    layer = replace(layer, threshold=threshold, shift=rng.integers(0, 64, threshold.shape, dtype=np.uint8))
    spec = IntegerLayerSpec.of_integers(layer, Folding(2, 1, "streamed"), ICE40)
    assert spec.requantiser.reads > 2
    dut = h.component(Requantiser(layer, spec))
    it, inner = h.inside(dut, Requantiser.elaborate), h.inside(dut, Requantiser._constants)
    address = h.inside(inner.memory, CyclicMemory.elaborate)
    number = it.matrix * spec.units + it.unit
    h.check((it.step < ROW_CYCLES) & (it.unit < spec.units) & (it.matrix < spec.matrices))
    rows = Array(constant_words(layer))
    rests = (it.step == 0) | (it.step == ROW_CYCLES - 1)
    depth = spec.requantiser.constants.depth if spec.requantiser.constants else 0
    h.check((address.address < depth) & (address.last == (address.address == depth - 1)))
    h.check(~rests | (address.address == number * spec.requantiser.reads))
    settled = h.past(1, 2)
    h.check(~(rests & settled) | (it.constants == rows[number]))
    h.assume(settled | ~dut.i.valid)  # an engine takes longer than that to its first result
    return h.rtlil()


INTEGERS = [WEIGHT_FORMATS[f"int{bits}"] for bits in (3, 4)]
SMALL = [WEIGHT_FORMATS[name] for name in ("binary", "ternary")]
EXPONENTS = [WEIGHT_FORMATS[f"seo{bits}"] for bits in range(3, 7)]


def _lanes_proof(name: str, formats: list[WeightFormat], mutant: Mutant) -> Proof:
    listed = ", ".join(format.name for format in formats)
    return Proof(
        f"lanes-{name}",
        f"A lane's product is the weight times the operand, for every code of {listed} as it is stored and every "
        f"operand of {OPERAND_BITS} bits.",
        "hw/gateware/lanes.py",
        partial(products, formats),
        "induction",
        1,
        (mutant,),
    )


PROOFS = (
    _lanes_proof("signs", SMALL, Mutant(SignsAndZeros.products, "stored[len(x) + lane]", "stored[len(x)]")),
    _lanes_proof(
        "integers", INTEGERS, Mutant(TwosComplement._product, "terms[0] - Mux(weight", "terms[0] + Mux(weight")
    ),
    _lanes_proof("exponents", EXPONENTS, Mutant(Shifts._product, "[Const(0, 1), *(x", "[Const(0, 1), x, *(x")),
    Proof(
        "integer-mvu",
        "A row's two sums are those of its weights times its operands, exactly, over any words that a layer can have; "
        "neither the accumulator nor the waiting sum overflows (int3, inputs of 3 bits, states of 2).",
        "hw/gateware/integer_mvu.py",
        partial(mvu, WEIGHT_FORMATS["int3"], 3, 2),
        "induction",
        5,
        (
            Mutant(IntegerMVU.elaborate, "waiting.eq(total)", "waiting.eq(total + 1)"),
            Mutant(signed_bits, "1 + most.bit_length()", "most.bit_length()"),
            Mutant(_tree, "len(values[index]) + 1 if", "len(values[index]) if"),
        ),
    ),
    Proof(
        "requantiser-product",
        "A row's product is m_w (W x - threshold) + m_u U v, for any sums, threshold and multipliers, and never "
        f"overflows (rule 14.4; a gru layer, thresholds of {NARROW} bits).",
        "hw/gateware/requantiser.py",
        multiplied,
        "induction",
        1,
        (
            Mutant(Requantiser.elaborate, "multiplying & low[0], w, 0", "multiplying & low[0], w + 1, 0"),
            Mutant(Requantiser.elaborate, "factor.eq(factor >> 1)", "factor.eq(factor >> 2)"),
            Mutant(signed_bits, "1 + most.bit_length()", "most.bit_length()"),
        ),
        reach=6,
    ),
    Proof(
        "requantiser-entry",
        "An entry is that of the product shifted right by any shift, rounded down and clipped, in the 34 cycles of a "
        f"row (rule 14.4; a gru layer, vectors of 3 bits, thresholds of {NARROW}).",
        "hw/gateware/requantiser.py",
        entry,
        "induction",
        1,
        (
            Mutant(Requantiser.elaborate, "(~negative).replicate(bits - 1)", "negative.replicate(bits - 1)"),
            Mutant(Requantiser.elaborate, "product >> 8", "product >> 7"),
            Mutant(Requantiser.elaborate, "matrix != spec.matrices - 1)", "matrix == spec.matrices - 1)"),
        ),
        reach=20,
    ),
    Proof(
        "row-constants",
        "A row is loaded with its own constants, whatever the cycles in which sums come and entries leave (constants "
        "in several words).",
        "hw/gateware/requantiser.py",
        row_constants,
        "induction",
        34,
        (Mutant(Requantiser._constants, "words[early:] + words[:early]", "words"),),
    ),
)
