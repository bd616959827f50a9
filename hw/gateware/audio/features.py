"""From the sums of the passes to features: magnitudes, gain and levels."""

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.gateware.audio.gain import Energy
from hw.gateware.audio.levels import POWER_BITS, Levels
from hw.gateware.audio.magnitude import Magnitude
from hw.gateware.audio.multiplier import COEFFICIENT, CUT
from hw.gateware.streams import Word
from hw.shape.audio_program import Mark
from model.bundle.audio_widths import widths
from model.bundle.front_end import FrontEnd

__all__ = ["Features"]


class Features(wiring.Component):
    """Features of one bin after the other, and the energy that the gain follows.

    The energy forgets while the window is on; its logarithm is taken in the FFT's second stage, by the levels' unit,
    which has nothing to do there. Cost: about 330 LUT4.

    Members
    -------
    mark : In, what is `sum`, of an instruction
    sum : In(signed(sum_width)); first : In(1), it is the first one of its pass
    frame : In, frames of the utterance that are analysed
    clear : In(1), an utterance begins; begin : In(1), a frame does
    second : In(1), the second stage of the forward FFT runs; closes : In(1), the pass over the bins is done
    limit : In(signed(16)), the gain's limit for `frame`, while bins are in work
    power : Out(signed(16)), the bin's power of two (`Magnitude`); energy : Out, the gain's
    busy : Out(1), bits of a bin are not out yet
    o : Out(stream of Word(feature_bits))
    """

    def __init__(self, front_end: FrontEnd, sum_width: int) -> None:
        self.front_end = front_end
        self.energy_bits = widths(front_end).power_sum
        super().__init__(
            {
                "mark": In(Mark),
                "sum": In(sum_width),
                **dict.fromkeys(("first", "clear", "begin", "second", "closes"), In(1)),
                "frame": In(range(front_end.gain_frames + 1)),
                "limit": In(COEFFICIENT),
                "power": Out(COEFFICIENT),
                "energy": Out(self.energy_bits),
                "busy": Out(1),
                "o": Out(stream.Signature(Word(front_end.feature_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        it = self.front_end
        m.submodules.energy = energy = Energy(self.energy_bits, it.gain_frames)
        # Magnitudes of the spectrum before the mask: a word's bits but for the sign and the mask's.
        m.submodules.magnitude = magnitude = Magnitude(16 + it.fraction_bits + exact_log2(it.fft_size))
        m.submodules.levels = levels = Levels(
            [int(key) for key in it.keys.ravel()], it.keys.shape[1], it.feature_bits, magnitude.places
        )
        m.d.comb += [
            magnitude.value.eq(self.sum[CUT:]),
            magnitude.load.eq(self.mark == Mark.MAGNITUDE),
            magnitude.too.eq(self.mark == Mark.MAGNITUDE_TOO),
            self.power.eq(magnitude.power),
            energy.load.eq(self.mark == Mark.ENERGY),
            energy.value.eq(self.sum),
            energy.clear.eq(self.clear),
            energy.forget.eq(self.begin & (self.frame == it.gain_frames)),
            self.energy.eq(energy.energy),
            levels.load.eq(self.mark == Mark.LOGARITHM),
            levels.power.eq(self.sum[:POWER_BITS]),
            levels.shift.eq(magnitude.shift),
            levels.limit.eq(self.limit),
            levels.settle.eq((self.mark == Mark.MAGNITUDE) & self.first),
            levels.bit.eq(energy.bit),
        ]

        before, logging, closing = Signal(), Signal(), Signal()
        show = self.second & ~before
        m.d.sync += before.eq(self.second)
        with m.If(self.begin):
            m.d.sync += logging.eq(0)
        with m.If(show):
            m.d.sync += logging.eq(1)
        m.d.comb += [energy.show.eq(show), levels.clear.eq(show), levels.enable.eq(energy.busy & logging)]

        # The last bin's power is on its way to the levels when the pass over the bins is done.
        with m.If(levels.load):
            m.d.sync += closing.eq(0)
        with m.If(self.closes):
            m.d.sync += closing.eq(1)
        m.d.comb += self.busy.eq(levels.busy | closing)

        begins_utterance = Signal()
        with m.If(self.mark == Mark.MAGNITUDE):
            m.d.sync += begins_utterance.eq(self.frame == 0)
        m.d.comb += [
            self.o.valid.eq(levels.o.valid),
            levels.o.ready.eq(self.o.ready),
            self.o.payload.data.eq(levels.o.payload),
            self.o.payload.start.eq(begins_utterance),
        ]
        return m
