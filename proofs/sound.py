"""Sound on the pins: bits of an I2S bus to samples and back, and a DAC of four bits."""

from functools import partial

from amaranth.hdl import Array, Cat, Mux, Signal, Value, signed

from boards.gateware.i2s_clocks import Clocks
from boards.gateware.i2s_receiver import WORD, Receiver
from boards.gateware.i2s_transmitter import Transmitter
from boards.gateware.level import SHIFTS, level
from boards.gateware.noise_shaper import MIDDLE, QUANTUM, SCALE, NoiseShaper
from boards.gateware.sample_hold import SampleHold
from boards.gateware.sample_rate import BIT_CLOCKS, SampleRate
from proofs.contract import held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

RATE = SampleRate(clock_hz=4, divisor=4, mclk_divisor=None)


def shaper() -> str:
    """The noise shaper's sum, checked against the integer, and the error that a code leaves."""
    h = Harness()
    dut = h.component(NoiseShaper())
    inner = h.inside(dut, NoiseShaper.elaborate)
    x = SCALE * dut.sample + MIDDLE
    total = x + 2 * inner.error - inner.before
    h.check((inner.u == total) & (total >= 8193) & (total <= 253_947))
    # QUANTUM code = x - e + 2 e1 - e2, whatever was before.
    stepped, e1, e2 = h.past(dut.step), h.past(inner.error), h.past(inner.before)
    h.check(~stepped | (QUANTUM * dut.code == h.past(x) - inner.error + 2 * e1 - e2))
    h.check(~stepped | (inner.before == e1))
    h.check(~h.begun | stepped | ((dut.code == h.past(dut.code)) & (inner.error == e1) & (inner.before == e2)))
    return h.rtlil()


def levels() -> str:
    """Each level shift of any word of 24 bits, checked against rounding and saturation in integers."""
    h = Harness()
    word = h.free(signed(WORD), "word")
    for shift in SHIFTS:
        # rounded is floor(word / 2^dropped + 1/2): the multiple of 2^dropped that is nearest, ties up.
        scale = 1 << (8 - shift)
        rounded, found = h.free(signed(WORD + 1), f"rounded_{shift}"), level(word, shift)
        h.assume((2 * scale * rounded > 2 * word - scale) & (2 * scale * rounded <= 2 * word + scale))
        h.check(found == Mux(rounded > 0x7FFF, 0x7FFF, Mux(rounded < -0x8000, -0x8000, rounded)))
    return h.rtlil()


def bus(h: Harness) -> tuple[Clocks, Value]:
    """The clocks of a bus, and whether the bit clock has risen in this period."""
    clocks = h.component(Clocks(RATE), "clocks")
    count, rises = h.inside(clocks, Clocks._divide).count, (RATE.divisor + 1) // 2
    h.check((count < RATE.divisor) & (clocks.sclk == (count >= rises)))
    h.check(~clocks.beat.rise | ~clocks.beat.fall)
    return clocks, count >= rises


def receiver(right: bool) -> str:
    """Any bits on the line, and samples that are taken late or never."""
    h = Harness()
    clocks, risen = bus(h)
    dut = h.component(Receiver(0, right), "receiver")
    h.m.d.comb += [getattr(dut.beat, name).eq(getattr(clocks.beat, name)) for name in ("rise", "fall", "place")]
    h.check(held(h, dut.o))
    # The bits of periods 1 to 24 of the slot, highest first, each where the bit clock rises.
    period = Signal(range(BIT_CLOCKS), name="period")
    h.m.d.comb += period.eq(clocks.beat.place - 32 * right)
    heard = Signal(WORD, name="heard")
    with h.m.If(clocks.beat.rise & (period >= 1) & (period <= WORD)):
        h.m.d.sync += heard.eq(Cat(dut.sd, heard))
    word = h.inside(dut, Receiver.elaborate).word
    for count in range(1, WORD + 1):
        so_far = Mux(risen, period == count, period == count + 1)
        h.check(~so_far | (word[:count] == heard[:count]))
    complete, sample = clocks.beat.fall & (period == WORD), level(heard, 0)
    taken = ~dut.o.valid | dut.o.ready
    h.check(~h.past(complete & taken) | (dut.o.valid & (dut.o.payload == h.past(sample))))
    h.check(~h.begun | h.past(complete | ~taken) | ~dut.o.valid)
    # A sample that finds one waiting is lost, and counted.
    lost = Signal(8, name="losses")
    with h.m.If(complete & ~taken & (lost != 255)):
        h.m.d.sync += lost.eq(lost + 1)
    h.check((dut.lost == lost) & (dut.overrun == (lost != 0)))
    return h.rtlil()


