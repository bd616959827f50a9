"""The host link: packets survive the line, and the receiver is in step again after any damage."""

from amaranth.hdl import Cat, Const, Mux, Signal, Value

from boards.gateware.link import HostLink
from boards.gateware.link_feeder import FrameFeeder
from boards.gateware.link_format import LinkFormat, Sent
from boards.gateware.link_receiver import PacketReceiver
from boards.gateware.link_sender import PacketSender
from boards.gateware.slip import Stuff, Unstuff
from boards.gateware.slots import Slots
from boards.host.protocol import END, HEADER, OVERHEAD, Type
from proofs.contract import Counted, Remembered, counter, held, moved, stuck
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

SENDING = ("wait", "read", "hold", "choose", "offer")
"""States of `PacketSender`, in order."""

HOLD, CHOOSE = SENDING.index("hold"), SENDING.index("choose")

FORM = LinkFormat(frame_bytes=1, answer_bytes=1, slots=4, info=b"")


def crc16(crc: Value, byte: Value) -> Value:
    """CRC-16 as docs/host.md states it, a bit at a time: polynomial 0x1021, highest bit first."""
    for place in reversed(range(8)):
        carry = crc[15] ^ byte[place]
        crc = Cat(Const(0, 1), crc[:15]) ^ Mux(carry, 0x1021, 0)
    return crc


def crc_register(h: Harness, end: Stuff | Unstuff) -> Signal:
    """The register of the CRC at an end of the line."""
    crc = h.inside(end, type(end).elaborate).crc
    return h.inside(crc, type(crc).elaborate).crc_reg


def line() -> str:
    """`Stuff` into `Unstuff`, with packets of any bytes and pauses anywhere."""
    h = Harness()
    stuff, unstuff = h.component(Stuff(), "stuff"), h.component(Unstuff(), "unstuff")
    go = h.free(1, "go")
    h.m.d.comb += [
        unstuff.i.payload.eq(stuff.o.payload),
        unstuff.i.valid.eq(stuff.o.valid & go),
        stuff.o.ready.eq(unstuff.i.ready & go),
    ]
    h.assume(held(h, stuff.i))
    h.check(held(h, stuff.o))
    h.check(held(h, unstuff.o))

    # An arbitrary byte of an arbitrary packet, and the packet's length.
    which, at = h.fixed(range(Counted.VECTORS), "which"), h.fixed(3, "at")
    entering, last = moved(stuff.i), stuff.i.payload.last
    sent, index = Signal(range(Counted.VECTORS)), Signal(4)
    with h.m.If(entering):
        h.m.d.sync += index.eq(Mux(last, 0, index + 1))
        h.m.d.sync += sent.eq(sent + last)
    byte = Remembered(h, entering & (sent == which) & (index == at), stuff.i.payload.data)
    length = Remembered(h, entering & (sent == which) & last, (index + 1)[:4])

    leaving, end = moved(unstuff.o), unstuff.o.payload.end
    received, place = Signal(range(Counted.VECTORS)), Signal(4)
    with h.m.If(leaving):
        h.m.d.sync += place.eq(Mux(end, 0, place + 1))
        h.m.d.sync += received.eq(received + (end & (place != 0)))
    with h.m.If(leaving & (received == which)):
        with h.m.If(end & (place != 0)):
            h.check(place == length.was + 2)
        with h.m.If(~end & (place == at) & ((sent != which) | (at < index) | (at < length.was))):
            h.check((unstuff.o.payload.data == byte.was) | ((sent != which) & (at >= length.was)))
    willing = go & unstuff.o.ready & stuff.i.valid
    stuck(h, willing, entering | leaving, 6)
    return h.rtlil()


def step() -> str:
    """The receiver after an END: as after reset, whatever the bytes before it were."""
    h = Harness()
    dut = h.component(PacketReceiver(FORM))
    inner = h.inside(dut, PacketReceiver.elaborate)
    unstuff = inner.unstuff
    packets = h.inside(unstuff, Unstuff.elaborate)
    crc = crc_register(h, unstuff)
    h.assume(held(h, dut.i))
    h.check(held(h, unstuff.o))
    ended = moved(unstuff.o) & unstuff.o.payload.end
    data = moved(unstuff.o) & ~unstuff.o.payload.end
    h.check(~h.past(data) | (crc == crc16(h.past(crc), h.past(unstuff.o.payload.data))))
    h.check(unstuff.right == (crc == 0))
    state = h.signal(dut, "receive_state")
    h.check(state <= 1)
    h.check(~h.past(ended) | ((inner.index == 0) & (crc == 0xFFFF)))
    h.check(~h.past(moved(dut.i) & (dut.i.payload == END)) | ~packets.escaped)
    # The verdict takes one cycle, and then the receiver is back where reset puts it.
    h.check(~(h.past(ended) & (h.past(inner.index) == 0)) | (state == 0))
    h.check(~h.past(state == 1) | (state == 0))
    h.check((state == 0) | (inner.index == 0))
    # It never waits for anything but the verdict.
    h.check(dut.i.ready | (state == 1))
    # One packet, one verdict: it is accepted, answered or refused once, when it ends.
    h.check(~(dut.refuse | dut.ask | dut.rewind) | (state == 1))
    h.check((dut.refuse + dut.ask + dut.rewind) <= 1)
    h.check(~h.begun | (dut.expected == h.past(dut.expected)) | h.past((state == 1) & ~dut.refuse & ~dut.ask))
    return h.rtlil()


