"""The sending end of the host link: answers as packets on the line."""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from boards.gateware.link_format import AREA, LinkFormat, Sent
from boards.gateware.slip import Stuff
from boards.host.protocol import HEADER, Reason, State
from hw.gateware.memory import ram, read

__all__ = ["PacketSender"]


class PacketSender(wiring.Component):
    """Send an INFO or a REFUSAL if one is due, otherwise answers in order.

    A ROM holds the constant bytes of the packets and the bundle's identity (`LinkFormat.rom_style`).
    Throughput: one byte per four cycles. Memory: a ROM of 128 bytes.

    Members
    -------
    ask, refuse, reason, rewind, rewind_to, expected, overruns, refused, blocks : In, from `PacketReceiver`
    done : In(8), from `AnswerCollector`
    loading, failed : In(1), the state of the weights; while `failed`, all bytes of an answer are 0xFF
    slot : Out(8), sequence whose slot is read; place : Out, of the byte in it; data : In(8), that byte a cycle later
    to_send : Out(8), sequence of the next answer to send
    o : Out(stream of 8 bits), to the host
    """

    def __init__(self, form: LinkFormat) -> None:
        self.form = form
        super().__init__(
            {
                "ask": In(1),
                "refuse": In(1),
                "reason": In(range(max(Reason) + 1)),
                "rewind": In(1),
                "rewind_to": In(8),
                "expected": In(8),
                "overruns": In(8),
                "refused": In(8),
                "blocks": In(16),
                "done": In(8),
                "loading": In(1),
                "failed": In(1),
                "slot": Out(8),
                "place": Out(form.answer_bits),
                "data": In(8),
                "to_send": Out(8),
                "o": Out(stream.Signature(8)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.stuff = stuff = Stuff()
        wiring.connect(m, stuff.o, wiring.flipped(self.o))
        m.submodules.fixed = fixed = ram(8, 4 * AREA, self.form.rom, ram_style=self.form.rom_style)
        asked, due = Signal(), Signal.like(self.reason)  # of the refusal that is due; 0 is none
        kind, sequence, why = Signal(Sent), Signal(8), Signal.like(due)
        place = Signal(range(max(AREA, HEADER + self.form.answer_bytes)))
        from_rom = read(m, fixed, Cat(place[: ceil_log2(AREA)], kind))
        m.d.comb += [self.slot.eq(sequence), self.place.eq(place)]
        stored, state = Signal(8), Mux(self.loading, State.LOADING, Mux(self.failed, State.FAILED, State.READY))
        with m.FSM(name="send"):
            with m.State("wait"):
                m.d.sync += [place.eq(0), sequence.eq(self.expected)]
                m.next = "read"
                with m.If(asked):
                    m.d.sync += [kind.eq(Sent.INFO), asked.eq(0)]
                with m.Elif(due != 0):
                    m.d.sync += [kind.eq(Sent.REFUSAL), why.eq(due), due.eq(0)]
                with m.Elif(self.to_send != self.done):
                    # It increments now, so a rewind takes effect while the answer is being sent.
                    m.d.sync += [kind.eq(Sent.ANSWER), sequence.eq(self.to_send), self.to_send.eq(self.to_send + 1)]
                with m.Else():
                    m.next = "wait"
            with m.State("read"):
                m.next = "hold"
            with m.State("hold"):
                answer = self.data | self.failed.replicate(8)
                m.d.sync += stored.eq(Mux((kind == Sent.ANSWER) & (place >= HEADER), answer, from_rom))
                m.next = "choose"
            with m.State("choose"):
                m.d.sync += stuff.i.payload.data.eq(stored)
                with m.If(place == 1):
                    m.d.sync += stuff.i.payload.data.eq(sequence)
                with m.Switch(kind):
                    with m.Case(Sent.INFO):
                        first = HEADER + len(self.form.info)
                        status = (state, self.overruns, self.refused, self.blocks[:8], self.blocks[8:])
                        for offset, value in enumerate(status):
                            with m.If(place == first + offset):
                                m.d.sync += stuff.i.payload.data.eq(value)
                        m.d.sync += stuff.i.payload.last.eq(place == first + len(status) - 1)
                    with m.Case(Sent.REFUSAL):
                        with m.If(place == HEADER):
                            m.d.sync += stuff.i.payload.data.eq(why)
                        m.d.sync += stuff.i.payload.last.eq(place == HEADER)
                    with m.Case(Sent.ANSWER):
                        m.d.sync += stuff.i.payload.last.eq(place == HEADER + self.form.answer_bytes - 1)
                m.next = "offer"
            with m.State("offer"):
                m.d.comb += stuff.i.valid.eq(1)
                with m.If(stuff.i.ready):
                    m.d.sync += place.eq(place + 1)
                    m.next = "read"
                    with m.If(stuff.i.payload.last):
                        m.next = "wait"
        # After the state machine, so a request in the cycle that takes the last one is kept.
        with m.If(self.ask):
            m.d.sync += asked.eq(1)
        with m.If(self.refuse):
            m.d.sync += due.eq(self.reason)
        with m.If(self.rewind):
            m.d.sync += self.to_send.eq(self.rewind_to)
        return m
