# amaranth: UnusedElaboratable=no
"""The audio engine: its arithmetic is that of the rules, and its buffers never get in each other's way."""

from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Mux, Signal, Value, signed
from amaranth.utils import exact_log2

from hw.gateware.audio.control import IN_FLIGHT, QUEUED, WAITING, FrameControl
from hw.gateware.audio.datapath import Datapath
from hw.gateware.audio.engine import AudioEngine
from hw.gateware.audio.multiplier import CUT, FRACTION, MultiplyAccumulate
from hw.gateware.audio.samples import SamplePort, saturated
from hw.shape.audio_passes import ANALYSIS, SYNTHESIS, Name
from hw.shape.audio_program import Bias, Coefficient, Gate, Mark
from model.bundle.random_bundle import random_front_end
from proofs.arithmetic import total
from proofs.contract import held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["MOST_HOPS", "PROOFS"]

MOST_HOPS = WAITING + 1 + IN_FLIGHT + QUEUED
"""Hops inside: those that wait, one in work, those of frames that wait for masks, those that wait to go out."""


def control(fft_size: int) -> str:
    """Sample port and control, with a sequencer whose passes take any time.

    The program leaves the memory alone in any cycle, and masks come at any time.
    """
    h = Harness()
    frames, samples = h.component(FrameControl(4), "frames"), h.component(SamplePort(fft_size, 24, 2), "samples")
    hop, bits = fft_size // 4, exact_log2(fft_size // 4)
    running, number = Signal(name="running"), Signal(Name, name="number")
    h.assume((~frames.done | running) & (~frames.idle | ~running))
    with h.m.If(~running):
        h.m.d.sync += [number.eq(frames.which), running.eq(frames.start)]
    with h.m.Elif(frames.done):
        h.m.d.sync += running.eq(0)
    h.m.d.comb += [
        frames.number.eq(number),
        *(getattr(frames, name).eq(getattr(samples, name)) for name in ("arrived", "left", "restart")),
        *(getattr(samples, name).eq(getattr(frames, name)) for name in ("accept", "clear", "queued")),
    ]
    h.check(~frames.start | ~running)
    inner, port = h.inside(frames, FrameControl.elaborate), h.inside(samples, SamplePort.elaborate)
    waiting, in_flight, queued = inner.waiting, inner.in_flight, inner.queued
    into, out_of, store, fetch = port.into, port.out_of, port.store, port.fetch

    # Every sample is stored once, in its place; every output is fetched once; what is offered stays.
    h.assume(held(h, samples.i))
    h.check(held(h, samples.o))
    owed = Signal(name="owed")
    h.m.d.sync += owed.eq(owed + moved(samples.i) - store)
    taken = Signal(16, name="taken")
    with h.m.If(moved(samples.i)):
        h.m.d.sync += taken.eq(samples.i.payload.data)
    h.check(~store | (owed & (samples.sample == taken.as_signed())))
    h.check(~moved(samples.i) | ~owed)
    h.check(~(samples.write & ~store) & ~(samples.access & ~store & ~fetch) & ~(store & fetch))
    h.check(~samples.access | samples.free)
    h.check(~store | (samples.address == into))
    on_its_way = total([port.on_its_way[place] for place in range(3)]) + samples.o.valid
    h.check(on_its_way <= 1)

    # A frame's four hops are never stored to while they are windowed, and the hop of the output that is computed is
    # not one that waits to go out. At most two spectra are in use.
    windowing, writing_out = running & (number == Name.WINDOW), running & (number == SYNTHESIS[-1])
    beyond = (into[bits:] - frames.ring_hop)[:3]
    h.check(~(store & windowing) | (beyond >= 4))
    h.check(~(fetch & writing_out) | (out_of[-1] != frames.queue_hop))
    h.check(~(running & (number == ANALYSIS[-1])) | (in_flight < IN_FLIGHT))
    h.check((frames.analysed ^ frames.synthesised) == in_flight[0])

    # Few hops are inside.
    inside = Signal(range(16 * hop), name="inside")
    stored = into[:bits]
    h.m.d.sync += inside.eq(inside + moved(samples.i) - moved(samples.o) - Mux(frames.clear, stored, 0))
    h.check(~moved(samples.i) | (inside <= MOST_HOPS * hop))

    # How it works. A frame in work has left the ring, and waits for no mask yet.
    in_work = (number >= ANALYSIS[1]) & (number <= ANALYSIS[-1]) & (running | inner.next_of_group)
    in_work |= (number == ANALYSIS[0]) & inner.next_of_group
    analysis = (number >= ANALYSIS[0]) & (number <= ANALYSIS[-1]) & (running | inner.next_of_group)
    synthesis = (number >= SYNTHESIS[0]) & (running | inner.next_of_group)
    clearing = running & (number == Name.CLEAR)
    h.check(number <= SYNTHESIS[-1])
    h.check(~(running & inner.next_of_group))
    h.check(~inner.next_of_group | ((number != Name.CLEAR) & (number != ANALYSIS[-1]) & (number != SYNTHESIS[-1])))
    h.check((waiting <= WAITING) & (in_flight <= IN_FLIGHT) & (queued <= QUEUED))
    h.check(~windowing | (waiting != 0))
    h.check(~analysis | (in_flight < IN_FLIGHT))
    h.check(~synthesis | ((in_flight != 0) & (queued < QUEUED)))
    h.check(~clearing | (~inner.cleared & (in_flight == 0) & (waiting == 0)))
    h.check(inner.cleared | ((in_flight == 0) & ~analysis & ~synthesis))
    # A hop arrives in the cycle after its last sample is stored.
    held_back, writing, arrived = port.held & ~port.writing, port.writing, samples.arrived
    h.check((owed == held_back) & (~writing | port.held) & (~port.held | (samples.sample == taken.as_signed())))
    h.check(inner.cleared | ((waiting == 0) & (into == 0) & ~port.held & ~writing))
    h.check((waiting != WAITING) | ((stored == 0) & ~port.held))
    h.check(~(clearing | frames.clear) | ~port.held)
    hops = waiting + arrived
    h.check(~inner.cleared | (into[bits:] == (frames.ring_hop + 3 + hops)[:3]))
    h.check(~clearing | (frames.ring_hop == 5))
    h.check(out_of[-1] == (frames.queue_hop ^ queued[0]))
    h.check((queued != 0) | (out_of[:bits] == 0))
    out = on_its_way - out_of[:bits]
    h.check(inside == hop * (hops + in_work + in_flight + queued) + stored + held_back + out)
    return h.rtlil()


