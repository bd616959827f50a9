"""Packets between a host and a board, as docs/host.md defines them: bytes to packets and back.

It imports no gateware, so the host loads quickly; `boards/gateware/link.py` is the same protocol in hardware.
"""

import struct
from binascii import crc_hqx
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from model.bundle.bundle import Bundle
from model.errors import BadInput

__all__ = [
    "BAUD",
    "END",
    "ESC",
    "ESCAPED",
    "HEADER",
    "OVERHEAD",
    "STATUS_BYTES",
    "VERSION",
    "Info",
    "Kind",
    "Packet",
    "PacketDecoder",
    "Reason",
    "State",
    "Type",
    "encode",
    "info_constants",
]

BAUD = 1_000_000

VERSION = 4
"""Of this protocol."""

END, ESC = 0xC0, 0xDB
ESCAPED = {END: 0xDC, ESC: 0xDD}
"""RFC 1055 (SLIP): what follows ESC in place of a delimiter or an ESC in the data."""

HEADER = 4
"""Bytes before the payload: type, sequence, length."""

OVERHEAD = HEADER + 2
"""Bytes around the payload: header and CRC."""


INFO_CONSTANTS = "<B8sBHHB"
"""An INFO payload up to its status: version, identity, kind, inputs, outputs, window."""

STATUS_BYTES = 5
"""The rest of an INFO payload: state, overruns, refused, and two bytes of blocks."""

INFO = INFO_CONSTANTS + "BBBH"


MOST_WINDOW = 127
"""Frames in flight: with more, 8 bits of sequence could not tell an old frame from a new one."""


class Type(IntEnum):
    """The first byte of a packet."""

    IDENTIFY = ord("I")
    START = ord("S")
    FRAME = ord("F")
    PASSED_START = ord("s")
    PASSED_FRAME = ord("f")
    WEIGHTS = ord("W")
    INFO = ord("B")
    ANSWER = ord("M")
    REFUSAL = ord("N")


class Reason(IntEnum):
    """Why a board refused a packet."""

    CRC = 1
    TYPE = 2
    LENGTH = 3
    NOT_READY = 4
    NO_START = 5
    ORDER = 6
    FULL = 7


class State(IntEnum):
    """Of a board's weights."""

    READY = 0
    LOADING = 1
    FAILED = 2


class Kind(IntEnum):
    """What a board computes: masks from feature bits (the network alone), or samples from samples (the denoiser)."""

    NETWORK = 0
    SOUND = 1

    def elements(self, network: Bundle) -> tuple[int, int]:
        """The contents of a frame and an answer: feature bits and mask bits, or a hop of samples each."""
        if self == Kind.SOUND:
            return network.front_end.hop, network.front_end.hop
        front_end = network.front_end
        return front_end.features * front_end.feature_bits, network.layers[-1].units * front_end.gain_bits

    def octets(self, elements: int) -> int:
        """Bytes of a payload: eight bits a byte, or two bytes a sample, low byte first."""
        return 2 * elements if self == Kind.SOUND else -(-elements // 8)


@dataclass(frozen=True)
class Packet:
    """The content between two delimiters, with a correct CRC. `type` may be unknown."""

    type: int
    sequence: int
    payload: bytes = b""


@dataclass(frozen=True)
class Info:
    """A board's answer to IDENTIFY.

    expected : sequence of the next frame that it accepts
    kind : what it computes
    inputs, outputs : bits per frame and per mask, or samples per hop in and per hop out
    window : frames that may be outstanding at once
    overruns, refused : frames that found no room, packets refused for any reason; both saturate at 255
    blocks : blocks of weights that it took from the host since the last image began
    """

    expected: int
    identity: bytes
    kind: Kind
    inputs: int
    outputs: int
    window: int
    state: State
    overruns: int
    refused: int
    blocks: int = 0

    @property
    def frame_bytes(self) -> int:
        """Length of a frame's payload, and of a block of weights."""
        return self.kind.octets(self.inputs)

    @property
    def answer_bytes(self) -> int:
        """Length of an answer's payload."""
        return self.kind.octets(self.outputs)

    @classmethod
    def of(cls, packet: Packet) -> "Info":
        """Read from an INFO packet; raises `BadInput` for another version, or for values out of range."""
        if packet.payload[:1] != bytes([VERSION]) or len(packet.payload) != struct.calcsize(INFO):
            raise BadInput(
                f"board: expected version {VERSION} of the protocol, got {packet.payload[:1].hex() or 'none'}; "
                "build its bitstream and this host from the same revision"
            )
        _, identity, kind, inputs, outputs, window, state, overruns, refused, blocks = struct.unpack(
            INFO, packet.payload
        )
        if kind not in set(Kind):
            raise BadInput(f"board: expected 0 or 1 as the kind of its payloads, got {kind}")
        if state not in set(State):
            raise BadInput(f"board: expected 0, 1 or 2 as the state of its weights, got {state}")
        if not 1 <= window <= MOST_WINDOW:
            raise BadInput(f"board: expected a window of 1 to {MOST_WINDOW} frames, got {window}")
        sizes = inputs, outputs, window
        return cls(packet.sequence, identity, Kind(kind), *sizes, State(state), overruns, refused, blocks)


def info_constants(identity: bytes, kind: Kind, inputs: int, outputs: int, window: int) -> bytes:
    """The constant part of a board's INFO payload; `STATUS_BYTES` follow."""
    return struct.pack(INFO_CONSTANTS, VERSION, identity, kind, inputs, outputs, window)


def encode(packet: Packet) -> bytes:
    """The bytes of a packet on the line, a delimiter at both ends."""
    body = struct.pack("<BBH", packet.type, packet.sequence, len(packet.payload)) + packet.payload
    body += crc_hqx(body, 0xFFFF).to_bytes(2, "big")
    for byte in (ESC, END):
        body = body.replace(bytes([byte]), bytes([ESC, ESCAPED[byte]]))
    return bytes([END]) + body + bytes([END])


class PacketDecoder:
    """Bytes, in pieces of any size, to packets; damaged ones are dropped and counted in `damaged`."""

    def __init__(self) -> None:
        self._open = bytearray()
        self.damaged = 0

    def feed(self, data: bytes) -> Iterator[Packet]:
        """Return the packets that `data` completes."""
        *complete, rest = data.split(bytes([END]))
        for piece in complete:
            body, self._open = self._open + piece, bytearray()
            if body:
                packet = _read(bytes(body))
                if packet is None:
                    self.damaged += 1
                else:
                    yield packet
        self._open += rest


def _read(stuffed: bytes) -> Packet | None:
    body = stuffed
    for byte in (END, ESC):
        body = body.replace(bytes([ESC, ESCAPED[byte]]), bytes([byte]))
    if len(body) < OVERHEAD:
        return None
    packet = Packet(body[0], body[1], body[HEADER:-2])
    # Length, CRC and escapes are right if `encode` gives the same bytes.
    return packet if encode(packet) == bytes([END]) + stuffed + bytes([END]) else None
