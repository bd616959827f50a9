"""Streams accepted frames out of their slots."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from boards.gateware.flash import ImageByte
from boards.gateware.link_format import LinkFormat
from hw.gateware.streams import Word

__all__ = ["FrameFeeder"]


class FrameFeeder(wiring.Component):
    """Stream the payload of each accepted frame once, in order.

    Throughput: one byte per three cycles, and one more cycle per frame.

    Members
    -------
    expected, starts : In, from `PacketReceiver`
    skip : In(1), accepted frames are dropped, and reported as `skipped`
    place : Out, of the byte to read from slot `taken`; data : In(8), that byte a cycle later
    taken : Out(8), sequence of the next frame to stream
    skipped : Out(1), pulse: a frame was dropped
    o : Out(stream of Word(8)), `frame_bytes` for each frame

    Only with `form.blocks`:
    store, first : In, from `PacketReceiver`; storing : Out(1), a block of weights is being streamed
    image : Out(stream of ImageByte), its bytes
    """

    def __init__(self, form: LinkFormat) -> None:
        self.form = form
        super().__init__(
            {
                "expected": In(8),
                "starts": In(form.slots),
                "skip": In(1),
                "place": Out(form.frame_bits, init=form.frame_span[0]),
                "data": In(8),
                "taken": Out(8),
                "skipped": Out(1),
                "o": Out(stream.Signature(Word(8))),
                **({"store": In(1), "first": In(1), "storing": Out(1)} if form.blocks else {}),
                **({"image": Out(stream.Signature(ImageByte()))} if form.blocks else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        byte, storing = Signal(8), Signal() if self.form.blocks else Const(0, 1)
        if self.form.blocks:
            begins = Signal()
            with m.If(self.store):
                m.d.sync += [storing.eq(1), begins.eq(self.first)]
            m.d.comb += [
                self.storing.eq(storing),
                self.image.payload.data.eq(byte),
                self.image.payload.first.eq(begins & (self.place == self.form.frame_span[0])),
            ]
        slot = self.taken[: exact_log2(self.form.slots)]
        m.d.comb += [self.o.payload.data.eq(byte), self.o.payload.start.eq(self.starts.bit_select(slot, 1))]
        with m.FSM(name="feed"):
            with m.State("wait"):
                with m.If(self.taken != self.expected):
                    with m.If(self.skip):
                        m.d.comb += self.skipped.eq(1)
                        m.d.sync += self.taken.eq(self.taken + 1)
                    with m.Else():
                        m.next = "read"
                with m.Elif(storing):
                    m.next = "read"
            with m.State("read"):
                m.next = "hold"
            with m.State("hold"):
                m.d.sync += byte.eq(self.data)
                m.next = "offer"
            with m.State("offer"):
                m.d.comb += self.o.valid.eq(~storing)
                ready: Value = self.o.ready
                if self.form.blocks:
                    m.d.comb += self.image.valid.eq(storing)
                    ready = Mux(storing, self.image.ready, self.o.ready)
                with m.If(ready):
                    m.d.sync += self.place.eq(self.place + 1)
                    m.next = "read"
                    with m.If(self.place == self.form.frame_span[1]):
                        m.d.sync += [self.place.eq(self.form.frame_span[0]), self.taken.eq(self.taken + ~storing)]
                        if self.form.blocks:
                            m.d.sync += storing.eq(0)
                        m.next = "wait"
        return m
