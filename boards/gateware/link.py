"""The board's end of the protocol (docs/host.md): frames of bytes in, answers out, each frame exactly once.

The network behind it is recurrent, so it must see each frame once, in order, and complete. The payload of a packet is
written into a slot as it arrives. If the packet is right, the slot is passed on and the next payload goes into the next
slot; if not, the next payload overwrites it. Answers stay in as many slots: if a frame comes again because its answer
was lost, the stored answer is sent.
"""

from amaranth.hdl import Module, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from boards.gateware.flash import ImageByte
from boards.gateware.link_collector import AnswerCollector
from boards.gateware.link_feeder import FrameFeeder
from boards.gateware.link_format import LinkFormat
from boards.gateware.link_receiver import PacketReceiver
from boards.gateware.link_sender import PacketSender
from boards.gateware.slots import Slots
from hw.gateware.streams import Word

__all__ = ["HostLink"]


class HostLink(wiring.Component):
    """Receiver -> frame slots -> feeder -> (network or denoiser) -> collector -> answer slots -> sender.

    Each part counts frames by their 8-bit sequence: the receiver has `expected`, the next one to come in; the feeder
    `taken`, the next to go to the network; the collector `done`, the next whose answer comes back; the sender
    `to_send`, the next whose answer goes to the host. A host has at most `slots` unanswered frames, so none of the four
    lags further behind.

    Throughput: one byte per cycle in, and a cycle for each packet; one per four cycles out; one per three cycles to
    the network. Cost: about 480 LUT4 and 220 flip-flops.
    Memory: `slots` frames and as many answers, each rounded up to a power of two bytes, and a ROM of 128 bytes.

    Members
    -------
    i : In(stream of 8 bits), from the host; o : Out(stream of 8 bits), to the host
    frames : Out(stream of Word(8)), `frame_bytes` for each frame
    answers : In(stream of Word(8)), `answer_bytes` for each frame
    passed : Out(slots), only with `form.bypass`: 1 for each slot whose frame is to pass unchanged; frame n is in slot n
        modulo `slots`
    loading : In(1), the weights are not loaded yet: frames are refused
    failed : In(1), the weights can't be used: frames are dropped, all bytes of every answer are 0xFF
    overrun : Out(1), a frame came without room for it; stays until reset
    image : Out(stream of ImageByte), only with `form.blocks`: bytes of weights from the host
    loadable : In(1), only with `form.blocks`: they are accepted
    """

    def __init__(self, form: LinkFormat) -> None:
        self.form = form
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "frames": Out(stream.Signature(Word(8))),
                "answers": In(stream.Signature(Word(8))),
                **({"passed": Out(form.slots)} if form.bypass else {}),
                "loading": In(1),
                "failed": In(1),
                "overrun": Out(1),
                **({"image": Out(stream.Signature(ImageByte())), "loadable": In(1)} if form.blocks else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form = self.form
        m.submodules.receiver = receiver = PacketReceiver(form)
        m.submodules.feeder = feeder = FrameFeeder(form)
        m.submodules.collector = collector = AnswerCollector(form)
        m.submodules.sender = sender = PacketSender(form)
        # The feeder reads one slot while the next packet goes into another, or nowhere.
        m.submodules.frame_slots = frames = Slots(form.slots, form.frame_bits)
        # An answer is overwritten only by that of a frame the host sent after it had this one.
        m.submodules.answer_slots = answers = Slots(form.slots, form.answer_bits)
        wiring.connect(m, wiring.flipped(self.i), receiver.i)
        wiring.connect(m, feeder.o, wiring.flipped(self.frames))
        wiring.connect(m, wiring.flipped(self.answers), collector.i)
        wiring.connect(m, sender.o, wiring.flipped(self.o))

        def slot(sequence: Value) -> Value:
            return sequence[: exact_log2(form.slots)]

        for store, writer, sequence in ((frames, receiver, receiver.expected), (answers, collector, collector.done)):
            m.d.comb += [
                store.write_slot.eq(slot(sequence)),
                store.write_place.eq(writer.place),
                store.write_data.eq(writer.data),
                store.write_enable.eq(writer.enable),
            ]
        for store, reader, sequence in ((frames, feeder, feeder.taken), (answers, sender, sender.slot)):
            m.d.comb += [
                store.read_slot.eq(slot(sequence)),
                store.read_place.eq(reader.place),
                reader.data.eq(store.read_data),
            ]
        m.d.comb += [
            receiver.loading.eq(self.loading),
            receiver.taken.eq(feeder.taken),
            receiver.to_send.eq(sender.to_send),
            feeder.expected.eq(receiver.expected),
            feeder.starts.eq(receiver.starts),
            feeder.skip.eq(self.failed),
            collector.skipped.eq(feeder.skipped),
            sender.done.eq(collector.done),
            sender.loading.eq(self.loading),
            sender.failed.eq(self.failed),
            self.overrun.eq(receiver.overrun),
        ]
        if form.bypass:
            m.d.comb += self.passed.eq(receiver.passed)
        if form.blocks:
            wiring.connect(m, feeder.image, wiring.flipped(self.image))
            m.d.comb += [
                receiver.loadable.eq(self.loadable),
                receiver.storing.eq(feeder.storing),
                feeder.store.eq(receiver.store),
                feeder.first.eq(receiver.first),
            ]
        names = ("ask", "refuse", "reason", "rewind", "rewind_to", "expected", "overruns", "refused", "blocks")
        for name in names:
            m.d.comb += getattr(sender, name).eq(getattr(receiver, name))
        return m
