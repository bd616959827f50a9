"""Masks from a stream into their slots."""

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.link_format import LinkFormat
from boards.host.protocol import HEADER
from hw.gateware.streams import Word

__all__ = ["MaskCollector"]


class MaskCollector(wiring.Component):
    """Write each mask into its slot, after the place of a header.

    Throughput: one byte per cycle; it never waits.

    Members
    -------
    i : In(stream of Word(8)), `mask_bytes` for each mask
    skipped : In(1), pulse: the next frame has no mask, and counts as done
    place, data, enable : Out, the byte to write into slot `done`
    done : Out(8), sequence of the next mask to come
    """

    def __init__(self, form: LinkFormat) -> None:
        self.form = form
        super().__init__(
            {
                "i": In(stream.Signature(Word(8))),
                "skipped": In(1),
                "place": Out(form.mask_bits, init=HEADER),
                "data": Out(8),
                "enable": Out(1),
                "done": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.i.ready.eq(1), self.data.eq(self.i.payload.data), self.enable.eq(self.i.valid)]
        with m.If(self.skipped):
            m.d.sync += self.done.eq(self.done + 1)
        with m.If(self.i.valid):
            m.d.sync += self.place.eq(self.place + 1)
            with m.If(self.place == HEADER + self.form.mask_bytes - 1):
                m.d.sync += [self.place.eq(HEADER), self.done.eq(self.done + 1)]
        return m
