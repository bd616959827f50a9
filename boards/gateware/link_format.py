"""Sizes of the host link's packets and slots, in bytes; what the bytes mean does not matter here."""

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from amaranth.utils import ceil_log2

from boards.host.protocol import HEADER, STATUS_BYTES, Kind, Type, info_constants
from hw.shape.family import Family
from hw.shape.ram_mapping import mapped
from hw.shape.words import words as pieces
from model.bundle.bundle import Bundle

__all__ = ["AREA", "LinkFormat", "Sent"]

MOST_SLOTS, FEWEST_SLOTS = 8, {Kind.NETWORK: 4, Kind.SOUND: 2}
"""Frames in flight at once: with four, a USB port that answers after 20 ms still lets 200 frames/s through.

Two hops are the least that keeps up with sound, and all that an iCE40UP5K has block RAM for next to `tiny`."""

AREA = 32
"""Bytes of ROM for each kind of packet that a board sends."""


class Sent(IntEnum):
    """The packets that a board sends. The value is the packet's place in the ROM, in `AREA`s."""

    INFO = 0
    ANSWER = 1
    REFUSAL = 2


@dataclass(frozen=True)
class LinkFormat:
    """Lengths of the payloads each way, and the number of slots that hold them.

    frame_bytes : payload of a frame from the host
    answer_bytes : payload of the answer to it
    slots : how many of each are kept, a power of two; this is also the window
    info : the constant bytes at the start of an INFO packet's payload
    rom_style : of the packets' ROM: in block RAM, another bundle's identity can be written into a finished bitstream
    bypass : frames of type `PASSED_START` and `PASSED_FRAME` are accepted
    image_bytes : of the weights that the host may send; 0 if it may not
    """

    frame_bytes: int
    answer_bytes: int
    slots: int
    info: bytes
    rom_style: Literal["block", "logic"] = "block"
    bypass: bool = False
    image_bytes: int = 0

    @classmethod
    def of(cls, bundle: Bundle, family: Family, kind: Kind = Kind.NETWORK) -> "LinkFormat":
        """For a bundle's network or its whole denoiser, with as many slots as one block RAM has room for."""
        sizes = kind.elements(bundle)
        frame_bytes, answer_bytes = map(kind.octets, sizes)
        slots = _slots(family, frame_bytes, FEWEST_SLOTS[kind])
        info = info_constants(bundle.identity, kind, *sizes, slots)
        sound = kind == Kind.SOUND
        return cls(frame_bytes, answer_bytes, slots, info, "logic" if sound else "block", bypass=sound)

    @property
    def blocks(self) -> int:
        """Blocks of weights in an image, `frame_bytes` each."""
        return pieces(self.image_bytes, self.frame_bytes)

    @property
    def frame_bits(self) -> int:
        """Address bits within a frame's slot."""
        return _place_bits(self.frame_bytes)

    @property
    def answer_bits(self) -> int:
        """Address bits within an answer's slot."""
        return _place_bits(self.answer_bytes)

    @property
    def frame_span(self) -> tuple[int, int]:
        """Place of a frame's first and last byte in its slot."""
        return _span(self.frame_bytes)

    @property
    def answer_span(self) -> tuple[int, int]:
        """Place of an answer's first and last byte in its slot."""
        return _span(self.answer_bytes)

    def block_rams(self, family: Family) -> int:
        """Block RAMs of the link: frames, answers and the ROM."""
        memories = [mapped(family.name, 8, self.slots << bits) for bits in (self.frame_bits, self.answer_bits)]
        return (self.rom_style == "block") + sum(memory.cells for memory in memories if memory.resource == "block_ram")

    @property
    def rom(self) -> list[int]:
        """The constant bytes of the packets that a board sends: `AREA` bytes for each of `Sent`.

        The fourth area is never read. Its 0xFF keeps Yosys from removing bits that are 0 everywhere else, which
        another bundle's identity may need.
        """
        packets = [
            struct.pack("<BBH", Type.INFO, 0, len(self.info) + STATUS_BYTES) + self.info,
            struct.pack("<BBH", Type.ANSWER, 0, self.answer_bytes),
            struct.pack("<BBH", Type.REFUSAL, 0, 1),
            b"\xff",
        ]
        return [byte for packet in packets for byte in packet.ljust(AREA, b"\0")]


def _place_bits(payload_bytes: int) -> int:
    return max(1, ceil_log2(payload_bytes))


def _span(payload_bytes: int) -> tuple[int, int]:
    # A byte's place is its number in the packet, header included, modulo the slot: nothing computes an address.
    places = 1 << _place_bits(payload_bytes)
    return HEADER % places, (HEADER + payload_bytes - 1) % places


def _slots(family: Family, frame_bytes: int, fewest: int) -> int:
    block_bytes = max(depth for depth, bits in family.block_ram.items() if bits >= 8)
    return max(fewest, min(MOST_SLOTS, block_bytes >> _place_bits(frame_bytes)))