def multiply(width: int) -> str:
    """The product from those of the operand's halves: x = 2^15 high + low."""
    h = Harness()
    dut = h.component(MultiplyAccumulate(width, 1))
    inner, coefficient = h.inside(dut, MultiplyAccumulate.elaborate), dut.coefficient
    h.check(inner.low == h.past(Cat(dut.operand[:CUT], Const(0, 1)).as_signed() * coefficient))
    h.check(inner.high == h.past(dut.operand[CUT:].as_signed() * coefficient))
    h.check(inner.product == h.past((inner.high << CUT) + inner.low)[: len(inner.product)].as_signed())
    return h.rtlil()


def rounding(width: int, output_shift: int) -> str:
    """The accumulator, checked against integers, and the rounding of each bias. A product is any word times 1."""
    h = Harness()
    dut = h.component(MultiplyAccumulate(width, output_shift))
    h.m.d.comb += dut.coefficient.eq(1)
    inner, bits = h.inside(dut, MultiplyAccumulate.elaborate), dut.sum_width
    operand = h.past(dut.operand, 2)
    h.check(inner.product == operand)
    # Each term is added or subtracted exactly.
    direct = Mux(h.past(dut.zero), 0, operand)
    term = Signal(signed(bits), name="added")
    magnitude = Mux(dut.direct, direct << FRACTION, inner.product)
    h.m.d.comb += term.eq(Mux(dut.invert, -magnitude, magnitude))
    base = h.past(Mux(dut.first, inner.base, dut.sum))
    h.check(~h.past(dut.add) | (dut.sum == (base + h.past(term))[:bits].as_signed()))
    h.check(~h.begun | h.past(dut.add) | (dut.sum == h.past(dut.sum)))

    # Two terms: a word as it is, then a product; and a product alone.
    two = h.past(dut.add & dut.first & dut.direct & ~dut.invert, 2) & h.past(dut.add & ~dut.first & ~dut.direct)
    two &= h.past(dut.halve, 2) == h.past(dut.halve)
    a, y = h.past(direct, 2), h.past(inner.product)
    minus, bias = h.past(dut.invert), h.past(dut.bias, 2)
    rounded = (y + HALF) >> FRACTION
    exact = Mux(minus, a - rounded, a + rounded)
    wanted = Mux(h.past(dut.halve), (exact + 1) >> 1, exact)
    found = Mux(h.past(dut.halve), dut.sum >> (FRACTION + 1), dut.sum >> FRACTION)
    h.check(~(two & (bias == Mux(minus, Bias.DOWN, Bias.UP))) | (found == wanted))
    one = h.past(dut.add & dut.first & ~dut.direct & ~dut.invert & (dut.bias == Bias.OUTPUT))
    sample = (rounded + (1 << (output_shift - 1))) >> output_shift
    h.check(~one | ((dut.sum >> (FRACTION + output_shift)) == sample))

    # Sound that goes out is saturated.
    value, least, most = h.free(signed(width), "value"), -(1 << 15), (1 << 15) - 1
    h.check(saturated(value) == Mux(value > most, most, Mux(value < least, least, value)))
    return h.rtlil()


