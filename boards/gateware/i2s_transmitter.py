"""Samples to an I2S bus, for the DAC of a codec."""

from amaranth.hdl import Module, Mux, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.i2s_clocks import Beat
from boards.gateware.sample_hold import SampleHold

__all__ = ["Transmitter"]


class Transmitter(wiring.Component):
    """The same 16-bit sample on both channels of an I2S bus.

    The most significant bit is in period 1 of each slot, the least significant in period 16, then zeros: to a
    24-bit converter this is the sample times 256. Data changes when the bit clock falls.

    One sample is taken at the start of each frame; an empty stream repeats the last one (`SampleHold`). After reset the
    line carries zeros until the first sample.

    Latency: a sample taken at the start of a frame is sent in that frame. Throughput: one sample per frame.
    Cost on iCE40: 31 LUT4, 26 flip-flops.

    Members
    -------
    beat : In(Beat); i : In(stream of signed(16))
    sd : Out(1), the data pin
    underrun : Out(1), missed : Out(8), of `SampleHold`
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "beat": In(Beat),
                "i": In(stream.Signature(signed(16))),
                "sd": Out(1),
                "underrun": Out(1),
                "missed": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.hold = hold = SampleHold()
        wiring.connect(m, wiring.flipped(self.i), hold.i)
        m.d.comb += [
            hold.take.eq(self.beat.frame),
            self.underrun.eq(hold.underrun),
            self.missed.eq(hold.missed),
        ]
        # The fall that ends period p of a slot puts bit 15 - p on the line, for period p + 1.
        ended, beyond = self.beat.place[:4], self.beat.place[4]
        with m.If(self.beat.fall):
            m.d.sync += self.sd.eq(Mux(beyond, 0, hold.sample[::-1].bit_select(ended, 1)))
        return m
