"""The serial port of a board: packets out and in, what the board is, and weights into its memory."""

import errno
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import serial
from serial.tools import list_ports

from boards.host.protocol import END, Info, Kind, Packet, PacketDecoder, State, Type, encode
from model.bundle.bundle import Bundle
from model.errors import BadInput

__all__ = ["FIRST_TIMEOUT", "PATIENCE", "Link"]

PATIENCE = 10.0
"""Seconds to wait for an answer before giving up on a board."""

FIRST_TIMEOUT = 1.0
"""Seconds until something that got no answer is sent again."""

LOADING_PAUSE = 0.05

LOAD_BLOCKS = 32
"""Blocks of weights sent before the board is asked how many it took."""

KINDS = {Kind.NETWORK: "the network alone", Kind.SOUND: "the whole denoiser"}


def _permission(port: str, error: Exception) -> str:
    """How to get permission to open a port, if permission is missing: join its group."""
    if getattr(error, "errno", None) != errno.EACCES:
        return ""
    try:
        import grp  # not on Windows

        group_id = os.stat(port).st_gid
        group = grp.getgrgid(group_id).gr_name
    except (ImportError, KeyError, OSError):
        return ""
    if group_id == 0:  # root's: no group to join
        return ""
    return f"; it belongs to the group {group}: `sudo usermod -a -G {group} $USER`, then log in again"


class Link:
    """Packets over a serial port. Raises `BadInput` if the port can't be opened or goes away.

    patience : seconds to wait for weights, for a board to take some, or for an answer to a frame; by default `PATIENCE`
    """

    def __init__(self, port: str, baud: int, patience: float | None = None) -> None:
        self.port, self._decoder = port, PacketDecoder()
        self.patience = PATIENCE if patience is None else patience
        try:
            # Reads wait at most 2 ms, so timers and incoming sound are checked that often.
            self._serial = serial.Serial(port, baud, timeout=0.002, write_timeout=PATIENCE, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            there = ", ".join(sorted(entry.device for entry in list_ports.comports())) or "none"
            reason = getattr(error, "strerror", None) or error
            raise BadInput(
                f"{port}: expected a serial port, could not open it ({reason}){_permission(port, error)}; "
                f"ports here: {there}"
            ) from None
        with suppress(AttributeError, NotImplementedError, ValueError):  # not on every system and port
            self._serial.set_low_latency_mode(True)

    def close(self) -> None:
        self._serial.close()

    @contextmanager
    def _plugged(self) -> Iterator[None]:
        try:
            yield
        except (serial.SerialException, OSError) as error:
            raise BadInput(f"{self.port}: expected the board to stay connected, it went away ({error})") from None

    def send(self, packets: Sequence[Packet]) -> None:
        with self._plugged():
            self._serial.write(b"".join(map(encode, packets)))

    def receive(self) -> list[Packet]:
        """The packets received so far; waits briefly if there are none."""
        with self._plugged():
            data = self._serial.read(1)
            data += self._serial.read(self._serial.in_waiting)
        return list(self._decoder.feed(data))

    def identify(self) -> Info:
        """Ask the board what it is, until it answers.

        A slow board answers each time that it was asked. Only its last answer is up to date, so wait for it: about as
        long after the last question as the first answer took.
        """
        begin, timeout = time.monotonic(), FIRST_TIMEOUT
        end = begin + PATIENCE
        unanswered, found = 0, None
        while found is None and (asked := time.monotonic()) < end:
            with self._plugged():
                self._serial.write(bytes([END]) + encode(Packet(Type.IDENTIFY, 0)))
            unanswered += 1
            until, timeout = min(end, asked + timeout), 2 * timeout
            while unanswered > 0 and (now := time.monotonic()) < until:
                for packet in self.receive():
                    if packet.type == Type.INFO:
                        found, unanswered = Info.of(packet), unanswered - 1
                        until = max(now + FIRST_TIMEOUT, asked + 2 * (now - begin))
        if found is not None:  # answers that are still missing were lost on the line
            return found
        raise BadInput(
            f"{self.port}: expected a board that identifies itself, got no answer for {PATIENCE:g} s; "
            "is this its port, and is a bitstream of this project on it?"
        )

    def ready(self, network: Bundle, kind: Kind) -> Info:
        """Wait until the board has its weights; refuse a board with another network, or of another kind."""
        info = self._settled()
        if info.identity != network.identity:
            raise BadInput(
                f"{self.port}: expected the bundle {network.name} ({network.identity.hex()}) on the board, got another "
                f"({info.identity.hex()}); give --bundle the one that is on it, or write this one's bitstream to it"
            )
        if info.kind != kind:
            raise BadInput(
                f"{self.port}: expected {KINDS[kind]} on the board, got {KINDS[info.kind]}; "
                f"{'leave out' if kind == Kind.SOUND else 'give'} --audio, or write the other bitstream to it"
            )
        expected, got = kind.elements(network), (info.inputs, info.outputs)
        if got != expected:
            raise BadInput(
                f"{self.port}: expected frames of {expected[0]} and answers of {expected[1]} elements from the board, "
                f"got {got[0]} and {got[1]}"
            )
        if info.state == State.FAILED:
            raise BadInput(
                f"{self.port}: expected weights in the board's flash, it found damaged ones, or another bundle's; "
                "write the whole image of `make bitstream` to it, or send it with --load"
            )
        return info

    def load(self, image: bytes) -> Iterator[int]:
        """Send weights to a board that has none, from where an earlier host stopped; yields the bytes it has.

        image : as `bgru bitstream` writes it for the flash

        Raises `BadInput` if the board has weights, expects another bundle's, or does not take them.
        """
        size = self.identify().frame_bytes
        blocks = [image[begin : begin + size].ljust(size, b"\0") for begin in range(0, len(image), size)]
        info = self._settled(len(blocks))
        if info.state == State.READY:
            raise BadInput(f"{self.port}: expected a board without weights, it has those of {info.identity.hex()}")
        if image[: len(info.identity)] != info.identity:
            raise BadInput(
                f"{self.port}: expected weights of {info.identity.hex()}, got those of {image[:8].hex()}; "
                "take the file of the bitstream that is on the board"
            )
        done, progress = info.blocks % len(blocks), time.monotonic()
        while done < len(blocks):
            yield done * size
            places = range(done, min(done + LOAD_BLOCKS, len(blocks)))
            self.send([Packet(Type.WEIGHTS, place & 0xFF, blocks[place]) for place in places])
            taken = self.identify().blocks
            if taken != done:
                progress = time.monotonic()
            if time.monotonic() > progress + self.patience or taken not in range(done, places.stop + 1):
                raise BadInput(
                    f"{self.port}: expected the board to take weights from block {done} on, it has {taken} of "
                    f"{len(blocks)}; does its network stream weights, and is the line good?"
                )
            done = taken
        yield len(image)
        if self._settled().state == State.FAILED:
            raise BadInput(f"{self.port}: expected the weights to be right in the board's memory, they are not")

    def _settled(self, blocks: int = 0) -> Info:
        """What the board is, once it has its weights or none, or waits for more of so many blocks from the host."""
        end = time.monotonic() + self.patience
        while (info := self.identify()).state == State.LOADING and not 0 < info.blocks < blocks:
            if time.monotonic() > end:
                raise BadInput(
                    f"{self.port}: expected weights after {self.patience:g} s, the board is still loading them; "
                    "if a host has sent a part of them, give --load for the rest"
                )
            time.sleep(LOADING_PAUSE)
        return info
