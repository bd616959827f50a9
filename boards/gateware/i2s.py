"""An I2S master: the bus of a microphone, a codec, or both."""

from amaranth.hdl import Module, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.i2s_clocks import Beat, Clocks
from boards.gateware.i2s_receiver import Receiver
from boards.gateware.i2s_transmitter import Transmitter
from boards.gateware.sample_rate import SampleRate

__all__ = ["I2S"]


class I2S(wiring.Component):
    """Sound in as a stream of samples, a stream of samples as sound out, on one clock.

    Every frame brings one sample and takes one. If the logic between gives one sample for each that it gets, nothing
    is resampled and no queue fills or runs dry. Converters may share the clock pins.

    Latency with `o` joined to `i`, from a word on the input to the same word on the output's left channel: one frame
    from the left channel, half a frame from the right.
    Cost on iCE40 at 24 MHz / 24, shift 4: 118 LUT4, 91 flip-flops.

    Parameters
    ----------
    rate : of samples; shift, right : of `Receiver`

    Members
    -------
    mclk, sclk, ws : Out(1), sd_in : In(1), sd_out : Out(1), the pins
    o : Out(stream of signed(16)), from the microphone or ADC; i : In(stream of signed(16)), to the DAC
    overrun : Out(1), lost : Out(8), of `Receiver`; underrun : Out(1), missed : Out(8), of `SampleHold`
    beat : Out(Beat), for another output at the same rate
    """

    def __init__(self, rate: SampleRate, shift: int = 0, right: bool = False) -> None:
        self.clocks, self.receiver, self.transmitter = Clocks(rate), Receiver(shift, right), Transmitter()
        super().__init__(
            {
                **{name: Out(1) for name in ("mclk", "sclk", "ws", "sd_out", "overrun", "underrun")},
                "sd_in": In(1),
                "o": Out(stream.Signature(signed(16))),
                "i": In(stream.Signature(signed(16))),
                "lost": Out(8),
                "missed": Out(8),
                "beat": Out(Beat),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.clocks = clocks = self.clocks
        m.submodules.receiver = receiver = self.receiver
        m.submodules.transmitter = transmitter = self.transmitter
        wiring.connect(m, clocks.beat, receiver.beat, transmitter.beat, wiring.flipped(self.beat))
        wiring.connect(m, receiver.o, wiring.flipped(self.o))
        wiring.connect(m, wiring.flipped(self.i), transmitter.i)
        m.d.comb += [
            self.mclk.eq(clocks.mclk),
            self.sclk.eq(clocks.sclk),
            self.ws.eq(clocks.ws),
            receiver.sd.eq(self.sd_in),
            self.sd_out.eq(transmitter.sd),
            self.overrun.eq(receiver.overrun),
            self.lost.eq(receiver.lost),
            self.underrun.eq(transmitter.underrun),
            self.missed.eq(transmitter.missed),
        ]
        return m
