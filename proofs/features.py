"""From power to features: the slow gain's energy, the logarithm, and the shift in front of the squares."""

from functools import partial

from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed
from amaranth.utils import exact_log2

from hw.gateware.audio.gain import Energy
from hw.gateware.audio.levels import Levels
from hw.gateware.audio.logarithm import MANTISSA, SerialLogarithm
from hw.gateware.audio.magnitude import SQUARED, Magnitude
from proofs.contract import Remembered, counter, held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]


def energy(width: int, frames: int) -> str:
    """The bits of S as they come, checked against integers. The environment waits while the unit is busy."""
    h = Harness()
    dut = h.component(Energy(width, frames))
    inner = h.inside(dut, Energy.elaborate)
    h.assume(~dut.busy | ~(dut.load | dut.clear | dut.forget | dut.show))
    begins = ~dut.busy & (dut.forget | dut.show) & ~dut.load & ~dut.clear
    h.assume(~(dut.forget | dut.show) | begins)
    before, forgets = Signal(width, name="before"), Remembered(h, begins, dut.forget).was
    with h.m.If(begins):
        h.m.d.sync += before.eq(dut.energy)
    shift = exact_log2(frames)
    share = (before + frames - 1) >> shift
    after = Signal(width, name="after")
    h.m.d.comb += after.eq(Mux(forgets, before - share, before))
    h.check(~h.past(dut.busy & (inner.left == 1)) | dut.busy | (dut.energy == after))
    # How it works: `out` bits of the new S are out, and their carry is known.
    shifted, even = ~(before >> shift), ~before[:shift].any()
    for out in range(width):
        total = before[:out] + Mux(forgets, shifted[:out], 0) + (forgets & even)
        here = inner.left == width - out
        h.check(~here | (inner.carry == total[out]) | (out == 0))
        h.check(~here | ((dut.energy >> (width - out)) == total[:out]))
        h.check(~here | (dut.energy[: width - out] == before[out:]))
        h.check(~here | (dut.bit == after[out]))
    h.check(inner.left <= width)
    h.check((inner.left == 0) | (inner.forgetting == forgets))
    h.check((inner.left != width) | (inner.carry == (forgets & even)))
    return h.rtlil()


def logarithm(width: int) -> str:
    """A number of up to `width` bits, bit by bit, checked against the number so far."""
    h = Harness()
    dut = h.component(SerialLogarithm())
    inner = h.inside(dut, SerialLogarithm.elaborate)
    number, count = Signal(width, name="number"), Signal(range(width + 1), name="count")
    h.assume(~dut.enable | dut.clear | (count < width))
    with h.m.If(dut.enable):
        h.m.d.sync += [number.eq(number | (dut.bit << count)), count.eq(count + 1)]
    with h.m.If(dut.clear):
        h.m.d.sync += [number.eq(0), count.eq(0)]
    h.check(dut.some == (number != 0))
    for exponent in range(width):
        leading = (number >> exponent) == 1
        mantissa = ((number << MANTISSA) >> exponent)[:MANTISSA]
        h.check(~leading | ((dut.exponent == exponent) & (dut.mantissa == mantissa)))
    h.check((inner.place == count) & (count <= width) & ((number >> count) == 0))
    h.check(inner.below == ((number << MANTISSA) >> count)[:MANTISSA])
    return h.rtlil()


def magnitude(width: int) -> str:
    """Two magnitudes, and the least shift that brings both below 2^15."""
    h = Harness()
    dut = h.component(Magnitude(width))
    both = Signal(width, name="both")  # all bits that one of them has
    with h.m.If(dut.load):
        h.m.d.sync += both.eq(dut.value)
    with h.m.Elif(dut.too):
        h.m.d.sync += both.eq(both | dut.value)
    h.check((both >> dut.shift) < 1 << SQUARED)
    h.check((dut.shift == 0) | ((both >> (dut.shift - 1).as_unsigned()) >= 1 << SQUARED))
    h.check(dut.power.as_unsigned() == (1 << SQUARED) >> dut.shift)
    h.check(h.inside(dut, Magnitude.elaborate).above == both[SQUARED:])
    return h.rtlil()


