"""Samples into the memory's ring and out of its queue, while the program leaves the memory alone."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

__all__ = ["Sample", "SamplePort", "saturated"]


class Sample(data.StructLayout):
    """A sample; `start` begins an utterance."""

    def __init__(self) -> None:
        super().__init__({"data": signed(16), "start": 1})


def saturated(value: Signal) -> Signal:
    """A signed value, saturated to 16 bits."""
    fits = value[15:].all() | ~value[15:].any()
    limit = Cat((~value[-1]).replicate(15), value[-1])
    return Mux(fits, value[:16], limit).as_signed()


class SamplePort(wiring.Component):
    """A sample in or out for every free cycle, output first; each way has room for one sample outside the memory.

    Latency: an input is in the memory two cycles after a free cycle, an output at `o` four. Throughput: a sample every
    three free cycles in, every five out. Cost: about 60 LUT4.

    Members
    -------
    i : In(stream of Sample); a `start` waits until `clear`, unless no sample came since the last
    o : Out(stream of signed(16))
    accept : In(1), there is room for another hop in the ring
    restart : Out(1), an utterance begins as soon as the engine is cleared
    clear : In(1), the ring is empty
    arrived : Out(1), a hop is complete in the ring; left : Out(1), a hop's last sample leaves the queue
    queued : In(1), there is a hop in the queue
    free : In(1), the memory's port is free in the next cycle
    access : Out(1), it is used: `address`; write : Out(1), to write `sample`
    operand : In(signed(width)), the word that was asked for three cycles ago
    """

    def __init__(self, fft_size: int, width: int, output_shift: int) -> None:
        self.bits, self.output_shift = exact_log2(fft_size), output_shift
        super().__init__(
            {
                "i": In(stream.Signature(Sample())),
                "o": Out(stream.Signature(signed(16))),
                **dict.fromkeys(("restart", "arrived", "left", "access", "write"), Out(1)),
                **dict.fromkeys(("accept", "clear", "queued", "free"), In(1)),
                "address": Out(self.bits + 3),
                "sample": Out(signed(16)),
                "operand": In(signed(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, hop = self.bits, self.bits - 2
        into, out_of = Signal(bits + 1), Signal(bits - 1)
        held, writing, fresh = Signal(), Signal(), Signal()
        on_its_way = Signal(3)
        fetch = self.free & self.queued & ~self.o.valid & ~on_its_way.any()
        store = self.free & ~fetch & held & ~writing
        m.d.comb += [
            self.access.eq(fetch | store),
            self.write.eq(store),
            self.address.eq(Mux(fetch, Cat(out_of, Const(0b1110, 4)), into)),
            self.left.eq(fetch & out_of[:hop].all()),
            self.arrived.eq(writing & (into[:hop] == 0)),
            self.i.ready.eq(~held & self.accept & (~self.i.payload.start | fresh)),
            self.restart.eq(~held & self.i.valid & self.i.payload.start & ~fresh),
        ]
        m.d.sync += [writing.eq(store), on_its_way.eq(Cat(fetch, on_its_way))]
        with m.If(store):
            m.d.sync += into.eq(into + 1)
        with m.If(writing):
            m.d.sync += held.eq(0)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [self.sample.eq(self.i.payload.data), held.eq(1), fresh.eq(0)]
        with m.If(self.clear):
            m.d.sync += [into.eq(0), fresh.eq(1)]

        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(fetch):
            m.d.sync += out_of.eq(out_of + 1)
        with m.If(on_its_way[2]):
            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(saturated(self.operand >> self.output_shift))]
        return m