def gates(mask_bits: int, limited: bool) -> str:
    """Any program in the pipeline, any masks. Sums may be anything: those of the multiplier are proved elsewhere."""
    h = Harness()
    front_end = replace(random_front_end(np.random.default_rng(0), 9), mask_bits=mask_bits, code="thermometer")
    engine, dut = AudioEngine(front_end, limited=limited), Datapath(front_end)
    mac = h.hollow(dut.mac)
    h.component(dut)
    h.m.d.comb += [mac.sum.eq(h.free(mac.sum.shape(), "sum")), mac.sign.eq(h.past(mac.operand)[-1])]
    mask, n = h.free(mask_bits, "mask"), h.free(exact_log2(front_end.fft_size), "n")
    number, word = h.free(Name, "number"), dut.instruction
    h.m.d.comb += [engine.mask.payload.data.eq(mask), engine.bypass.eq(h.free(1, "bypass"))]
    floor = h.fixed(15, "floor")
    if limited:
        h.m.d.comb += engine.floor.eq(floor)
    # The masks' pass ends with a write, LATENCY cycles after its last read.
    reads = dut.issue & word.add & (number == Name.MASK)
    h.assume((number == Name.MASK) | ~(h.past(reads) | h.past(reads, 2)))
    program: Any = SimpleNamespace(instruction=word, n=n, number=number)
    engine._gate(h.m, program, dut, h.free(signed(16), "power"))

    # Each term meets its own word and coefficient in the multiplier, and its own control in the accumulator.
    h.check(mac.operand == h.past(dut.word))
    choice = h.past(word.coefficient, 3)
    h.check((choice != Coefficient.POWER) | (mac.coefficient == h.past(dut.power)))
    h.check((choice != Coefficient.OPERAND) | (mac.coefficient == h.past(dut.word)[2:18].as_signed()))
    h.check(mac.add == h.past(dut.issue & word.add, 5))
    h.check(~mac.add | ((mac.first == h.past(word.first, 5)) & (mac.bias == h.past(word.bias, 5))))
    h.check(dut.mark == Mux(h.past(dut.issue, 6), h.past(word.mark, 6), Mark.NONE))
    result = Mux(dut.halve, mac.sum >> (CUT + 1), mac.sum >> CUT)
    h.check(~h.past(dut.issue & word.take, 7) | (dut.result == h.past(result)[: dut.width].as_signed()))

    # A word that is directly added counts as it is, not at all, or `floor` times.
    here = dut.issue & word.add & word.direct & ~word.minus & ~word.absolute
    whole = mac.direct & ~h.past(mac.zero) & ~mac.invert
    none = mac.direct & h.past(mac.zero)
    floored = ~mac.direct & (h.past(mac.coefficient, 2) == floor) & ~mac.invert & ~h.past(mac.zero)
    masks = number == Name.MASK

    def counts(when: Value, how: Value) -> None:
        h.check(~h.past(here & when, 5) | how)

    counts(word.gate == Gate.OPEN, whole)
    counts((word.gate == Gate.CLOSED) & ~masks, none)
    last_quarter = n[:-1] >= 3 * front_end.fft_size // 8
    counts((word.gate == Gate.LAST_QUARTER) & ~masks, Mux(h.past(last_quarter, 5), none, whole))
    for place in range(mask_bits):
        is_one = mask[place] | engine.bypass
        of_bit = (word.gate == Gate(Gate.MASK_0.value + place)) & masks
        counts(of_bit & is_one, whole)
        scaled = of_bit & ~is_one & (word.coefficient == Coefficient.POWER)
        counts(scaled if limited else of_bit & ~is_one, floored if limited else none)
    return h.rtlil()


