"""The board's end of the protocol (docs/host.md): a network behind two byte streams.

The network is recurrent, so each frame must reach it exactly once, and only when it came whole. A packet is written
into a slot of a buffer as it comes; when it ends and all of it is right, the slot is the network's, and the next packet
goes to the next slot; if not, the next packet is written over it. Masks are kept in as many slots, so that a frame that
comes again, because its mask was lost, is answered from there.
"""

import struct
from dataclasses import dataclass
from enum import IntEnum

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import memory, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from boards.gateware.slip import Stuff, Unstuff
from boards.host.protocol import HEADER, OVERHEAD, VERSION, Info, Reason, State, Type
from hw.gateware.memory import ram, read
from hw.gateware.network import Network
from hw.shape.family import Family
from hw.shape.ram_mapping import mapped
from hw.shape.words import words

__all__ = ["HostLink", "Slots", "packets"]

MOST_SLOTS, FEWEST_SLOTS = 8, 4
"""Frames on the way at once: with four, a USB that answers after 20 ms still lets 200 frames/s through."""

AREA = 32
INFO_BYTES = struct.calcsize(Info.FORMAT)


class Kind(IntEnum):
    """The packets that a board sends; also where each is in the ROM, in `AREA`s."""

    INFO = 0
    MASK = 1
    REFUSAL = 2


@dataclass(frozen=True)
class Slots:
    """Where frames and masks wait: how many of each, and address bits within one."""

    count: int
    frame_bits: int
    mask_bits: int

    @classmethod
    def of(cls, family: Family, features: int, bins: int) -> "Slots":
        """As many as a block RAM has room for."""
        # A slot holds a whole packet, and two bytes behind it for what is too long.
        frame_bits = ceil_log2(OVERHEAD + words(features, 8) + 2)
        block_bytes = max(words for words, bits in family.block_ram.items() if bits >= 8)
        count = max(FEWEST_SLOTS, min(MOST_SLOTS, block_bytes >> frame_bits))
        return cls(count, frame_bits, ceil_log2(HEADER + words(bins, 8)))

    def block_rams(self, family: Family) -> int:
        """How many a link takes with them, its ROM included."""
        memories = [mapped(family.name, 8, self.count << bits) for bits in (self.frame_bits, self.mask_bits)]
        return 1 + sum(memory.cells for memory in memories if memory.resource == "block_ram")


def packets(identity: bytes, family: Family, features: int, bins: int) -> list[int]:
    """What is fixed of the packets that are sent: `AREA` bytes for each `Kind`.

    The fourth area is never read. Its 0xFF keeps Yosys from taking out bits that are 0 in all the rest, which another
    bundle's identity may need.
    """
    fixed = struct.pack("<B8sHHB", VERSION, identity, features, bins, Slots.of(family, features, bins).count)
    sent = [
        struct.pack("<BBH", Type.INFO, 0, INFO_BYTES) + fixed,
        struct.pack("<BBH", Type.MASK, 0, words(bins, 8)),
        struct.pack("<BBH", Type.REFUSAL, 0, 1),
        b"\xff",
    ]
    return [byte for packet in sent for byte in packet.ljust(AREA, b"\0")]