def feeder() -> str:
    """Frames that are accepted at any time, at most `slots` ahead of the network, through the feeder.

    The environment: `expected` grows by one at a time, and the start of a frame stays while it is in its slot.
    """
    h = Harness()
    form = LinkFormat(frame_bytes=3, answer_bytes=1, slots=4, info=b"")
    dut = h.component(FrameFeeder(form))
    accepted, taken = dut.expected, dut.taken
    waiting = (accepted - taken)[:8]
    h.assume(Mux(h.begun, (accepted == h.past(accepted)) | (accepted == (h.past(accepted) + 1)[:8]), accepted == 0))
    h.assume(waiting <= form.slots)
    h.assume(dut.starts == h.past(dut.starts))
    state = h.signal(dut, "feed_state")
    index = counter(h, moved(dut.o), form.frame_bytes, "index")
    h.check(state <= 3)
    h.check((index < form.frame_bytes) & (dut.place == (index + form.frame_span[0])[: form.frame_bits]))
    h.check((state != 0) | (index == 0))
    h.check((state == 0) | (waiting != 0))
    h.check(held(h, dut.o))
    # A frame is over when its last word is taken, or when it is dropped, which begins none of it.
    over = (moved(dut.o) & (index == form.frame_bytes - 1)) | dut.skipped
    h.check(~h.begun | (taken == (h.past(taken) + h.past(over))[:8]))
    h.check(~dut.skipped | (dut.skip & ~dut.o.valid & (index == 0)))
    h.check(~dut.o.valid | (waiting != 0))
    # The word that is offered was read for its place, two cycles before at the latest.
    h.check((state != 3) | h.past(state == 3) | (h.inside(dut, FrameFeeder.elaborate).byte == h.past(dut.data)))
    # Each cycle in which the network takes is a step towards the next word.
    h.check(stuck(h, (waiting != 0) & dut.o.ready, moved(dut.o) | dut.skipped, 3) <= state)
    return h.rtlil()


