# amaranth: UnusedElaboratable=no
"""The audio engine's passes: their programs compute the rules' formulas, from the words that are meant."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value, signed
from amaranth.utils import exact_log2

from hw.gateware.audio.addresses import Addresses
from hw.gateware.audio.cosine import CosineRom
from hw.gateware.audio.multiplier import FRACTION, MultiplyAccumulate
from hw.shape import audio_passes
from hw.shape.audio_passes import Name, passes
from hw.shape.audio_program import LATENCY, Access, Bias, Coefficient, Gate, Index, Mark, Region, Step, schedule
from model.bundle.audio_constants import quarter_cosine
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

SIZE = 16
"""Points: the body of a loop is the same for any number."""

WORD, PRODUCT, RESULT = 4, 2 + FRACTION, 8
"""Bits of a word, of a product, and of those of a result that are compared: few, as sums are what z3 is slow at."""

ENERGY = PRODUCT + 4
"""Bits of the energy so far."""

SUM = 48
"""Bits of the accumulator."""

OUTPUT_SHIFT = 5

HALF = 1 << (FRACTION - 1)

Place = tuple[Region, Index, int] | tuple[Mark, int]
"""A word: region, complex index, lane; or who else takes a sum, and the lane of its last term."""


class Words:
    """The words that a body reads, and their products with cosines, sines and other coefficients: any values.

    last : the frame is in its last quarter, which the overlapping frames do not reach
    first : the iteration is a pass' first, which begins with `energy`
    """

    def __init__(self, h: Harness) -> None:
        self.h = h
        self.known: dict[Any, Value] = {}
        self.last, self.first = h.fixed(1, "last"), h.fixed(1, "first")
        self.energy = h.fixed(ENERGY, "energy")

    def _fixed(self, key: Any, bits: int) -> Value:
        if key not in self.known:
            self.known[key] = self.h.fixed(signed(bits), f"value_{len(self.known)}")
        return self.known[key]

    def word(self, region: Region, lane: int, index: Index = Index.N) -> Value:
        """A word as it is."""
        return self._fixed((region, index, lane), WORD)

    def product(
        self,
        region: Region,
        lane: int,
        index: Index = Index.N,
        sine: bool = False,
        coefficient: Coefficient = Coefficient.ANGLE,
    ) -> Value:
        """A word's product."""
        return self._fixed((region, index, lane, coefficient, sine), PRODUCT)

    def of(self, step: Step) -> Value:
        """What a step of a program adds."""
        if step.direct:
            return self.word(step.region, step.lane, step.index)
        return self.product(step.region, step.lane, step.index, step.sine, step.coefficient)


Formula = Callable[[Words], Mapping[Place, Value]]
"""What a pass writes, and what a marked sum is, times 2^15."""


def rnd(value: Value) -> Value:
    """Rule 12: rounded to whole words, ties up."""
    return (value + HALF) >> FRACTION


