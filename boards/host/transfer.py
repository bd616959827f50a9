"""Denoise a recording through a board: `bgru host --port /dev/ttyUSB1 in.wav out.wav`."""

import errno
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import serial
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from serial.tools import list_ports

from boards.host.protocol import END, Info, Packet, PacketDecoder, Reason, State, Type, encode
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.reference import audio
from model.reference.denoise import apply_mask, hear
from model.reference.golden_model import GoldenModel

PATIENCE = 10.0
"""Seconds to wait for an answer before giving a board up."""

FIRST_TIMEOUT, SHORTEST_TIMEOUT = 1.0, 0.05
"""Seconds until unanswered frames are sent again: before the first answer, and at least."""

LOADING_PAUSE = 0.05
SHOWN = 10


def _permission(port: str, error: Exception) -> str:
    """How to get permission to open a port, if that is what is missing: join its group."""
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
    """Packets over a serial port. Raises `BadInput` if the port can't be opened or goes away."""

    def __init__(self, port: str, baud: int) -> None:
        self.port, self._decoder = port, PacketDecoder()
        try:
            # Reads wait at most 10 ms, so that the other timers are checked that often.
            self._serial = serial.Serial(port, baud, timeout=0.01, write_timeout=PATIENCE, exclusive=True)
        except (serial.SerialException, OSError, ValueError) as error:
            there = ", ".join(sorted(entry.device for entry in list_ports.comports())) or "none"
            reason = getattr(error, "strerror", None) or error
            raise BadInput(
                f"{port}: expected a serial port, could not open it ({reason}){_permission(port, error)}; "
                f"ports here: {there}"
            ) from None
        with suppress(AttributeError, NotImplementedError, ValueError):  # not every system, not every port
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
        """The packets that have come; waits a moment if there are none."""
        with self._plugged():
            data = self._serial.read(1)
            data += self._serial.read(self._serial.in_waiting)
        return list(self._decoder.feed(data))

    def identify(self) -> Info:
        """Ask the board what it is, until it answers."""
        end = time.monotonic() + PATIENCE
        while (now := time.monotonic()) < end:
            with self._plugged():
                self._serial.write(bytes([END]) + encode(Packet(Type.IDENTIFY, 0)))
            while time.monotonic() < min(end, now + FIRST_TIMEOUT):
                for packet in self.receive():
                    if packet.type == Type.INFO:
                        return Info.of(packet)
        raise BadInput(
            f"{self.port}: expected a board to say what it is, got no answer for {PATIENCE:g} s; "
            "is this its port, and is a bitstream of this project on it?"
        )

    def ready(self, network: Bundle) -> Info:
        """Wait until the board has its weights; refuse a board with another network."""
        end = time.monotonic() + PATIENCE
        while (info := self.identify()).state == State.LOADING:
            if time.monotonic() > end:
                raise BadInput(f"{self.port}: expected weights after {PATIENCE:g} s, the board is still loading them")
            time.sleep(LOADING_PAUSE)
        if info.identity != network.identity:
            raise BadInput(
                f"{self.port}: expected the bundle {network.name} ({network.identity.hex()}) on the board, got another "
                f"({info.identity.hex()}); give --bundle the one that is on it, or write this one's bitstream to it"
            )
        expected, got = (network.front_end.features, network.layers[-1].units), (info.features, info.bins)
        if got != expected:
            raise BadInput(
                f"{self.port}: expected frames of {expected[0]} and masks of {expected[1]} bits from the board, "
                f"got {got[0]} and {got[1]}"
            )
        if info.state == State.FAILED:
            raise BadInput(
                f"{self.port}: expected weights in the board's flash, it found damaged ones, or another bundle's; "
                "write the whole image of `make bitstream` to it"
            )
        return info