def levels(width: int, bits: int, keys: tuple[int, ...], most_shift: int) -> str:
    """From a bin's power to its feature bits, checked against integers; in between, another user of the logarithm."""
    h = Harness()
    dut = h.component(Levels(keys, bits, 1, most_shift, width))
    inner = h.inside(dut, Levels.elaborate)
    logarithm, left = inner.logarithm, inner.left
    within = h.inside(logarithm, SerialLogarithm.elaborate)
    h.assume(dut.shift <= most_shift)
    h.assume(~dut.busy | ~(dut.load | dut.clear | dut.enable | dut.settle))
    h.assume(~dut.load | ~(dut.clear | dut.enable | dut.settle))
    h.check(held(h, dut.o))

    # The bin in work.
    power, shift = Remembered(h, dut.load, dut.power).was, Remembered(h, dut.load, dut.shift).was
    number = power & (Const((1 << width) - 1) >> left)
    log = Signal(range(width << MANTISSA), name="log")  # 2^10 log2 of what is in the logarithm, cut off
    for exponent in range(width):
        with h.m.If((number >> exponent) == 1):
            h.m.d.comb += log.eq(exponent << MANTISSA | ((number << MANTISSA) >> exponent)[:MANTISSA])
    count = (width - left).as_unsigned()
    working = dut.busy
    h.check(~working | (logarithm.some == (number != 0)))
    h.check(~(working & logarithm.some) | (Cat(logarithm.mantissa, logarithm.exponent) == log))

    # The exponent of the gain is the one that was settled last: floor((log - limit) / 2^10).
    was = Cat(logarithm.mantissa, logarithm.exponent)
    settled = Mux(logarithm.some, (was - dut.limit) >> MANTISSA, -60)
    exponent_now = Signal(signed(8), name="exponent_now", init=-60)
    with h.m.If(dut.settle):
        h.m.d.sync += exponent_now.eq(settled)
    h.check(inner.exponent == exponent_now)

    # Each bit: is log2 q + 2 shift - 1 - exponent at least the threshold, in the order of the thresholds.
    index = counter(h, moved(dut.o), len(keys), "index")
    place = counter(h, moved(dut.o), bits, "place")
    key = Signal(signed(32), name="key")
    h.m.d.comb += key.eq(log + ((shift * 2 - 1 - exponent_now) << MANTISSA))
    threshold = Array(keys)[index]
    reached = (threshold == 0) | ((power != 0) & (key >= threshold))
    h.check(~dut.o.valid | ((left == 0) & (dut.o.payload == reached)))
    # A bin gives as many bits as it has, then it is done.
    h.check(~(h.past(moved(dut.o) & (place == bits - 1)) & h.begun) | ~dut.busy)
    h.check(dut.busy | (place == 0))

    # How it works.
    h.check((left <= width) & ~((left != 0) & inner.emitting))
    h.check(~working | (inner.q == power >> count))
    h.check((left == 0) | ((within.place == count) & (place == 0)))
    h.check(~working | (within.below == ((number << MANTISSA) >> count)[:MANTISSA]))
    h.check((index < len(keys)) & (inner.address == index) & (inner.which == place) & (inner.shift == shift))
    h.check(~inner.prepared | inner.emitting)
    h.check(~inner.prepared | (Cat(logarithm.mantissa, inner.above).as_signed() == key) | ~logarithm.some)
    h.check(~inner.fetched | (inner.threshold == threshold))
    return h.rtlil()


KEYS = (0, 4 << MANTISSA, 5_677, 1 << 16, 12_345, 30_000)
"""Thresholds: one that is always reached, one that never is, and others."""

PROOFS = (
    Proof(
        "audio-gain",
        "The energy forgets (S + G - 1) >> log2 G of itself, bit by bit, and shows its bits lowest first (8 bits, "
        "G = 4).",
        "hw/gateware/audio/gain.py",
        partial(energy, 8, 4),
        "induction",
        2,
        (
            Mutant(Energy.elaborate, "s[self.shift] & (left > self.shift)", "s[self.shift]"),
            Mutant(Energy.elaborate, "~s[: self.shift].any()", "1"),
        ),
        reach=12,
    ),
    Proof(
        "audio-logarithm",
        "Of a number that comes bit by bit: the place of its leading one and the 10 bits below it (up to 34 bits).",
        "hw/gateware/audio/logarithm.py",
        partial(logarithm, 34),
        "induction",
        1,
        (Mutant(SerialLogarithm.elaborate, "self.mantissa.eq(below)", "self.mantissa.eq(below >> 1)"),),
    ),
    Proof(
        "audio-magnitude",
        "The shift is the least that brings both magnitudes below 2^15, and the power is 2^15 shifted by it (28 bits).",
        "hw/gateware/audio/magnitude.py",
        partial(magnitude, 28),
        "induction",
        1,
        (Mutant(Magnitude.elaborate, "above | high", "high"),),
    ),
    Proof(
        "audio-levels",
        "Each bin's feature bits come in the order of its thresholds, each 1 where the threshold is 0, or q is not and "
        "2^10 (log2 q + 2 shift - 1 - e) reaches it; e is floor(log2 S - limit / 2^10), or -60 where S is 0; a bit "
        "stays until it is taken; a bin gives as many as it has (q of 8 bits, 3 bins of 2).",
        "hw/gateware/audio/levels.py",
        partial(levels, 8, 2, KEYS, 13),
        "induction",
        2,
        (
            Mutant(Levels.elaborate, "(shift << 1) - 1", "(shift << 1)"),
            Mutant(Levels.elaborate, "emitting & prepared & fetched", "emitting & prepared"),
            Mutant(Levels._feature, "(threshold == 0) | ", ""),
            Mutant(Levels.elaborate, "left.eq(self.power_bits)", "left.eq(self.power_bits - 1)"),
        ),
        reach=16,
    ),
)