class HostLink(wiring.Component):
    """A network (8 bits wide at both ends) behind two byte streams that speak the protocol.

    Frames are counted: `expected` is the sequence of the next one that comes in, `taken` of the next one that goes to
    the network, `done` of the next one that comes out, `to_send` of the next one that is sent. A host has at most
    `slots` frames of which it hasn't the mask, so that none of them is further behind.

    What is fixed of the packets that are sent is in a ROM in block RAM, the bundle's identity too, so that another
    bundle's can be written into a finished bitstream; `packets` has its contents.

    Throughput: one byte per cycle in and a cycle for each packet, one per four cycles out, one per three cycles to the
    network. Cost: about 480 LUT4 and 220 flip-flops beside the network.
    Memory: `slots` frames and as many masks, each filled up to a power of two, and a ROM of 128 bytes.

    Members
    -------
    i : In(stream of 8 bits), from the host; o : Out(stream of 8 bits), to the host
    loading : In(1), the weights are not there yet: frames are refused
    failed : In(1), the weights can't be used: the network is not asked, every mask is all ones
    overrun : Out(1), a frame came for which there was no room; stays until reset
    """

    def __init__(self, network: Network, identity: bytes) -> None:
        assert network.in_width == network.out_width == 8
        self.network, self.identity = network, identity
        self.features, self.bins = network.bundle.layers[0].inputs, network.bundle.layers[-1].units
        self.frame_bytes, self.mask_bytes = words(self.features, 8), words(self.bins, 8)
        slots = Slots.of(network.family, self.features, self.bins)
        self.slots, self.frame_bits, self.mask_bits = slots.count, slots.frame_bits, slots.mask_bits
        super().__init__(
            {
                "i": In(stream.Signature(8)),
                "o": Out(stream.Signature(8)),
                "loading": In(1),
                "failed": In(1),
                "overrun": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.network = self.network
        # The network takes from one slot, the next packet comes into another, or nowhere.
        m.submodules.frames = frames = ram(8, self.slots << self.frame_bits)
        # Only of a frame whose mask the host has may the mask be sent while another is written over it.
        m.submodules.masks = masks = ram(8, self.slots << self.mask_bits)
        counts = Counts(self.slots)
        self._send(m, counts, masks)
        self._feed(m, counts, frames)
        self._collect(m, counts, masks)
        self._receive(m, counts, frames)
        return m

    def _slot(self, sequence: Value) -> Value:
        return sequence[: ceil_log2(self.slots)]

    def _receive(self, m: Module, counts: "Counts", frames: memory.Memory) -> None:
        """Packets into slots; at the end of each, decide what becomes of it."""
        m.submodules.unstuff = unstuff = Unstuff()
        wiring.connect(m, wiring.flipped(self.i), unstuff.i)
        item = unstuff.o.payload
        index = Signal(range(OVERHEAD + self.frame_bytes + 2))  # stays at the last for what is too long
        kind, sequence = Signal(8), Signal(8)
        identify, start, follows = (kind == which for which in (Type.IDENTIFY, Type.START, Type.FRAME))
        length = Signal(16)
        m.d.comb += length.eq(Mux(identify, 0, self.frame_bytes))
        right, whole, room, begun = Signal(), Signal(), Signal(), Signal()
        behind, unsent = Signal(8), Signal(8)
        m.d.sync += [
            behind.eq(counts.expected + ~sequence),  # 0 for the last frame that was accepted, -1 for the next
            unsent.eq(counts.to_send + ~sequence),  # 0 for the last mask that was sent, negative for those to come
        ]
        write = frames.write_port()
        m.d.comb += [
            write.addr.eq(Cat(index, self._slot(counts.expected))),
            write.data.eq(item.data),
            write.en.eq(unstuff.o.valid & room),
        ]

        def refuse(reason: Reason) -> None:
            m.d.sync += counts.reason.eq(reason)
            with m.If(counts.refused != 255):
                m.d.sync += counts.refused.eq(counts.refused + 1)

        with m.FSM(name="receive"):
            with m.State("packet"):
                m.d.comb += unstuff.o.ready.eq(1)
                with m.If(index == 0):  # all of a packet is written, or nothing but its first byte, which nobody reads
                    m.d.sync += room.eq((counts.expected - counts.taken)[:8] != self.slots)
                with m.If(unstuff.o.valid & ~item.end):
                    with m.If(index != OVERHEAD + self.frame_bytes + 1):
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
                with m.Elif(~(identify | start | follows)):
                    refuse(Reason.TYPE)
                with m.Elif(~whole):
                    refuse(Reason.LENGTH)
                with m.Elif(identify):
                    m.d.sync += counts.asked.eq(1)
                with m.Elif(self.loading):
                    refuse(Reason.NOT_READY)
                with m.Elif(~begun & ~start):
                    refuse(Reason.NO_START)
                with m.Elif((behind == 255) & room):
                    m.d.sync += [
                        counts.expected.eq(counts.expected + 1),
                        counts.starts.bit_select(self._slot(counts.expected), 1).eq(start),
                        begun.eq(1),
                    ]
                with m.Elif(behind == 255):
                    refuse(Reason.FULL)
                    m.d.sync += self.overrun.eq(1)
                    with m.If(counts.overruns != 255):
                        m.d.sync += counts.overruns.eq(counts.overruns + 1)
                with m.Elif((behind < self.slots) & begun):
                    with m.If(~unsent[7]):
                        m.d.sync += counts.to_send.eq(sequence)
                with m.Else():
                    refuse(Reason.ORDER)

    def _feed(self, m: Module, counts: "Counts", frames: memory.Memory) -> None:
        """Accepted frames to the network."""
        place, byte = Signal(self.frame_bits, init=HEADER), Signal(8)
        stored = read(m, frames, Cat(place, self._slot(counts.taken)))
        network = self.network.i
        m.d.comb += [
            network.payload.data.eq(byte),
            network.payload.start.eq(counts.starts.bit_select(self._slot(counts.taken), 1)),
        ]
        with m.FSM(name="feed"):
            with m.State("wait"):
                with m.If(counts.taken != counts.expected):
                    with m.If(self.failed):
                        m.d.sync += [counts.taken.eq(counts.taken + 1), counts.done.eq(counts.done + 1)]
                    with m.Else():
                        m.next = "read"
            with m.State("read"):
                m.next = "hold"
            with m.State("hold"):
                m.d.sync += byte.eq(stored)
                m.next = "offer"
            with m.State("offer"):
                m.d.comb += network.valid.eq(1)
                with m.If(network.ready):
                    m.d.sync += place.eq(place + 1)
                    m.next = "read"
                    with m.If(place == HEADER + self.frame_bytes - 1):
                        m.d.sync += [place.eq(HEADER), counts.taken.eq(counts.taken + 1)]
                        m.next = "wait"

    def _collect(self, m: Module, counts: "Counts", masks: memory.Memory) -> None:
        """Masks from the network into their slots, each behind the place of a header."""
        place = Signal(self.mask_bits, init=HEADER)
        write, network = masks.write_port(), self.network.o
        m.d.comb += [
            network.ready.eq(1),
            write.addr.eq(Cat(place, self._slot(counts.done))),
            write.data.eq(network.payload.data),
            write.en.eq(network.valid),
        ]
        with m.If(network.valid):
            m.d.sync += place.eq(place + 1)
            with m.If(place == HEADER + self.mask_bytes - 1):
                m.d.sync += [place.eq(HEADER), counts.done.eq(counts.done + 1)]

    def _send(self, m: Module, counts: "Counts", masks: memory.Memory) -> None:
        """An info or a refusal where one is due, then masks in order."""
        m.submodules.stuff = stuff = Stuff()
        wiring.connect(m, stuff.o, wiring.flipped(self.o))
        rom = packets(self.identity, self.network.family, self.features, self.bins)
        m.submodules.fixed = fixed = ram(8, 4 * AREA, rom, ram_style="block")
        kind, sequence, why = Signal(Kind), Signal(8), Signal.like(counts.reason)
        place = Signal(range(max(AREA, HEADER + self.mask_bytes)))
        from_rom = read(m, fixed, Cat(place[: ceil_log2(AREA)], kind))
        from_masks = read(m, masks, Cat(place[: self.mask_bits], self._slot(sequence)))
        stored, state = Signal(8), Mux(self.loading, State.LOADING, Mux(self.failed, State.FAILED, State.READY))
        with m.FSM(name="send"):
            with m.State("wait"):
                m.d.sync += [place.eq(0), sequence.eq(counts.expected)]
                m.next = "read"
                with m.If(counts.asked):
                    m.d.sync += [kind.eq(Kind.INFO), counts.asked.eq(0)]
                with m.Elif(counts.reason != 0):
                    m.d.sync += [kind.eq(Kind.REFUSAL), why.eq(counts.reason), counts.reason.eq(0)]
                with m.Elif(counts.to_send != counts.done):
                    # It moves on now, so that it can be put back while the mask is being sent.
                    m.d.sync += [kind.eq(Kind.MASK), sequence.eq(counts.to_send), counts.to_send.eq(counts.to_send + 1)]
                with m.Else():
                    m.next = "wait"
            with m.State("read"):
                m.next = "hold"
            with m.State("hold"):
                mask = from_masks | self.failed.replicate(8)
                m.d.sync += stored.eq(Mux((kind == Kind.MASK) & (place >= HEADER), mask, from_rom))
                m.next = "choose"
            with m.State("choose"):
                m.d.sync += stuff.i.payload.data.eq(stored)
                with m.If(place == 1):
                    m.d.sync += stuff.i.payload.data.eq(sequence)
                with m.Switch(kind):
                    with m.Case(Kind.INFO):
                        first = HEADER + INFO_BYTES - 3
                        for offset, value in enumerate((state, counts.overruns, counts.refused)):
                            with m.If(place == first + offset):
                                m.d.sync += stuff.i.payload.data.eq(value)
                        m.d.sync += stuff.i.payload.last.eq(place == first + 2)
                    with m.Case(Kind.REFUSAL):
                        with m.If(place == HEADER):
                            m.d.sync += stuff.i.payload.data.eq(why)
                        m.d.sync += stuff.i.payload.last.eq(place == HEADER)
                    with m.Case(Kind.MASK):
                        m.d.sync += stuff.i.payload.last.eq(place == HEADER + self.mask_bytes - 1)
                m.next = "offer"
            with m.State("offer"):
                m.d.comb += stuff.i.valid.eq(1)
                with m.If(stuff.i.ready):
                    m.d.sync += place.eq(place + 1)
                    m.next = "read"
                    with m.If(stuff.i.payload.last):
                        m.next = "wait"


class Counts:
    """What the parts of a `HostLink` tell each other, all of it in registers.

    expected, taken, done, to_send : sequence of the next frame that comes in, that goes to the network, whose mask
    comes out, whose mask is sent
    starts : which of the frames in the slots begin an utterance
    asked, reason : an info is due; a refusal is, for this reason (0: none)
    overruns, refused : as `Info` has them
    """

    def __init__(self, slots: int) -> None:
        self.expected, self.taken = Signal(8, name="expected"), Signal(8, name="taken")
        self.done, self.to_send = Signal(8, name="done"), Signal(8, name="to_send")
        self.starts = Signal(slots, name="starts")
        self.asked, self.reason = Signal(name="asked"), Signal(range(max(Reason) + 1), name="reason")
        self.overruns, self.refused = Signal(8, name="overruns"), Signal(8, name="refused")
