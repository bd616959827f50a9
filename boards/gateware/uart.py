"""A UART: 8 data bits, no parity, one stop bit."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import In, Out

__all__ = ["Receiver", "Transmitter"]


class Receiver(wiring.Component):
    """Bytes from a serial line. A new byte replaces one that is still waiting.

    Every bit is sampled in its middle, so the baud rate may be off by 2.5 %.

    Throughput: one byte per ten bit times. Cost: about 30 LUT4 and 30 flip-flops.

    Members
    -------
    pin : In(1), idle high; o : Out(stream of 8 bits)
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"pin": In(1, init=1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        line = Signal(init=1)
        m.submodules.synchroniser = FFSynchronizer(self.pin, line, init=1)
        shift, left, timer = Signal(10), Signal(range(11)), Signal(range(self.divisor))
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(left == 0):
            with m.If(~line):  # the first sample is in the middle of the start bit
                m.d.sync += [left.eq(10), timer.eq(self.divisor // 2)]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            bits = Cat(shift[1:], line)
            with m.If((left == 10) & line):  # a glitch, not a start bit
                m.d.sync += left.eq(0)
            with m.Else():
                m.d.sync += left.eq(left - 1)
            m.d.sync += [shift.eq(bits), timer.eq(self.divisor - 1)]
            with m.If((left == 1) & ~bits[0] & bits[9]):  # start and stop bit are right
                m.d.sync += [self.o.payload.eq(bits[1:9]), self.o.valid.eq(1)]
        return m


class Transmitter(wiring.Component):
    """Bytes to a serial line.

    Throughput: one byte per ten bit times. Cost: about 30 LUT4 and 20 flip-flops.

    Members
    -------
    i : In(stream of 8 bits); pin : Out(1), idle high
    """

    def __init__(self, divisor: int) -> None:
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "pin": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift, left, timer = Signal(10, init=-1), Signal(range(11)), Signal(range(self.divisor))
        m.d.comb += [self.pin.eq(shift[0]), self.i.ready.eq(left == 0)]
        with m.If(left == 0):
            with m.If(self.i.valid):
                m.d.sync += [
                    shift.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))),
                    left.eq(10),
                    timer.eq(self.divisor - 1),
                ]
        with m.Elif(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Else():
            m.d.sync += [shift.eq(Cat(shift[1:], 1)), left.eq(left - 1), timer.eq(self.divisor - 1)]
        return m
