"""The pipeline that executes the program: memory word times cosine, sum, result."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.gateware.audio.cosine import CosineRom
from hw.gateware.audio.instruction import Instruction
from hw.gateware.audio.multiplier import COEFFICIENT, CUT, MultiplyAccumulate
from hw.gateware.popcount import delayed
from hw.shape.audio_program import Coefficient, Mark
from model.bundle.audio_constants import gain_limits, output_scale, quarter_cosine
from model.bundle.audio_widths import widths
from model.bundle.front_end import FrontEnd

__all__ = ["Datapath"]


class Datapath(wiring.Component):
    """Execute an instruction on the word that it read (the table in `hw.shape.audio_program`).

    Latency: 6 cycles from an instruction to `sum` and `mark`, 7 to `result`. Throughput: a term every cycle.
    Cost: two multipliers of 16 x 16 bits, the constants' ROM, about 250 LUT4.

    Members
    -------
    instruction : In(Instruction); issue : In(1), there is one
    closed : In(1), its term counts as 0; floored : In(1), it is multiplied, though direct
    first : In(1), the instruction is one of a pass' first iteration
    angle : In(log2 N); frame : In, which of the gain's limits
    halve : In(1), results are to be halved, as the instructions of the last six cycles' are
    word : In(signed(width)), what the memory gave; operand : Out, a cycle later
    power : In(signed(16)), energy : In, of `Features`; limit : Out(signed(16)), of `frame`, but in a pass that needs
        cosines
    sum : Out(signed(sum_width)), mark : Out, whose it is; result : Out(signed(width)), to be written
    """

    def __init__(self, front_end: FrontEnd) -> None:
        self.front_end = front_end
        self.width = widths(front_end).word
        scale, self.output_shift = output_scale(front_end)
        limits = [limit - (1 << 16 if limit >= 1 << 15 else 0) for limit in gain_limits(front_end)]
        self.cosine = CosineRom(quarter_cosine(front_end.fft_size, front_end.table_bits), [-scale, *limits])
        self.mac = MultiplyAccumulate(self.width, self.output_shift)
        super().__init__(
            {
                "instruction": In(Instruction()),
                **dict.fromkeys(("issue", "closed", "floored", "first", "halve"), In(1)),
                "angle": In(exact_log2(front_end.fft_size)),
                "frame": In(range(front_end.gain_frames + 1)),
                "word": In(signed(self.width)),
                "operand": Out(signed(self.width)),
                "power": In(signed(COEFFICIENT)),
                "limit": Out(signed(COEFFICIENT)),
                "energy": In(self.mac.sum_width),
                "sum": Out(signed(self.mac.sum_width)),
                "mark": Out(Mark),
                "result": Out(signed(self.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word, most = self.instruction, self.front_end.gain_frames
        m.submodules.cosine = cosine = self.cosine
        m.submodules.mac = mac = self.mac
        m.d.sync += self.operand.eq(self.word)
        m.d.comb += [
            cosine.angle.eq(self.angle | word.odd),
            cosine.sine.eq(word.sine),
            cosine.other.eq(word.coefficient != Coefficient.ANGLE),
            cosine.which.eq(
                Mux(word.coefficient == Coefficient.SCALE, 0, Mux(self.frame == most, most, self.frame + 1))
            ),
            self.limit.eq(cosine.word),
        ]
        coefficient, flip = Signal(signed(COEFFICIENT)), Signal()
        with m.Switch(delayed(m, word.coefficient, 2)):
            with m.Case(Coefficient.OPERAND):
                m.d.sync += [coefficient.eq(self.word[2:18]), flip.eq(0)]
            with m.Case(Coefficient.POWER):
                m.d.sync += [coefficient.eq(self.power), flip.eq(self.power[-1])]
            with m.Default():
                m.d.sync += [coefficient.eq(cosine.word), flip.eq(~cosine.negative)]

        # Control goes down the pipeline next to the operands.
        invert = Signal()
        direct = Signal()
        m.d.comb += direct.eq(word.direct & ~self.floored)
        turned = delayed(m, flip, 1) & ~delayed(m, direct, 4)
        m.d.sync += invert.eq(delayed(m, word.minus, 4) ^ turned ^ (delayed(m, word.absolute, 4) & mac.sign))
        m.d.comb += [
            mac.operand.eq(self.operand),
            mac.coefficient.eq(coefficient),
            mac.zero.eq(delayed(m, self.closed & self.issue, 4)),
            mac.add.eq(delayed(m, word.add & self.issue, 5)),
            mac.first.eq(delayed(m, word.first, 5)),
            mac.bias.eq(delayed(m, word.bias, 5)),
            mac.direct.eq(delayed(m, direct, 5)),
            mac.invert.eq(invert),
            mac.halve.eq(self.halve),
            mac.energy.eq(self.energy),
            mac.seed.eq(delayed(m, self.first, 5)),
            self.sum.eq(mac.sum),
            self.mark.eq(delayed(m, Mux(self.issue, word.mark, 0), 6)),
        ]
        with m.If(delayed(m, word.take & self.issue, 6)):
            m.d.sync += self.result.eq(Mux(self.halve, mac.sum >> (CUT + 1), mac.sum >> CUT))
        return m