def result(name: Name, formula: Formula) -> str:
    """One iteration of a pass in the accumulator. A product is a word of its own, times 1."""
    h = Harness()
    mac, words = h.component(MultiplyAccumulate(PRODUCT, OUTPUT_SHIFT)), Words(h)
    body = passes(SIZE, 1)[name].body
    now = Signal(range(len(body) + LATENCY + 1), name="now")
    with h.m.If(now < len(body) + LATENCY):
        h.m.d.sync += now.eq(now + 1)
    wanted = formula(words)

    # A step's operand comes at its place in the body, what is done with it one and two cycles later.
    operand, bias = Signal(signed(PRODUCT), name="operand"), Signal(Bias, name="bias")
    flags = {key: Signal(name=key) for key in ("add", "first", "direct", "minus", "absolute", "take", "closed")}
    for place, step in enumerate(body):
        with h.m.If(now == place):
            h.m.d.comb += [flags[key].eq(getattr(step, key)) for key in flags if key != "closed"]
            if step.add:
                closed = {Gate.OPEN: Const(0), Gate.LAST_QUARTER: words.last}[step.gate]
                h.m.d.comb += [operand.eq(words.of(step)), bias.eq(step.bias), flags["closed"].eq(closed)]
    past = h.past
    h.m.d.comb += [
        mac.operand.eq(operand),
        mac.coefficient.eq(1),
        mac.zero.eq(past(flags["closed"])),
        mac.add.eq(past(flags["add"], 2)),
        mac.first.eq(past(flags["first"], 2)),
        mac.direct.eq(past(flags["direct"], 2)),
        mac.invert.eq(past(past(flags["minus"]) ^ (past(flags["absolute"]) & mac.sign))),
        mac.bias.eq(past(bias, 2)),
        mac.halve.eq(name == Name.INVERSE),
        mac.seed.eq(words.first),
        mac.energy.eq(words.energy),
    ]
    found = Signal(signed(RESULT), name="result")
    with h.m.If(past(flags["take"], 3)):
        h.m.d.sync += found.eq(mac.sum >> (FRACTION + (name == Name.INVERSE)))

    # A write takes the result two cycles before its operand's turn would be; a mark the sum after three.
    left = set(wanted)
    for place, step in enumerate(body):
        if step.access == Access.WRITE:
            here = (step.region, step.index, step.lane)
            h.check((now != place - 2) | (found == wanted[here][:RESULT].as_signed()))
            left -= {here}
        if step.mark != Mark.NONE:
            h.check((now != place + 3) | (mac.sum == wanted[step.mark, step.lane]))
            left -= {(step.mark, step.lane)}
    assert not left, f"{name.name}: nobody writes {left}"
    return h.rtlil()


def window(words: Words) -> Mapping[Place, Value]:
    """Rule 12.3: x = b - rnd(b c(n))."""
    ring = Region.RING
    return {(Region.TARGET, Index.N, lane): words.word(ring, lane) - rnd(words.product(ring, lane)) for lane in (0, 1)}


def energy(words: Words) -> Mapping[Place, Value]:
    """Rule 12.4: S += x (x >> 2), of two samples."""
    squares = [words.product(Region.SOURCE, lane, coefficient=Coefficient.OPERAND) for lane in (0, 1)]
    before = Mux(words.first, words.energy, 0)
    return {(Mark.ENERGY, 0): before + squares[0], (Mark.ENERGY, 1): before + squares[0] + squares[1]}


def butterfly(halved: bool, words: Words) -> Mapping[Place, Value]:
    """Rule 12.6: a + t and a - t; rule 13.3 halves them."""
    (br_c, br_s), (bi_c, bi_s) = (
        [words.product(Region.SOURCE, lane, Index.PARTNER, sine) for sine in (False, True)] for lane in (0, 1)
    )
    found: dict[Place, Value] = {}
    for lane, t in enumerate((rnd(br_c + bi_s), rnd(bi_c - br_s))):
        a = words.word(Region.SOURCE, lane)
        for index, value in ((Index.N, a + t), (Index.PARTNER, a - t)):
            found[Region.TARGET, index, lane] = (value + 1) >> 1 if halved else value
    return found


def keys(words: Words) -> Mapping[Place, Value]:
    """Rule 12.8: magnitudes; four times theirs, shifted; and the sum of two squares."""
    spectrum = Region.SPECTRUM
    found: dict[Place, Value] = {}
    for lane, mark in enumerate((Mark.MAGNITUDE, Mark.MAGNITUDE_TOO)):
        found[mark, lane] = abs(words.word(spectrum, lane)) << FRACTION
        shifted = abs(words.product(spectrum, lane, coefficient=Coefficient.POWER))
        found[Region.TARGET, Index.N, lane] = (shifted << 2) >> FRACTION
    squares = [words.product(Region.TARGET, lane, coefficient=Coefficient.OPERAND) for lane in (0, 1)]
    return {**found, (Mark.LOGARITHM, 1): squares[0] + squares[1]}


Term = tuple[bool, int, Index, bool | None]
"""Of a sum: whether it is subtracted; lane and complex index; whether it is the word's product with the sine. None is
the word itself."""