def exactly_once() -> str:
    """The whole link, from bytes on the line to frames for the network, with any bytes and any answers.

    The decision on a packet is compared with what its bytes were, after escapes. One arbitrary byte of one arbitrary
    frame is followed through its slot, of which `slots` proves that it keeps what was written.
    """
    h = Harness()
    form = LinkFormat(frame_bytes=3, answer_bytes=1, slots=4, info=b"")
    dut = h.component(HostLink(form))
    link = h.inside(dut, HostLink.elaborate)
    receiver, feeder, slots = link.receiver, link.feeder, link.frames
    inner = h.inside(receiver, PacketReceiver.elaborate)
    packets, state = inner.unstuff, h.signal(dut, "receive_state")
    h.assume(held(h, dut.i))

    # A packet: its bytes, and whether its CRC is right.
    item, most = packets.o.payload, OVERHEAD + form.frame_bytes + 1
    data, ended = moved(packets.o) & ~item.end, moved(packets.o) & item.end
    count = Signal(range(most + 1), name="count")
    with h.m.If(ended | data):
        h.m.d.sync += count.eq(Mux(ended, 0, Mux(count == most, most, count + 1)))
    kind, sequence, low, high = (Remembered(h, data & (count == place), item.data).was for place in range(HEADER))
    right, length = (Remembered(h, ended, value).was for value in (packets.right, count))
    fits = Remembered(h, (state == 0) & (count == 0), (feeder.taken + form.slots)[:8] != receiver.expected)
    started = Signal(name="started")
    decided = state == 1
    good = right & (length == OVERHEAD + form.frame_bytes) & (low == form.frame_bytes) & (high == 0)
    good &= ((kind == Type.START) | ((kind == Type.FRAME) & started)) & (sequence == receiver.expected)
    accepted = decided & good & ~dut.loading & fits.was
    h.check(~h.begun | (receiver.expected == (h.past(receiver.expected) + h.past(accepted))[:8]))
    with h.m.If(accepted):
        h.m.d.sync += started.eq(1)

    # An arbitrary byte of an arbitrary frame, as the packet had it and as the network gets it.
    which, at = h.fixed(8, "which"), h.fixed(range(form.frame_bytes), "at")
    h.assume(at < form.frame_bytes)
    mine = accepted & (receiver.expected == which)
    byte = Remembered(h, data & (count == HEADER + at), item.data)
    wanted, begins = Remembered(h, mine, byte.was), Remembered(h, mine, kind == Type.START)
    index = counter(h, moved(feeder.o), form.frame_bytes, "index")
    leaving = moved(dut.frames) & (feeder.taken == which)
    h.check(~leaving | (dut.frames.payload.start == begins.was))
    h.check(~(leaving & (index == at)) | (dut.frames.payload.data == wanted.was))
    # No word without an accepted frame, and the next frame only after the last word of this one.
    waiting = (receiver.expected - feeder.taken)[:8]
    over = (moved(dut.frames) & (index == form.frame_bytes - 1)) | feeder.skipped
    h.check(~dut.frames.valid | (waiting != 0))
    h.check(~h.begun | (feeder.taken == (h.past(feeder.taken) + h.past(over))[:8]))
    h.check(held(h, dut.frames))

    # The slot keeps what was written last; a byte that is read while it is written may be anything.
    place = (form.frame_span[0] + at)[: form.frame_bits]
    writes = slots.write_enable & (slots.write_slot == which[:2]) & (slots.write_place == place)
    cell = Remembered(h, writes, slots.write_data)
    read = (slots.read_slot == which[:2]) & (slots.read_place == place)
    h.assume(~h.past(read & ~writes) | (slots.read_data == h.past(cell.was)))

    # How it works.
    fed, feeding = h.inside(feeder, FrameFeeder.elaborate), h.signal(dut, "feed_state")
    h.check((state <= 1) & (feeding <= 3) & (index < form.frame_bytes))
    h.check((inner.index == count) & (count <= most) & (~decided | (count == 0)))
    h.check((inner.begun == started) & (started | (receiver.expected == 0)))
    h.check((count == 0) | (inner.room == fits.was))
    h.check(~decided | (inner.room == fits.was))
    h.check((count < 1) | (inner.kind == kind))
    h.check((count < 2) | (inner.sequence == sequence))
    h.check(~decided | (length < 2) | ((inner.kind == kind) & (inner.sequence == sequence)))
    expected_length = Mux(kind == Type.IDENTIFY, 0, form.frame_bytes)
    h.check((count != 3) | (inner.whole == (low == expected_length)))
    h.check((count < 4) | (inner.whole == ((low == expected_length) & (high == 0))))
    h.check(~decided | (inner.right == right))
    whole = (low == expected_length) & (high == 0) & (length == OVERHEAD + expected_length)
    h.check(~decided | (length < HEADER) | (inner.whole == whole))
    h.check(~decided | (length >= HEADER) | ~inner.whole)
    h.check(~decided | (length < 2) | (inner.behind == (receiver.expected + ~sequence)[:8]))
    h.check((waiting <= form.slots) & ((feeding == 0) | (waiting != 0)))
    h.check((count == 0) | ~fits.was | (waiting != form.slots))
    h.check(~decided | ~fits.was | (waiting != form.slots))
    h.check((feeding != 0) | (index == 0))
    h.check(feeder.place == (index + form.frame_span[0])[: form.frame_bits])
    stored = (which - feeder.taken)[:8] < waiting
    h.check(~stored | (cell.was == wanted.was))
    h.check(~stored | (receiver.starts.bit_select(which[:2], 1) == begins.was))
    coming = fits.was & (receiver.expected == which) & ((count > HEADER + at) | (decided & (length > HEADER + at)))
    h.check(~coming | (cell.was == byte.was))
    h.check((feeding != 3) | (feeder.taken != which) | (index != at) | (fed.byte == wanted.was))
    return h.rtlil()


def failing() -> str:
    """The sender, with answers of any bytes, while the weights may fail at any time."""
    h = Harness()
    dut = h.component(PacketSender(FORM))
    inner, state = h.inside(dut, PacketSender.elaborate), h.signal(dut, "send_state")
    offer = inner.stuff.i
    failed = Remembered(h, state == HOLD, dut.failed)
    answers = offer.valid & (inner.kind == Sent.ANSWER) & (inner.place >= HEADER)
    h.check(state < len(SENDING))
    h.check(~answers | ~failed.was | (offer.payload.data == 0xFF))
    h.check(
        (state != CHOOSE) | ~failed.was | (inner.kind != Sent.ANSWER) | (inner.place < HEADER) | (inner.stored == 0xFF)
    )
    h.check(held(h, offer))
    return h.rtlil()


