"""From power to features: the slow gain's energy, the logarithm, and the shift in front of the squares."""

from functools import partial

from amaranth.hdl import Mux, Signal
from amaranth.utils import exact_log2

from hw.gateware.audio.gain import Energy
from hw.gateware.audio.logarithm import MANTISSA, SerialLogarithm
from hw.gateware.audio.magnitude import SQUARED, Magnitude
from proofs.contract import Remembered
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
)
