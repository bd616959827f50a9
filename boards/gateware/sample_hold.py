"""One sample at a time from a stream, at a fixed rate."""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["SampleHold"]


class SampleHold(wiring.Component):
    """Take a sample from the stream whenever a converter needs one, and hold it until the next.

    If the stream is empty, the last sample is repeated. That makes the smallest step for one missing sample, and a
    long gap is a constant, which an output capacitor blocks; a jump to zero would click. Each miss is counted
    from the first sample on: until then the output is 0 and nothing is missing.
    Reset clears sample and misses.

    Latency: `sample` changes in the cycle after `take`. Cost: 16 flip-flops, and about 15 LUT4 that count.

    Members
    -------
    i : In(stream of signed(16)); take : In(1)
    sample : Out(signed(16))
    underrun : Out(1), a sample was missing; stays until reset
    missed : Out(8), their number, saturating at 255
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "i": In(stream.Signature(signed(16))),
                "take": In(1),
                "sample": Out(signed(16)),
                "underrun": Out(1),
                "missed": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        started = Signal()
        m.d.comb += [self.i.ready.eq(self.take), self.underrun.eq(self.missed.any())]
        with m.If(self.take):
            with m.If(self.i.valid):
                m.d.sync += [self.sample.eq(self.i.payload), started.eq(1)]
            with m.Elif(started & ~self.missed.all()):
                m.d.sync += self.missed.eq(self.missed + 1)
        return m