@dataclass
class Transfer:
    """Send the frames of an utterance to a board and collect the masks, bit exact whatever the line does.

    At most `info.window` frames are unanswered. Frames that get no answer in time, or a refusal, are sent again; the
    board takes each only once. The sequence goes on from the one that the board expects.

    `masks` are the payloads, `latencies` the seconds from first sending a frame to its mask; `repeats` counts frames
    sent again, `refusals` the board's refusals.
    """

    link: Link
    info: Info
    frames: Sequence[bytes]
    progress: Callable[[int], None] = lambda done: None
    masks: list[bytes] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    repeats: int = 0
    refusals: int = 0

    def __post_init__(self) -> None:
        self._answers: dict[int, bytes] = {}
        self._first_sent: list[float] = []
        self._repeated: set[int] = set()
        self._gone_back: int | None = None
        self._timeout, self._mean, self._spread = FIRST_TIMEOUT, 0.0, 0.0
        self._deadline = 0.0  # when unanswered frames are sent again

    def run(self) -> None:
        """Transfer everything; raises `BadInput` if the board stops answering."""
        last_mask = time.monotonic()
        while len(self.masks) < len(self.frames):
            done = len(self.masks)
            sent = len(self._first_sent)
            fresh = range(sent, min(done + self.info.window, len(self.frames)))
            if fresh:
                self._first_sent += [time.monotonic()] * len(fresh)
                self._send(fresh)
            for packet in self.link.receive():
                if packet.type == Type.MASK:
                    self._keep(packet)
                elif packet.type == Type.REFUSAL and len(packet.payload) == 1:
                    self._refused(packet)
            now = time.monotonic()
            if len(self.masks) > done:
                last_mask = now
                self._deadline = now + self._timeout
            elif now > last_mask + PATIENCE:
                raise BadInput(
                    f"{self.link.port}: expected a mask for frame {done}, got none for {PATIENCE:g} s "
                    f"({self.repeats} frames sent again, {self.refusals} refused)"
                )
            elif now > self._deadline:
                self._timeout = min(2 * self._timeout, PATIENCE / 4)
                self._gone_back = None
                self._again(done)

    def _send(self, frames: Sequence[int]) -> None:
        self._deadline = time.monotonic() + self._timeout
        kinds = [Type.FRAME if frame else Type.START for frame in frames]
        self.link.send(
            [Packet(kind, self._sequence(frame), self.frames[frame]) for kind, frame in zip(kinds, frames, strict=True)]
        )

    def _again(self, first: int) -> None:
        """Send the unanswered frames again, from `first` on."""
        frames = range(first, len(self._first_sent))
        self.repeats += len(frames)
        self._repeated.update(frames)
        self._send(frames)

    def _sequence(self, frame: int) -> int:
        return (self.info.expected + frame) & 0xFF

    def _keep(self, packet: Packet) -> None:
        """Keep a mask until all masks before it are there; drop one that nobody waits for."""
        done = len(self.masks)
        frame = done + (packet.sequence - self._sequence(done) & 0xFF)
        if frame >= len(self._first_sent) or frame in self._answers or len(packet.payload) != -(-self.info.bins // 8):
            return
        self._answers[frame] = packet.payload
        latency = time.monotonic() - self._first_sent[frame]
        self.latencies.append(latency)
        if frame not in self._repeated:
            self._measured(latency)
        while len(self.masks) in self._answers:
            self.masks.append(self._answers.pop(len(self.masks)))
        self.progress(len(self.masks))

    def _measured(self, latency: float) -> None:
        """Set the timeout by how long answers take and how much that varies (RFC 6298)."""
        if self._mean == 0:
            self._mean, self._spread = latency, latency / 2
        self._spread += (abs(latency - self._mean) - self._spread) / 4
        self._mean += (latency - self._mean) / 8
        self._timeout = max(SHORTEST_TIMEOUT, self._mean + 4 * self._spread)

    def _refused(self, packet: Packet) -> None:
        """Go back to the frame that the board expects."""
        self.refusals += 1
        reason = packet.payload[0]
        done = len(self.masks)
        expected = done + (packet.sequence - self._sequence(done) & 0xFF)
        if expected > len(self._first_sent) or (reason == Reason.NO_START and expected > 0):
            raise BadInput(
                f"{self.link.port}: expected the board to be at frame {done} of the recording, it has started over; "
                "was it reset? Run this again"
            )
        # After a lost frame all that follow are refused too: going back once is enough. If that fails, or the board is
        # not ready, the timeout sends frames again, so that a bad line isn't flooded too.
        if reason != Reason.NOT_READY and self._gone_back != expected:
            self._gone_back = expected
            self._again(expected)


def to_frames(features: Bits) -> list[bytes]:
    """Feature bits (frames, features) as a board takes them."""
    return [row.tobytes() for row in np.packbits(features, axis=1, bitorder="little")]


def from_masks(masks: Sequence[bytes], bins: int) -> Bits:
    """A board's masks as bits (frames, bins)."""
    octets = np.frombuffer(b"".join(masks), dtype=np.uint8).reshape(len(masks), -1)
    return np.unpackbits(octets, axis=1, count=bins, bitorder="little")


def run(recording: Path, output: Path, port: str, bundle_folder: Path, baud: int, loop_check: bool) -> None:
    """Denoise a recording through a board: `bgru host`."""
    network = read_bundle(bundle_folder)
    front_end = network.front_end
    noisy = audio.read_samples(recording, front_end.sample_rate)
    features = hear(front_end, noisy)
    link = Link(port, baud)
    try:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bars:
            task = bars.add_task("frames through the board", total=len(features))
            info = link.ready(network)
            transfer = Transfer(link, info, to_frames(features), lambda done: bars.update(task, completed=done))
            begin = time.perf_counter()
            transfer.run()
            seconds = time.perf_counter() - begin
        after = link.identify()
    finally:
        link.close()
    mask = from_masks(transfer.masks, info.bins)
    _summary(transfer, seconds, front_end.frame_rate, after)
    if loop_check:
        _compare(GoldenModel(network).masks(features), mask)
    audio.write(output, apply_mask(front_end, noisy, mask), front_end.sample_rate)
    console.print(f"denoised recording   {output}")


def _summary(transfer: Transfer, seconds: float, frame_rate: float, after: Info) -> None:
    out, rate = console.print, len(transfer.masks) / seconds
    out(f"rate                 {rate:,.1f} frames/s, {rate / frame_rate:.2f} x real time, {seconds:.2f} s")
    worst = np.percentile(np.array(transfer.latencies) * 1000, [50, 95, 99, 100])
    names = ("50 %", "95 %", "99 %", "max")
    out(f"latency              {', '.join(f'{n} {ms:,.2f} ms' for n, ms in zip(names, worst, strict=True))}")
    out(f"window               {transfer.info.window} frames on the way at once")
    out(f"sent again           {transfer.repeats} frames, after {transfer.refusals} refusals and what was lost")
    out(f"since the reset      {after.overruns} overruns, {after.refused} packets refused (255: or more)")


def _compare(expected: Bits, actual: Bits) -> None:
    """Print where masks (frames, bins) differ, and exit with 1 if they do."""
    differ = expected != actual
    wrong = np.flatnonzero(differ.any(axis=1))
    for frame in wrong[:SHOWN]:
        unit = int(np.argmax(differ[frame]))
        console.print(
            f"MISMATCH frame {frame}: {np.count_nonzero(differ[frame])} of {differ.shape[1]} bins, "
            f"first bin {unit}: expected {expected[frame, unit]}, got {actual[frame, unit]}"
        )
    agreeing = np.count_nonzero(~differ)
    console.print(f"mask agreement       {agreeing:,} of {differ.size:,} bits in {len(differ)} frames")
    if len(wrong):
        console.print(f"{len(wrong)} frames differ from the golden model; nothing was written")
        raise SystemExit(1)