def sum_of(words: Words, region: Region, terms: Sequence[Term], down: bool) -> Value:
    """Terms added one after another, and rounded: what `audio-rounding` proves of one word and one product.

    In the order of the program, which does not matter for the sum, and is what z3 needs.
    """
    total: Value = Const(HALF - down, signed(SUM))
    for minus, lane, index, sine in terms:
        word = words.word(region, lane, index) << FRACTION if sine is None else words.product(region, lane, index, sine)
        total = (total + (-word if minus else word))[:SUM].as_signed()
    return total >> FRACTION


def _mirrored(
    words: Words, region: Region, real: Sequence[Term], imaginary: Sequence[Term]
) -> list[tuple[Index, int, Value]]:
    """P + t and (P - t)*, with t of the products `real` and `imaginary`: (index, lane, value)."""
    found = []
    a, b = Index.N, Index.MIRROR
    for index in (b, a):
        for lane, products in ((0, real), (1, imaginary)):
            minus = index == b and lane == 0
            flips = (False, False) if lane == 0 else ((True, False) if index == b else (False, True))
            terms: list[Term] = [(flips[0], lane, a, None), (flips[1], lane, b, None)]
            terms += [(negative ^ minus, part, where, sine) for negative, part, where, sine in products]
            found.append((index, lane, sum_of(words, region, terms, minus)))
    return found


def split(words: Words) -> Mapping[Place, Value]:
    """Rule 12.7: t = (rnd(c Di - s Dr), rnd(-c Dr - s Di)), where D is A - B*."""
    a, b = Index.N, Index.MIRROR
    real = ((False, 1, a, False), (False, 1, b, False), (True, 0, a, True), (False, 0, b, True))
    imaginary = ((True, 0, a, False), (False, 0, b, False), (True, 1, a, True), (True, 1, b, True))
    found = _mirrored(words, Region.SOURCE, real, imaginary)
    return {(Region.SPECTRUM, index, lane): value for index, lane, value in found}


def merge(words: Words) -> Mapping[Place, Value]:
    """Rule 13.2: t = (rnd(-s Dr - c Di), rnd(c Dr - s Di)), where D is A - B*; re and im are swapped."""
    a, b = Index.N, Index.MIRROR
    real = ((True, 0, a, True), (False, 0, b, True), (True, 1, a, False), (True, 1, b, False))
    imaginary = ((False, 0, a, False), (True, 0, b, False), (True, 1, a, True), (True, 1, b, True))
    found = _mirrored(words, Region.SPECTRUM, real, imaginary)
    return {(Region.TARGET, index, 1 - lane): value for index, lane, value in found}


def overlap(words: Words) -> Mapping[Place, Value]:
    """Rule 13.4: v = z - rnd(z c(n)), added to what the frames before left; re and im are still swapped."""
    found: dict[Place, Value] = {}
    for lane in (0, 1):
        z = words.word(Region.SOURCE, 1 - lane)
        before = Mux(words.last, 0, words.word(Region.OVERLAP, lane))
        found[Region.OVERLAP, Index.N, lane] = before + z - rnd(words.product(Region.SOURCE, 1 - lane))
    return found


def output(words: Words) -> Mapping[Place, Value]:
    """Rule 13.4: rnd(sum K) + 2^(r-1), which leaves the queue shifted by r."""
    return {
        (Region.QUEUE, Index.N, lane): rnd(words.product(Region.OVERLAP, lane, coefficient=Coefficient.SCALE))
        + (1 << (OUTPUT_SHIFT - 1))
        for lane in (0, 1)
    }


def addresses(fft_size: int) -> str:
    """The table in `Addresses`, and that two places never share an address."""
    h = Harness()
    bits = exact_log2(fft_size)
    dut, other = h.component(Addresses(fft_size)), h.component(Addresses(fft_size), "other")
    for name in ("half", "swapped", "ring_hop", "overlap_hop", "queue_hop", "spectrum"):
        h.m.d.comb += getattr(other, name).eq(getattr(dut, name))
    (place, key), (_, other_key) = (_place(h, each, bits) for each in (dut, other))
    h.check(dut.address == place)
    h.check((dut.address == other.address) == (key == other_key))
    return h.rtlil()


