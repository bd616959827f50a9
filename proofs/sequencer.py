"""The audio engine's sequencer: every pass runs its body once for each n, in order, and nothing else."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from amaranth.hdl import Array, Mux, Signal, Value

from hw.gateware.audio.sequencer import Sequencer
from hw.shape.audio_passes import Name
from hw.shape.audio_program import OVERHEAD, Index, Pass, Region, Step, Wait
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

FFTS = (Name.FORWARD, Name.INVERSE)

SIZE = 8
"""Points."""


def _body(length: int, index: Index, *waits: int) -> tuple[Step, ...]:
    """Instructions of which no two are alike in all passes; those at `waits` wait."""
    regions = (Region.RING, Region.SOURCE, Region.TARGET, Region.SPECTRUM)
    steps = [
        Step(region=regions[at], index=index, wait=Wait.MASK if at in waits else Wait.NONE) for at in range(length)
    ]
    return (*steps[:-2], replace(steps[-2], turn=True), steps[-1])


PASSES = {
    Name.CLEAR: Pass(_body(3, Index.N, 0), SIZE // 2, angle=2, swaps=True),
    Name.FORWARD: Pass(_body(4, Index.PARTNER), SIZE // 4, angle=0, stages=2, swaps=True),
    Name.KEYS: Pass(_body(3, Index.MIRROR, 1, 2), 2),
}


def order(every: Mapping[Name, Pass], fft_size: int) -> str:
    """The harness counts instructions, iterations and stages itself, and looks up what each must be."""
    h = Harness()
    dut = h.component(Sequencer(fft_size, every))
    inner = h.inside(dut, Sequencer.elaborate)
    h.assume(~dut.start | ~dut.busy)
    h.assume(sum(dut.which == name for name in every) == 1)

    most = {name: (len(one.body), one.iterations, one.stages) for name, one in every.items()}
    bodies, iterations, stages = (max(column) for column in zip(*most.values(), strict=True))
    running, number, swapped = Signal(name="running"), Signal(Name, name="which_runs"), Signal(name="changed")
    place, index = Signal(range(bodies), name="place"), Signal(range(iterations), name="index")
    stage = Signal(range(stages + 1), name="stage")
    length, count, depth, begin, swaps, step = (Signal(16, name=f"pass_{at}") for at in range(6))
    with h.m.Switch(number):
        for name, one in every.items():
            with h.m.Case(name):
                values = (*most[name], dut.begins[name], one.swaps, one.angle)
                h.m.d.comb += [
                    signal.eq(value)
                    for signal, value in zip((length, count, depth, begin, swaps, step), values, strict=True)
                ]
    fft = (number == FFTS[0]) | (number == FFTS[1])
    last_place, last_index, last_stage = place == length - 1, index == count - 1, stage == depth - 1

    # The butterfly's bit is left out of n; the angle goes round in half a turn.
    half = Mux(fft, Array(1 << at for at in range(stages + 1))[stage], 0)
    butterfly = Array(
        Array(((at >> bit) << (bit + 1)) | (at & ((1 << bit) - 1)) for at in range(iterations))
        for bit in range(stages + 1)
    )
    turns = Array(
        Array((at * (fft_size // 2 >> bit)) % (fft_size // 2) for at in range(iterations)) for bit in range(stages + 1)
    )
    n, angle = Mux(fft, butterfly[stage][index], index), Mux(fft, turns[stage][index], (index * step)[: dut.bits])

    began = dut.start & ~dut.busy
    over = dut.issue & last_place & last_index & last_stage
    with h.m.If(began):
        h.m.d.sync += [running.eq(1), number.eq(dut.which), place.eq(0), index.eq(0), stage.eq(0)]
    with h.m.If(dut.issue):
        h.m.d.sync += place.eq(Mux(last_place, 0, place + 1))
        with h.m.If(last_place):
            h.m.d.sync += index.eq(Mux(last_index, 0, index + 1))
            with h.m.If(last_index):
                h.m.d.sync += [stage.eq(stage + 1), swapped.eq(swapped ^ swaps[0])]
    with h.m.If(over):
        h.m.d.sync += running.eq(0)

    word: Value = Array(dut.words)[(begin + place)[: (len(dut.words) - 1).bit_length()]]
    h.check(~dut.issue | (running & (dut.instruction.as_value() == word)))
    h.check(~dut.issue | ((dut.n == n) & (dut.half == half) & (dut.angle == angle) & (dut.first == (index == 0))))
    h.check(~dut.issue | (dut.number == number))
    h.check((dut.busy == running) & (dut.done == over) & (dut.swapped == swapped))
    # It waits for nothing but what an instruction asks for, and `OVERHEAD` cycles before each stage.
    quiet = dut.busy & ~inner.valid
    h.check(dut.issue == (inner.valid & ((dut.instruction["wait"] == Wait.NONE) | dut.ready)))
    h.check(~quiet | ~h.past(quiet) | ~h.past(quiet, OVERHEAD))

    # How it works.
    valid, fetching, pc = inner.valid, inner.fetching, inner.pc
    between = dut.busy & ~fetching
    h.check((place < length) & (index < count) & ((stage < depth) | ~running))
    h.check((~valid | fetching) & (~fetching | dut.busy) & (~inner.turned | valid))
    h.check(valid | ~running | ((place == 0) & ((index == 0) | ~between)))
    h.check(~valid | ((dut.instruction.as_value() == word) & (inner.turned == last_place)))
    h.check(~valid | last_place | (pc == begin + place + 1))
    h.check(~valid | ~last_place | last_index | (pc == begin))
    h.check(~fetching | valid | ((pc == begin) & (place == 0) & (index == 0)))
    h.check(~between | (fft & (stage != 0) & (index == 0) & (dut.half << 1 == half)))
    h.check(~between | (inner.stage_step == (fft_size >> stage)[: dut.bits]))
    h.check(~running | (dut.number == number))
    h.check(~fetching | ((dut.n == n) & (dut.half == half) & (dut.first == (index == 0)) & (dut.angle == angle)))
    h.check(~fetching | ~fft | (inner.stage_step == (fft_size // 2) >> stage))
    return h.rtlil()


PROOFS = (
    Proof(
        "audio-sequencer",
        "Each pass that is started runs its body once for each n, an instruction a cycle, in order, with its n, "
        "butterfly's bit and angle, an FFT in all its stages; then it is done; nothing is held up but where an "
        "instruction waits, and two cycles before each stage (N = 8, short passes).",
        "hw/gateware/audio/sequencer.py",
        partial(order, PASSES, SIZE),
        "induction",
        3,
        (
            Mutant(Sequencer.elaborate, "self.issue & turned & at_end", "self.issue & turned"),
            Mutant(Sequencer.elaborate, "(b + 1)[:bits] & ~self.half", "(b + 1)[:bits]"),
            Mutant(Sequencer.elaborate, "stage_step >> 1", "stage_step"),
            Mutant(Sequencer.elaborate, "fetching & go", "fetching"),
        ),
        reach=25,
    ),
)