def slots() -> str:
    """An arbitrary byte of the slots, unless it is read while it is written."""
    h = Harness()
    dut = h.component(Slots(4, 2))
    which, place = h.fixed(2, "which"), h.fixed(2, "place")
    writes = dut.write_enable & (dut.write_slot == which) & (dut.write_place == place)
    cell = Remembered(h, writes, dut.write_data)
    reads = (dut.read_slot == which) & (dut.read_place == place)
    h.check(~h.past(reads & ~writes) | (dut.read_data == h.past(cell.was)))
    return h.rtlil()


PROOFS = (
    Proof(
        "link-feeder",
        "Each accepted frame reaches the network once, whole, in order: no word without an accepted frame, the next "
        "frame only after the last word; a failed load drops whole frames; the network waits three cycles at most.",
        "boards/gateware/link_feeder.py",
        feeder,
        "induction",
        7,
        (
            Mutant(FrameFeeder.elaborate, "self.form.frame_span[1]", "self.form.frame_span[1] - 1"),
            Mutant(FrameFeeder.elaborate, "self.taken != self.expected", "self.taken == self.expected"),
            Mutant(FrameFeeder.elaborate, "with m.If(ready):", "with m.If(1):"),
        ),
    ),
    Proof(
        "link-step",
        "After any bytes, an END puts the receiver where reset puts it: no escape, no index, the CRC at its beginning; "
        "the CRC is that of the packet's bytes, and right if it is 0 at the end; a packet gets one verdict, and only "
        "that changes which frame is expected; only a verdict makes the line wait.",
        "boards/gateware/link_receiver.py",
        step,
        "induction",
        3,
        (
            Mutant(
                Unstuff.elaborate,
                "crc.start.eq(self.o.valid & self.o.ready & self.o.payload.end)",
                "crc.start.eq(self.o.valid & self.o.ready & self.o.payload.end & ~self.i.valid)",
            ),
            Mutant(Unstuff.elaborate, "escaped.eq(byte == ESC)", "escaped.eq(escaped | (byte == ESC))"),
            Mutant(PacketReceiver.elaborate, "index.eq(0)]", "index.eq(room)]"),
        ),
    ),
    Proof(
        "link-failed",
        "Once the weights have failed, every byte of every answer is 0xFF, from the next byte that is read on.",
        "boards/gateware/link_sender.py",
        failing,
        "induction",
        3,
        (Mutant(PacketSender.elaborate, "self.data | self.failed.replicate(8)", "self.data | self.failed"),),
    ),
    Proof(
        "slots",
        "A byte that is read is the one that was written there last, unless one is written there in the same cycle.",
        "boards/gateware/slots.py",
        slots,
        "bounded",
        10,
        (Mutant(Slots.elaborate, "Cat(self.read_place, self.read_slot)", "Cat(self.read_slot, self.read_place)"),),
    ),
    Proof(
        "link-exactly-once",
        "Whatever the bytes on the line: a packet is accepted if and only if its CRC is right, it is a frame of the "
        "right length and the next in sequence, the first one a START, the weights are there and a slot was free; each "
        "accepted frame reaches the network once, whole, in order, with its own bytes and start (frames of 3 bytes).",
        "boards/gateware/link.py",
        exactly_once,
        "induction",
        3,
        (
            Mutant(PacketReceiver.elaborate, "(behind == 255) & room", "room"),
            Mutant(HostLink.elaborate, "store.write_place.eq(writer.place)", "store.write_place.eq(writer.place + 1)"),
            Mutant(PacketReceiver.elaborate, "whole & (item.data == length[8:])", "item.data == length[8:]"),
            Mutant(PacketReceiver.elaborate, "with m.If(~right):", "with m.If(0):"),
        ),
        reach=20,
    ),
    Proof(
        "slip",
        "Every byte of every packet comes back from the line as it was, in order, with two more for the CRC and one "
        "end; what is offered stays until it is taken; willing ends never wait more than six cycles.",
        "boards/gateware/slip.py",
        line,
        "bounded",
        13,
        (
            Mutant(Stuff.elaborate, "Mux(special, ESC, byte)", "byte"),
            Mutant(Unstuff.elaborate, "~self.o.valid | self.o.ready", "1"),
            Mutant(Stuff.elaborate, "tail.eq(tail - 1)", "tail.eq(Mux(tail == 3, 1, tail - 1))"),
        ),
        reach=13,
    ),
)