HALF = 1 << (FRACTION - 1)

PROOFS = (
    Proof(
        "audio-product",
        "A product is that of the coefficient with the word's two halves, put together; words of 31 bits.",
        "hw/gateware/audio/multiplier.py",
        partial(multiply, 31),
        "induction",
        2,
        (Mutant(MultiplyAccumulate.elaborate, "high + (low >> CUT)", "high"),),
        reach=3,
    ),
    Proof(
        "audio-rounding",
        "A term is added or subtracted exactly; a word and a product give a + rnd(y) or a - rnd(y), halved "
        "(a + rnd(y) + 1) >> 1, an output (rnd(y) + 2^(r-1)) >> r, which is saturated to 16 bits.",
        "hw/gateware/audio/multiplier.py",
        partial(rounding, 31, 5),
        "induction",
        3,
        (
            Mutant(MultiplyAccumulate.elaborate, "half - 1", "half"),
            Mutant(MultiplyAccumulate.elaborate, "base + term + self.invert", "base + term"),
            Mutant(MultiplyAccumulate.elaborate, "half | (1 << (FRACTION + self.output_shift - 1))", "half"),
            Mutant(saturated, "value[15:].all() | ~value[15:].any()", "value[16:].all() | ~value[16:].any()"),
        ),
        reach=6,
    ),
    *(
        Proof(
            f"audio-gates-{'limited' if limited else 'plain'}",
            "Whatever the program and the masks: each term meets its own word, coefficient and control in the "
            "accumulator, and each result is its own sum's; a word counts as its gate says, where its mask bit is 0 "
            + ("as often as the attenuation limit says" if limited else "not at all")
            + " (three mask bits a bin).",
            "hw/gateware/audio/datapath.py",
            partial(gates, 3, limited),
            "induction",
            8,
            (
                *mutants,
                Mutant(Datapath.elaborate, "self.closed & self.issue, 4", "self.closed & self.issue, 3"),
                Mutant(Datapath.elaborate, "word.take & self.issue, 6", "word.take & self.issue, 5"),
            ),
            reach=12,
        )
        for limited, mutants in (
            (False, (Mutant(AudioEngine._gate, "| self.bypass.replicate(mask_bits)", ""),)),
            (
                True,
                (
                    Mutant(AudioEngine._gate, "power = Mux(masks, self.floor, power)", "pass"),
                    Mutant(AudioEngine._gate, "floored.eq(closed & masks)", "floored.eq(closed)"),
                    Mutant(Datapath.elaborate, "direct.eq(word.direct & ~self.floored)", "direct.eq(word.direct)"),
                ),
            ),
        )
    ),
    Proof(
        "audio-control",
        "Whenever sound, masks and passes come: each sample is stored once and each output fetched once, in order; a "
        "frame that is windowed, a spectrum that waits for its mask and a hop that waits to go out are never "
        f"overwritten; at most {MOST_HOPS} hops are inside when a sample comes (hops of 2).",
        "hw/gateware/audio/control.py",
        partial(control, 8),
        "induction",
        4,
        (
            Mutant(FrameControl.elaborate, "waiting != WAITING", "waiting <= WAITING"),
            Mutant(FrameControl.elaborate, "& (in_flight != IN_FLIGHT)", ""),
            Mutant(SamplePort.elaborate, "~held & self.accept", "self.accept"),
        ),
        reach=40,
    ),
)
