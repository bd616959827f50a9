"""What a host link carries, in bytes, and what it says of itself: sizes only, never what the bytes mean."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from amaranth.utils import ceil_log2

from boards.host.protocol import HEADER, OVERHEAD, STATUS_BYTES, Type, info_constants
from hw.shape.family import Family
from hw.shape.ram_mapping import mapped
from hw.shape.words import words
from model.bundle.bundle import Bundle

__all__ = ["AREA", "LinkFormat", "Sent"]

MOST_SLOTS, FEWEST_SLOTS = 8, 4
"""Frames on the way at once: with four, a USB port that answers after 20 ms still lets 200 frames/s through."""

AREA = 32
"""Bytes of ROM for each kind of packet that a board sends."""


class Sent(IntEnum):
    """The packets that a board sends. The value is the packet's place in the ROM, in `AREA`s."""

    INFO = 0
    MASK = 1
    REFUSAL = 2


@dataclass(frozen=True)
class LinkFormat:
    """Lengths of the payloads each way, and the number of slots that hold them.

    frame_bytes : payload of a frame from the host
    mask_bytes : payload of the answer to it
    slots : how many of each are kept, a power of two; this is also the window
    info : the constant bytes of an INFO packet's payload, from its first byte on
    """

    frame_bytes: int
    mask_bytes: int
    slots: int
    info: bytes

    @classmethod
    def of(cls, bundle: Bundle, family: Family) -> "LinkFormat":
        """For feature bits in and mask bits out, with as many slots as one block RAM has room for."""
        features, bins = bundle.layers[0].inputs, bundle.layers[-1].units
        frame_bytes = words(features, 8)
        slots = _slots(family, frame_bytes)
        return cls(frame_bytes, words(bins, 8), slots, info_constants(bundle.identity, features, bins, slots))

    @property
    def frame_bits(self) -> int:
        """Address bits within a frame's slot."""
        return _frame_bits(self.frame_bytes)

    @property
    def mask_bits(self) -> int:
        """Address bits within a mask's slot, which has room for a header too."""
        return ceil_log2(HEADER + self.mask_bytes)

    def block_rams(self, family: Family) -> int:
        """Block RAMs of the link: frames, masks and the ROM."""
        memories = [mapped(family.name, 8, self.slots << bits) for bits in (self.frame_bits, self.mask_bits)]
        return 1 + sum(memory.cells for memory in memories if memory.resource == "block_ram")

    @property
    def rom(self) -> list[int]:
        """The constant bytes of the packets that a board sends: `AREA` of them for each of `Sent`.

        The fourth area is never read. Its 0xFF keeps Yosys from removing bits that are 0 everywhere else, which
        another bundle's identity may need.
        """
        packets = [
            struct.pack("<BBH", Type.INFO, 0, len(self.info) + STATUS_BYTES) + self.info,
            struct.pack("<BBH", Type.MASK, 0, self.mask_bytes),
            struct.pack("<BBH", Type.REFUSAL, 0, 1),
            b"\xff",
        ]
        return [byte for packet in packets for byte in packet.ljust(AREA, b"\0")]


def _frame_bits(frame_bytes: int) -> int:
    # A slot holds a whole packet, and two more bytes to recognise one that is too long.
    return ceil_log2(OVERHEAD + frame_bytes + 2)


def _slots(family: Family, frame_bytes: int) -> int:
    block_bytes = max(depth for depth, bits in family.block_ram.items() if bits >= 8)
    return max(FEWEST_SLOTS, min(MOST_SLOTS, block_bytes >> _frame_bits(frame_bytes)))
