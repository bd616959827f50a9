"""One layer's weights on their way from SDRAM to the network: prefetched, checked, widened."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out

from boards.gateware.sdram_layout import SDRAM_BITS, Part
from hw.gateware.repack import Repack

__all__ = ["QUEUE_CHUNKS", "WeightQueue"]

QUEUE_CHUNKS = 4
"""Chunks that a queue holds: with `CHUNK` words each, one block RAM of an ECP5."""


class WeightQueue(wiring.Component):
    """Take the chunks of a part again and again, give its weight words, and check the CRC of each pass.

    A chunk may be asked for only while there is `room`; then its words always find their place. Padding and CRC are
    dropped.

    Throughput: one SDRAM word per cycle, if the weight words' width divides 16 or is a multiple of it.
    Memory: `QUEUE_CHUNKS` chunks, in block RAM. Cost on ECP5: docs/sdram.md.

    Members
    -------
    i : In(stream of 16 bits, always ready), the words of the chunks in order
    room : Out(1), there is room for a chunk; asked : In(1), pulse: a chunk is on its way
    testing : In(1), words are checked and then dropped; it changes only between two passes
    right, wrong : Out(1), pulse: a pass has ended, and its CRC is so
    o : Out(stream of unsigned(part.width)), the weight words
    """

    def __init__(self, part: Part) -> None:
        self.part = part
        super().__init__(
            {
                "i": In(stream.Signature(SDRAM_BITS, always_ready=True)),
                "room": Out(1),
                "asked": In(1),
                "testing": In(1),
                "right": Out(1),
                "wrong": Out(1),
                "o": Out(stream.Signature(part.width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        part, depth = self.part, QUEUE_CHUNKS * self.part.chunk
        m.submodules.queue = queue = SyncFIFOBuffered(width=SDRAM_BITS, depth=depth + 1)  # one is its output register
        m.submodules.repack = repack = Repack(part.repack)
        promised, moving = Signal(range(depth + 1)), Signal()
        m.d.sync += promised.eq(promised + Mux(self.asked, part.chunk, 0) - moving)
        m.d.comb += [
            self.room.eq(promised <= depth - part.chunk),
            queue.w_en.eq(self.i.valid),
            queue.w_data.eq(self.i.payload),
        ]

        # Block RAM is slow: a register stands between it and the rest.
        word, full = Signal(SDRAM_BITS), Signal()
        m.d.comb += queue.r_en.eq(~full | moving)
        with m.If(queue.r_en):
            m.d.sync += [word.eq(queue.r_data), full.eq(queue.r_rdy)]

        # A pass: the weights, then the tail.
        left, tail, begin = Signal(range(part.size), init=part.data - 1), Signal(), Signal(init=1)
        kept = ~tail & ~self.testing
        m.d.comb += [
            repack.i.valid.eq(full & kept),
            repack.i.payload.data.eq(word),
            moving.eq(full & (repack.i.ready | ~kept)),
            self.o.valid.eq(repack.o.valid),
            self.o.payload.eq(repack.o.payload.data),
            repack.o.ready.eq(self.o.ready),
        ]
        ending = moving & tail & (left == 0)
        with m.If(moving):
            m.d.sync += [left.eq(left - 1), begin.eq(ending)]
            with m.If(left == 0):
                m.d.sync += [tail.eq(~tail), left.eq(Mux(tail, part.data, part.size - part.data) - 1)]

        m.submodules.crc = crc = CRC32_ISO_HDLC(data_width=SDRAM_BITS).create()
        m.d.comb += [crc.data.eq(word), crc.valid.eq(moving), crc.start.eq(begin)]
        ended = Signal()
        m.d.sync += ended.eq(ending)
        m.d.comb += [self.right.eq(ended & crc.match_detected), self.wrong.eq(ended & ~crc.match_detected)]
        return m