def _place(h: Harness, dut: Addresses, bits: int) -> tuple[Value, Value]:
    """The address of an instruction's word by the table, in numbers; and which word of which region it is."""
    size, points, word = 1 << bits, 1 << (bits - 1), dut.instruction
    index = Signal(bits, name="complex_index")
    mirror = (points - dut.n)[:bits]
    h.m.d.comb += index.eq(
        Mux(word.index == Index.N, dut.n, Mux(word.index == Index.PARTNER, dut.n | dut.half, mirror))
    )
    h.assume(sum(word.index == one for one in Index) == 1)
    h.assume(sum(word.region == region for region in Region) == 1)
    within, turn = index[: bits - 3], index[bits - 3 :]
    straight, beyond = index[: bits - 1], index[bits - 1]
    ordered = Mux(word.reverse, sum(bit << (bits - 2 - place) for place, bit in enumerate(straight)), straight)
    which = (word.region == Region.TARGET) ^ dut.swapped
    ring, overlap = (turn + dut.ring_hop)[:3], (turn + dut.overlap_hop)[:2]
    last_bin = 8 * size - size // 2 + 2 * dut.spectrum
    place = {
        Region.RING: (2 * ((ring << (bits - 3)) + within), index),
        Region.SPECTRUM: (
            Mux(beyond, last_bin, 4 * size + (dut.spectrum << bits) + 2 * straight),
            Mux(beyond, points, straight),
        ),
        Region.OVERLAP: (6 * size + 2 * ((overlap << (bits - 3)) + within), straight),
        Region.QUEUE: (7 * size + 2 * ((dut.queue_hop << (bits - 3)) + within), within),
    }
    address: Value = 2 * size + (which << bits) + 2 * ordered
    key: Value = (Region.SOURCE.value << bits) + (which << (bits - 1)) + ordered
    for region, (there, inside) in place.items():
        address = Mux(word.region == region, there, address)
        key = Mux(word.region == region, (region.value << bits) + inside, key)
    return address + word.lane, Cat(word.lane, key)


