"""Packets on a line of bytes, in hardware: RFC 1055 (SLIP) between packets, a CRC-16 at the end of each."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.crc.catalog import CRC16_IBM_3740
from amaranth.lib.wiring import In, Out

from boards.host.protocol import END, ESC, ESCAPED

__all__ = ["Stuff", "Unstuff"]


class Unstuff(wiring.Component):
    """Bytes of the line to bytes of packets (RFC 1055), with a check of each packet's CRC.

    Latency: one cycle. Throughput: one byte per cycle. Cost: about 50 LUT4, most of it the CRC.

    Members
    -------
    i : In(stream of 8 bits)
    o : Out(stream of {data, end}), an item with `end` (and no data) after each packet's last byte
    right : Out(1), valid with `end`: the packet's CRC is right
    """

    def __init__(self) -> None:
        item = data.StructLayout({"data": 8, "end": 1})
        super().__init__({"i": In(stream.Signature(8)), "o": Out(stream.Signature(item)), "right": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC16_IBM_3740().create()
        byte, escaped = self.i.payload, Signal()
        m.d.comb += [
            self.i.ready.eq(~self.o.valid | self.o.ready),
            crc.data.eq(self.o.payload.data),
            crc.valid.eq(self.o.valid & self.o.ready & ~self.o.payload.end),
            crc.start.eq(self.o.valid & self.o.ready & self.o.payload.end),
            self.right.eq(crc.match_detected),
        ]
        with m.If(self.i.ready):
            m.d.sync += self.o.valid.eq(self.i.valid & (byte != ESC))
            with m.If(self.i.valid):
                m.d.sync += [
                    escaped.eq(byte == ESC),
                    self.o.payload.end.eq(byte == END),
                    # The two codes after ESC differ in their lowest bit; the CRC finds anything else.
                    self.o.payload.data.eq(Mux(escaped, Mux(byte[0], ESC, END), byte)),
                ]
        return m


class Stuff(wiring.Component):
    """Bytes of packets to bytes of the line: CRC at the end, delimiters around, escapes where needed.

    Throughput: one byte per two cycles, one cycle more for each escape. Cost: about 80 LUT4.

    Members
    -------
    i : In(stream of {data, last}), `last` on a packet's last byte; o : Out(stream of 8 bits)
    """

    def __init__(self) -> None:
        item = data.StructLayout({"data": 8, "last": 1})
        super().__init__({"i": In(stream.Signature(item)), "o": Out(stream.Signature(8))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.crc = crc = CRC16_IBM_3740().create()
        byte = Signal(8)
        tail = Signal(2)  # 0 for the packet's own bytes, then 3 and 2 for the CRC's
        special = (byte == END) | (byte == ESC)
        m.d.comb += crc.data.eq(self.i.payload.data)
        with m.FSM():
            with m.State("begin"):
                m.d.comb += [self.o.payload.eq(END), self.o.valid.eq(self.i.valid), crc.start.eq(1)]
                with m.If(self.o.valid & self.o.ready):
                    m.next = "load"
            with m.State("load"):
                with m.If(tail == 0):
                    m.d.comb += [self.i.ready.eq(1), crc.valid.eq(self.i.valid)]
                    m.d.sync += byte.eq(self.i.payload.data)
                    with m.If(self.i.valid):
                        m.d.sync += tail.eq(Mux(self.i.payload.last, 3, 0))
                        m.next = "send"
                with m.Else():
                    m.d.sync += [byte.eq(Mux(tail[0], crc.crc[8:], crc.crc[:8])), tail.eq(tail - 1)]
                    m.next = "send"
                    with m.If(tail == 1):
                        m.next = "end"
            with m.State("send"):
                m.d.comb += [self.o.payload.eq(Mux(special, ESC, byte)), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "load"
                    with m.If(special):
                        m.next = "escape"
            with m.State("escape"):
                m.d.comb += [self.o.payload.eq(Mux(byte[0], ESCAPED[ESC], ESCAPED[END])), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "load"
            with m.State("end"):
                m.d.comb += [self.o.payload.eq(END), self.o.valid.eq(1)]
                with m.If(self.o.ready):
                    m.next = "begin"
        return m
