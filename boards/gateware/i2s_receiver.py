"""Samples from an I2S bus: a microphone, or the ADC of a codec."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.i2s_clocks import Beat
from boards.gateware.level import level

__all__ = ["Receiver"]

WORD = 24


class Receiver(wiring.Component):
    """One channel of an I2S bus, 24 bits a word, as 16-bit samples.

    I2S: the most significant bit is in the period after the edge of word select, so a word is in periods 1 to 24 of its
    slot. Data is sampled when the bit clock rises. The line needs no synchroniser: a bit is read half a bit clock
    after it was sampled, or later.

    If a consumer has not taken a sample when the next is complete, the next one is lost: the stream's payload must not
    change while it waits. Each loss is counted.
    Reset drops the word being received and clears the losses. The first sample is that of the first frame.

    Latency: a sample is on `o` in the cycle in which the period of its least significant bit ends on the pins.
    Throughput: one sample a frame. Cost on iCE40: 52 LUT4 with shift 0, 60 with 4, and 49 flip-flops.

    Parameters
    ----------
    shift : level shift (`boards.gateware.level`)
    right : whether to take the right channel

    Members
    -------
    beat : In(Beat); sd : In(1), the data pin
    o : Out(stream of signed(16))
    overrun : Out(1), a sample was lost; stays until reset
    lost : Out(8), how many, 255 for more
    """

    def __init__(self, shift: int = 0, right: bool = False) -> None:
        self.shift, self.last = shift, WORD + 32 * right
        super().__init__(
            {
                "beat": In(Beat),
                "sd": In(1),
                "o": Out(stream.Signature(signed(16))),
                "overrun": Out(1),
                "lost": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word = Signal(WORD)
        with m.If(self.beat.rise):
            m.d.sync += word.eq(Cat(self.sd, word))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.beat.fall & (self.beat.place == self.last)):
            with m.If(~self.o.valid | self.o.ready):
                m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(level(word, self.shift))]
            with m.Elif(~self.lost.all()):
                m.d.sync += self.lost.eq(self.lost + 1)
        m.d.comb += self.overrun.eq(self.lost.any())
        return m