def transmitter() -> str:
    """Samples that come at any time or never, onto the line."""
    h = Harness()
    clocks, _ = bus(h)
    dut = h.component(Transmitter(), "transmitter")
    names = ("rise", "fall", "frame", "place")
    h.m.d.comb += [getattr(dut.beat, name).eq(getattr(clocks.beat, name)) for name in names]
    hold = h.inside(dut, Transmitter.elaborate).hold
    # A frame has one sample, the last that came before it began; 0 before the first.
    sample, started = Signal(signed(16), name="sample"), Signal(name="began")
    with h.m.If(moved(dut.i)):
        h.m.d.sync += [sample.eq(dut.i.payload), started.eq(1)]
    h.check(dut.i.ready == clocks.beat.frame)
    h.check((hold.sample == sample) & (h.inside(hold, SampleHold.elaborate).started == started))
    period = clocks.beat.place[:5]
    bits = [0, *(sample[15 - place] for place in range(16)), *[0] * 15]
    h.check(dut.sd == Array(bits)[period])
    h.check(~h.begun | (dut.sd == h.past(dut.sd)) | h.past(clocks.beat.fall))
    # Each frame without a sample is counted, from the first sample on.
    missed = Signal(8, name="misses")
    with h.m.If(clocks.beat.frame & ~dut.i.valid & started & (missed != 255)):
        h.m.d.sync += missed.eq(missed + 1)
    h.check((dut.missed == missed) & (dut.underrun == (missed != 0)))
    return h.rtlil()


PROOFS = (
    Proof(
        "noise-shaper",
        "The shaper's sum never leaves [8193, 253947], inside its 18 bits, and each code is the sample less the error "
        "that is left, shaped twice: QUANTUM code = x - e + 2 e1 - e2.",
        "boards/gateware/noise_shaper.py",
        shaper,
        "induction",
        1,
        (
            Mutant(NoiseShaper.elaborate, "+ 2 * error - before", "+ 2 * error - 2 * before"),
            Mutant(NoiseShaper.elaborate, "before.eq(error)", "before.eq(0)"),
        ),
    ),
    Proof(
        "level",
        "A word of 24 bits becomes the nearest sample at each level shift, ties up, saturated.",
        "boards/gateware/level.py",
        levels,
        "induction",
        1,
        (
            Mutant(level, "(1 << dropped >> 1)", "0"),
            Mutant(level, "Mux(sign, beyond.all(), ~beyond.any())", "1"),
        ),
        reach=1,
    ),
    *(
        Proof(
            f"i2s-receiver-{'right' if right else 'left'}",
            "Each sample is that of the 24 bits of periods 1 to 24 of the channel's slot, taken where the bit clock "
            "rises; it stays until it is taken; one that comes meanwhile is lost, and all that are lost are counted up "
            "to 255.",
            "boards/gateware/i2s_receiver.py",
            partial(receiver, right),
            "induction",
            2,
            (
                Mutant(Receiver.elaborate, "with m.If(self.beat.rise):", "with m.If(self.beat.fall):"),
                Mutant(Receiver.elaborate, "with m.If(self.o.ready):", "with m.If(1):"),
            ),
            reach=250,
        )
        for right in (False, True)
    ),
    Proof(
        "i2s-transmitter",
        "Both slots of a frame carry the last sample that came before it began, highest bit in period 1, zeros "
        "elsewhere; the line changes where the bit clock falls; frames without a sample are counted from the first on.",
        "boards/gateware/i2s_transmitter.py",
        transmitter,
        "induction",
        2,
        (
            Mutant(Transmitter.elaborate, "Mux(beyond, 0, ", "Mux(0, 0, "),
            Mutant(SampleHold.elaborate, "started & ~self.missed.all()", "~self.missed.all()"),
        ),
        reach=80,
    ),
)
