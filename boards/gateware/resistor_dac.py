"""Sound out through resistors on four pins, as on the ULX3S's audio jack."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.i2s_clocks import Beat
from boards.gateware.noise_shaper import CODE, NoiseShaper
from boards.gateware.sample_hold import SampleHold

__all__ = ["ResistorDac"]


class ResistorDac(wiring.Component):
    """Samples as 4-bit codes at the system clock divided by 2^`divide`, for a DAC of binary-weighted resistors.

    It outputs a code every `2^divide` cycles: at 120 MHz and `divide` = 5 that is 3.75 MHz, 232 codes per sample.
    `bgru dac` measures the SNR (docs/sound.md). It takes one sample at the start of each bus frame; an empty stream
    repeats the last one (`SampleHold`).

    Latency: the first code of a sample comes at most 2^`divide` + 2 cycles after the start of its frame.
    Cost: 126 LUT4 on iCE40, 86 on ECP5, 62 flip-flops.

    Members
    -------
    beat : In(Beat), of the input bus; i : In(stream of signed(16))
    code : Out(4), to the pins, lowest bit on the largest resistor
    underrun : Out(1), missed : Out(8), of `SampleHold`
    """

    def __init__(self, divide: int = 5) -> None:
        self.divide = divide
        super().__init__(
            {
                "beat": In(Beat),
                "i": In(stream.Signature(signed(16))),
                "code": Out(CODE),
                "underrun": Out(1),
                "missed": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.hold = hold = SampleHold()
        m.submodules.shaper = shaper = NoiseShaper()
        wiring.connect(m, wiring.flipped(self.i), hold.i)
        count = Signal(self.divide)
        m.d.sync += count.eq(count + 1)
        m.d.comb += [
            hold.take.eq(self.beat.frame),
            shaper.sample.eq(hold.sample),
            shaper.step.eq(count.all()),
            self.code.eq(shaper.code),
            self.underrun.eq(hold.underrun),
            self.missed.eq(hold.missed),
        ]
        return m
