"""The engine's control: a program memory, a program counter, a loop counter and an angle."""

from collections.abc import Mapping

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.gateware.audio.instruction import Instruction
from hw.gateware.memory import ram, read
from hw.shape.audio_passes import Name, program
from hw.shape.audio_program import Pass, Wait

__all__ = ["Sequencer"]


class Sequencer(wiring.Component):
    """Run one pass after `start`: its body once for each n, an instruction a cycle.

    A pass takes `Pass.cycles`. An instruction that waits is held up, and nothing is done meanwhile. n counts up; a
    stage of an FFT leaves out numbers with the butterfly's bit (`half`) and adds N / (2 half) to the angle each time.

    Cost: a program memory (`words` of 30 bits), about 100 LUT4.

    Members
    -------
    start : In(1), begin `which`; only while not `busy`
    which : In(Name)
    busy : Out(1); done : Out(1), the pass (the whole FFT) is in its last cycle
    number : Out(Name), that pass
    instruction : Out(Instruction), valid where `issue` is high
    ready : In(1), of what `instruction` waits for
    n, half : Out, complex index, and the butterfly's bit of it (0 but in an FFT)
    angle : Out(log2 N); first : Out(1), n is the first
    swapped : Out(1), `SOURCE` and `TARGET` are the other way round
    """

    def __init__(self, fft_size: int, passes: Mapping[Name, Pass]) -> None:
        self.fft_size, self.passes = fft_size, passes
        self.words, self.begins = program(passes)
        self.bits = exact_log2(fft_size)
        super().__init__(
            {
                "start": In(1),
                "which": In(Name),
                "busy": Out(1),
                "done": Out(1),
                "number": Out(Name),
                "issue": Out(1),
                "instruction": Out(Instruction()),
                "ready": In(1),
                "n": Out(self.bits),
                "half": Out(self.bits),
                "angle": Out(self.bits),
                "first": Out(1),
                "swapped": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits = self.bits
        pc = Signal(range(len(self.words)))
        valid, turned, fetching = Signal(), Signal(), Signal()
        go = Signal()
        begin, last, step, swaps = Signal.like(pc), Signal(bits), Signal(bits), Signal()
        with m.Switch(self.number):
            for name, one in self.passes.items():
                with m.Case(name):
                    m.d.comb += [
                        begin.eq(self.begins[name]),
                        last.eq(one.last),
                        step.eq(one.angle),
                        swaps.eq(one.swaps),
                    ]
        fft = Signal()
        m.d.comb += fft.eq((self.number == Name.FORWARD) | (self.number == Name.INVERSE))

        m.submodules.program = program = ram(Instruction().size, len(self.words), self.words, ram_style="block")
        m.d.comb += [
            go.eq(~valid | (self.instruction["wait"] == Wait.NONE) | self.ready),
            self.instruction.as_value().eq(read(m, program, pc, fetching & go)),
            self.issue.eq(valid & go),
        ]
        b = self.n | self.half
        at_end, turn, ends = Signal(), Signal(), Signal()
        next_n = Signal(bits)
        m.d.comb += [
            at_end.eq(b == last),
            turn.eq(self.issue & self.instruction.turn),
            ends.eq(self.issue & turned & at_end),
            next_n.eq((b + 1)[:bits] & ~self.half),
        ]
        # A stage adds half of what the stage before did to the angle, from N / 2 on, which is 0 modulo N / 2.
        stage_step, angle, stages_done = Signal(bits, init=self.fft_size // 2), Signal(bits), Signal()
        m.d.comb += [
            self.angle.eq(Mux(fft, angle[: bits - 1], angle)),
            stages_done.eq(self.half[bits - 2] | ~fft),
        ]
        with m.If(go):
            m.d.sync += [pc.eq(Mux(turn & ~at_end, begin, pc + 1)), turned.eq(turn), valid.eq(fetching)]
        with m.If(self.issue & turned):
            m.d.sync += [self.n.eq(next_n), angle.eq(angle + Mux(fft, stage_step, step)), self.first.eq(0)]
        with m.If(ends):
            m.d.sync += [valid.eq(0), fetching.eq(0), self.swapped.eq(self.swapped ^ swaps)]
            with m.If(stages_done):
                m.d.sync += self.busy.eq(0)
                m.d.comb += self.done.eq(1)
        with m.If(~fetching & ~valid):
            with m.If(self.busy):  # the next stage
                m.d.sync += [self.half.eq(self.half << 1), stage_step.eq(stage_step >> 1)]
            with m.Else():
                m.d.sync += [self.number.eq(self.which), self.busy.eq(self.start)]
                starts_fft = (self.which == Name.FORWARD) | (self.which == Name.INVERSE)
                m.d.sync += [self.half.eq(Mux(starts_fft, 1, 0)), stage_step.eq(self.fft_size // 2)]
            m.d.sync += [self.n.eq(0), angle.eq(0), self.first.eq(1), fetching.eq(self.busy | self.start)]
            m.d.sync += pc.eq(Mux(self.busy, begin, self._start_of(m)))
        return m

    def _start_of(self, m: Module) -> Value:
        """Where the pass that is asked for begins."""
        begin = Signal(range(len(self.words)))
        with m.Switch(self.which):
            for name, start in self.begins.items():
                with m.Case(name):
                    m.d.comb += begin.eq(start)
        return begin
