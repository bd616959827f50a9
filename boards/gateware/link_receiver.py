"""The receiving end of the host link: writes payloads into slots and accepts or refuses each packet."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from boards.gateware.link_format import LinkFormat
from boards.gateware.slip import Unstuff
from boards.host.protocol import HEADER, OVERHEAD, Reason, Type

__all__ = ["PacketReceiver"]


class PacketReceiver(wiring.Component):
    """Write each payload into the next free slot as it arrives; at its end, accept it or refuse it.

    Only an accepted frame advances `expected`. Otherwise the next payload overwrites the slot.
    Throughput: one byte per cycle, and one more cycle per packet.

    Members
    -------
    i : In(stream of 8 bits), from the host
    place, data, enable : Out, the byte of the payload to write into slot `expected`, at `form.frame_span`
    taken : In(8), sequence of the next frame that leaves its slot
    to_send : In(8), sequence of the next answer to send
    loading : In(1), frames are refused
    loadable : In(1), only with `form.blocks`: blocks of weights are accepted
    storing : In(1), only with `form.blocks`: the last block is still in its slot
    store, first : Out(1), only with `form.blocks`, pulse: slot `expected` has the next block of weights; the first one
    blocks : Out(16), blocks of an image accepted, up to all; then another image may begin
    expected : Out(8), sequence of the next frame to accept
    starts : Out(slots), 1 for each slot whose frame begins an utterance
    passed : Out(slots), only with `form.bypass`: 1 for each slot whose frame is to pass unchanged
    ask : Out(1), pulse: the host asks for an INFO packet
    refuse, reason : Out, pulse: a packet is refused, and why
    rewind, rewind_to : Out, pulse: send the answers from this sequence on again
    overrun : Out(1), a frame found no free slot; stays until reset
    overruns, refused : Out(8), counts since reset; saturate at 255
    """

    def __init__(self, form: LinkFormat) -> None:
        self.form = form
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "place": Out(form.frame_bits),
                "data": Out(8),
                "enable": Out(1),
                "taken": In(8),
                "to_send": In(8),
                "loading": In(1),
                "expected": Out(8),
                "starts": Out(form.slots),
                **({"passed": Out(form.slots)} if form.bypass else {}),
                **(dict.fromkeys(("loadable", "storing"), In(1)) if form.blocks else {}),
                **(dict.fromkeys(("store", "first"), Out(1)) if form.blocks else {}),
                "blocks": Out(16),
                "ask": Out(1),
                "refuse": Out(1),
                "reason": Out(range(max(Reason) + 1)),
                "rewind": Out(1),
                "rewind_to": Out(8),
                "overrun": Out(1),
                "overruns": Out(8),
                "refused": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form = self.form
        m.submodules.unstuff = unstuff = Unstuff()
        wiring.connect(m, wiring.flipped(self.i), unstuff.i)
        item = unstuff.o.payload
        index = Signal(range(OVERHEAD + form.frame_bytes + 2))  # stays at its last value in a packet that is too long
        kind, sequence = Signal(8), Signal(8)
        capital = Cat(kind[:5], Const(0), kind[6:]) if form.bypass else kind  # s and S differ in bit 5
        identify, start, follows = kind == Type.IDENTIFY, capital == Type.START, capital == Type.FRAME
        weights = (kind == Type.WEIGHTS) if form.blocks else Const(0)
        length = Signal(16)
        m.d.comb += length.eq(Mux(identify, 0, form.frame_bytes))
        right, whole, room, begun = Signal(), Signal(), Signal(), Signal()
        behind, unsent = Signal(8), Signal(8)
        m.d.sync += [
            behind.eq(self.expected + ~sequence),  # 0 for the last frame that was accepted, -1 for the next
            unsent.eq(self.to_send + ~sequence),  # 0 for the last answer that was sent, negative for those to come
        ]
        m.d.comb += [
            self.place.eq(index),
            self.data.eq(item.data),
            self.enable.eq(unstuff.o.valid & room & (index >= HEADER) & (index < HEADER + form.frame_bytes)),
            self.rewind_to.eq(sequence),
        ]

        def refuse(reason: Reason) -> None:
            m.d.comb += [self.refuse.eq(1), self.reason.eq(reason)]

        with m.If(self.refuse & (self.refused != 255)):
            m.d.sync += self.refused.eq(self.refused + 1)

        with m.FSM(name="receive"):
            with m.State("packet"):
                m.d.comb += unstuff.o.ready.eq(1)
                # Decided once a packet: all of its payload is written, or nothing.
                with m.If(index == 0):
                    m.d.sync += room.eq((self.expected - self.taken)[:8] != form.slots)
                    if form.blocks:
                        with m.If(self.storing):
                            m.d.sync += room.eq(0)
                with m.If(unstuff.o.valid & ~item.end):
                    with m.If(index != OVERHEAD + form.frame_bytes + 1):
                        m.d.sync += index.eq(index + 1)
                    with m.Switch(index):
                        with m.Case(0):
                            m.d.sync += kind.eq(item.data)
                        with m.Case(1):
                            m.d.sync += sequence.eq(item.data)
                        with m.Case(2):
                            m.d.sync += whole.eq(item.data == length[:8])
                        with m.Case(3):
                            m.d.sync += whole.eq(whole & (item.data == length[8:]))
                with m.If(unstuff.o.valid & item.end & (index != 0)):
                    m.d.sync += [right.eq(unstuff.right), whole.eq(whole & (index == OVERHEAD + length)), index.eq(0)]
                    m.next = "verdict"
            with m.State("verdict"):
                m.next = "packet"
                with m.If(~right):
                    refuse(Reason.CRC)
                with m.Elif(~(identify | start | follows | weights)):
                    refuse(Reason.TYPE)
                with m.Elif(~whole):
                    refuse(Reason.LENGTH)
                with m.Elif(identify):
                    m.d.comb += self.ask.eq(1)
                with m.Elif(weights):
                    if form.blocks:
                        self._store(m, sequence, room)
                with m.Elif(self.loading):
                    refuse(Reason.NOT_READY)
                with m.Elif(~begun & ~start):
                    refuse(Reason.NO_START)
                with m.Elif((behind == 255) & room):
                    slot = self.expected[: exact_log2(form.slots)]
                    m.d.sync += [
                        self.expected.eq(self.expected + 1),
                        self.starts.bit_select(slot, 1).eq(start),
                        begun.eq(1),
                    ]
                    if form.bypass:
                        m.d.sync += self.passed.bit_select(slot, 1).eq(kind[5])
                with m.Elif(behind == 255):
                    refuse(Reason.FULL)
                    m.d.sync += self.overrun.eq(1)
                    with m.If(self.overruns != 255):
                        m.d.sync += self.overruns.eq(self.overruns + 1)
                with m.Elif((behind < form.slots) & begun):
                    m.d.comb += self.rewind.eq(~unsent[7])
                with m.Else():
                    refuse(Reason.ORDER)
        return m

    def _store(self, m: Module, sequence: Signal, room: Signal) -> None:
        """Accept the next block of weights. Others are dropped: the host asks how many were accepted."""
        place = Signal(16)
        m.d.comb += [place.eq(Mux(self.blocks == self.form.blocks, 0, self.blocks)), self.first.eq(place == 0)]
        with m.If(room & self.loadable & (sequence == place[:8])):
            m.d.comb += self.store.eq(1)
            m.d.sync += self.blocks.eq(place + 1)