def cosine(fft_size: int) -> str:
    """Cosine and sine of every angle, by sign and magnitude, and the other words."""
    h = Harness()
    quarter = quarter_cosine(fft_size, FRACTION)
    others = (-12_345, 321, 7)
    dut = h.component(CosineRom(quarter, others))
    h.assume(~dut.other | (dut.which < len(others)))
    half = [*quarter, *(-value for value in quarter[-2::-1])]
    whole = [*half, *half[-2:0:-1]]
    magnitudes, signs = Array(-abs(value) for value in whole), Array(value < 0 for value in whole)
    angle = (dut.angle - Mux(dut.sine, fft_size // 4, 0))[: exact_log2(fft_size)]
    chosen = h.past(Mux(dut.other, Array(others)[dut.which], magnitudes[angle]), 2)
    ran = h.past(h.begun)
    h.check(~ran | (dut.word == chosen))
    h.check(~ran | (dut.word == 0) | (dut.negative == h.past(signs[angle] & ~dut.other, 2)))
    return h.rtlil()


def _proof(name: Name, title: str, sentence: str, formula: Formula, *mutants: Mutant) -> Proof:
    return Proof(
        f"audio-{title}",
        f"{sentence} One iteration of the pass, for any words and products, as it is scheduled.",
        "hw/shape/audio_passes.py",
        partial(result, name, formula),
        "bounded",
        len(passes(SIZE, 1)[name].body) + LATENCY,
        mutants,
        reach=len(passes(SIZE, 1)[name].body) + LATENCY,
    )


PROOFS = (
    _proof(
        Name.WINDOW,
        "window",
        "x = b - rnd(b c).",
        window,
        Mutant(audio_passes._window, "bias=Bias.DOWN", "bias=Bias.UP"),
        Mutant(schedule, "due += [(now + LATENCY + place", "due += [(now + LATENCY - 1 + place"),
    ),
    _proof(
        Name.ENERGY,
        "energy",
        "S grows by x (x >> 2) of two samples, from what it was.",
        energy,
        Mutant(audio_passes._energy, "bias=Bias.ENERGY", "bias=Bias.UP"),
    ),
    _proof(
        Name.FORWARD,
        "butterfly",
        "a + t and a - t, t = (rnd(br c + bi s), rnd(bi c - br s)).",
        partial(butterfly, False),
        Mutant(audio_passes._butterfly, "Bias.DOWN if minus else Bias.UP", "Bias.UP"),
        Mutant(audio_passes._butterfly, "minus=minus ^ bool(lane)", "minus=minus"),
    ),
    _proof(
        Name.INVERSE,
        "butterfly-halved",
        "(a + t + 1) >> 1 and (a - t + 1) >> 1, t as in audio-butterfly.",
        partial(butterfly, True),
        Mutant(audio_passes._butterfly, "Bias.DOWN if minus else Bias.UP", "Bias.UP"),
    ),
    _proof(
        Name.SPLIT,
        "split",
        "P + t and (P - t)*, t = (rnd(c Di - s Dr), rnd(-c Dr - s Di)), as sums of six terms.",
        split,
        Mutant(audio_passes._sums, "Bias.DOWN if minus else Bias.UP", "Bias.UP"),
        Mutant(audio_passes._split, "(1, 0, True, False))", "(1, 0, True, True))"),
    ),
    _proof(
        Name.MERGE,
        "merge",
        "P + t and (P - t)*, t = (rnd(-s Dr - c Di), rnd(c Dr - s Di)), as sums of six terms.",
        merge,
        Mutant(
            audio_passes._sums,
            "if lane == 0 else ((True, False) if mirror else (False, True))",
            "if lane == 0 else (False, True)",
        ),
        Mutant(audio_passes._merge, "1 - lane", "lane"),
    ),
    _proof(
        Name.KEYS,
        "key",
        "The magnitudes of Re and Im; four times theirs, shifted; the sum of the squares.",
        keys,
        Mutant(audio_passes._keys, "(part,) * 4", "(part,) * 3"),
        Mutant(audio_passes._keys, "coefficient=Coefficient.POWER, absolute=True", "coefficient=Coefficient.POWER"),
    ),
    _proof(
        Name.OVERLAP,
        "overlap",
        "The frames before, but in the last quarter, plus z - rnd(z c).",
        overlap,
        Mutant(audio_passes._overlap, "gate=Gate.LAST_QUARTER", "gate=Gate.OPEN"),
        Mutant(audio_passes._overlap, "bias=Bias.DOWN", "bias=Bias.UP"),
    ),
    _proof(
        Name.OUTPUT,
        "output",
        "rnd(sum K) + 2^(r-1), r = 5.",
        output,
        Mutant(audio_passes._output, "bias=Bias.OUTPUT", "bias=Bias.UP"),
    ),
    Proof(
        "audio-addresses",
        "Each word of each region has its own address, that of the table, whatever the hops, the butterfly and the "
        "passes that have changed places (N = 16).",
        "hw/gateware/audio/addresses.py",
        partial(addresses, SIZE),
        "induction",
        1,
        (
            Mutant(Addresses.elaborate, "(1 << (bits - 1)) - self.n", "(1 << (bits - 1)) - 1 - self.n"),
            Mutant(Addresses.elaborate, "straight[::-1]", "straight"),
            Mutant(
                Addresses.elaborate,
                "Cat(within, self.queue_hop, Const(0b1110, 4))",
                "Cat(within, self.queue_hop, Const(0b1111, 4))",
            ),
        ),
    ),
    Proof(
        "audio-cosine",
        "The ROM gives minus the magnitude and the sign of the cosine or sine of every angle, and the other words "
        "(N = 16).",
        "hw/gateware/audio/cosine.py",
        partial(cosine, SIZE),
        "induction",
        3,
        (
            Mutant(CosineRom.elaborate, "self.quarter - within", "self.quarter - 1 - within"),
            Mutant(CosineRom.elaborate, "quadrant[0] ^ quadrant[1]", "quadrant[1]"),
        ),
    ),
)
