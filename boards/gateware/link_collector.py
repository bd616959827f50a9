"""Writes answers from a stream into their slots."""

from amaranth.hdl import Module, Mux
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.link_format import LinkFormat
from hw.gateware.streams import Word

__all__ = ["AnswerCollector"]


class AnswerCollector(wiring.Component):
    """Write each answer into its slot.

    Throughput: one byte per cycle; it never waits.

    Members
    -------
    i : In(stream of Word(8)), `answer_bytes` for each answer
    skipped : In(1), pulse: the next frame has no answer, and counts as done
    place, data, enable : Out, the byte to write into slot `done`
    done : Out(8), sequence of the next answer to come
    """

    def __init__(self, form: LinkFormat) -> None:
        self.form = form
        super().__init__(
            {
                "i": In(stream.Signature(Word(8))),
                "skipped": In(1),
                "place": Out(form.answer_bits, init=form.answer_span[0]),
                "data": Out(8),
                "enable": Out(1),
                "done": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [self.i.ready.eq(1), self.data.eq(self.i.payload.data), self.enable.eq(self.i.valid)]
        # Weights may fail while a frame is in the network: then it ends while another is skipped.
        last = self.place == self.form.answer_span[1]
        m.d.sync += self.done.eq(self.done + self.skipped + (self.i.valid & last))
        with m.If(self.i.valid):
            m.d.sync += self.place.eq(Mux(last, self.form.answer_span[0], self.place + 1))
        return m
