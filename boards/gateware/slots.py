"""A memory of byte slots with one writer and one reader."""

from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.gateware.memory import ram, read

__all__ = ["Slots"]


class Slots(wiring.Component):
    """`count` slots of 2^`place_bits` bytes.

    Latency: a byte is on `read_data` a cycle after its address. No reader uses a byte in the cycle it is written: the
    link's counters keep the writer out of the slots being read.
    Memory: 8 x `count` x 2^`place_bits` bits. No logic.

    Members
    -------
    write_slot, write_place, write_data, write_enable : In
    read_slot, read_place : In; read_data : Out(8)
    """

    def __init__(self, count: int, place_bits: int) -> None:
        slot_bits = exact_log2(count)
        self.depth = count << place_bits
        super().__init__(
            {
                "write_slot": In(slot_bits),
                "write_place": In(place_bits),
                "write_data": In(8),
                "write_enable": In(1),
                "read_slot": In(slot_bits),
                "read_place": In(place_bits),
                "read_data": Out(8),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.bytes = memory = ram(8, self.depth)
        port = memory.write_port()
        m.d.comb += [
            port.addr.eq(Cat(self.write_place, self.write_slot)),
            port.data.eq(self.write_data),
            port.en.eq(self.write_enable),
            self.read_data.eq(read(m, memory, Cat(self.read_place, self.read_slot))),
        ]
        return m
