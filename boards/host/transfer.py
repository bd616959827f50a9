"""Denoise a recording through a board: `bgru host --port /dev/ttyUSB1 in.wav out.wav`."""

import errno
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import serial
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from serial.tools import list_ports

from boards.host.protocol import END, Info, Kind, Packet, PacketDecoder, Reason, State, Type, encode
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.reference import audio
from model.reference.denoise import apply_mask, hear
from model.reference.golden_model import GoldenModel
from model.reference.vectors import element_bits, gains

PATIENCE = 10.0
"""Seconds to wait for an answer before giving up on a board."""

FIRST_TIMEOUT, SHORTEST_TIMEOUT = 1.0, 0.05
"""Seconds until unanswered frames are sent again: before the first answer, and the minimum."""

LOADING_PAUSE = 0.05

LOAD_BLOCKS, LOAD_TRIES = 32, 10
"""Blocks of weights sent before the board is asked how many it took, and how often it may take none in a row."""

KINDS_OF_FRAMES = {
    (False, True): Type.START,
    (False, False): Type.FRAME,
    (True, True): Type.PASSED_START,
    (True, False): Type.PASSED_FRAME,
}
"""By whether a frame is to pass unchanged, and whether it begins an utterance."""

KINDS = {Kind.NETWORK: "the network alone", Kind.SOUND: "the whole denoiser"}
SHOWN = 10


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

    patience : seconds to wait for weights, and for an answer to a frame; by default `PATIENCE`
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
        done, tries = info.blocks % len(blocks), 0
        while done < len(blocks):
            yield done * size
            places = range(done, min(done + LOAD_BLOCKS, len(blocks)))
            self.send([Packet(Type.WEIGHTS, place & 0xFF, blocks[place]) for place in places])
            now = self.identify().blocks
            tries = tries + 1 if now == done else 0
            if tries == LOAD_TRIES or now not in range(done, places.stop + 1):
                raise BadInput(
                    f"{self.port}: expected the board to take weights from block {done} on, it has {now} of "
                    f"{len(blocks)}; does its network stream weights, and is the line good?"
                )
            done = now
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


@dataclass
class _Frame:
    """A frame that was sent and whose answer has not been passed on yet."""

    kind: Type
    payload: bytes
    first_sent: float
    repeated: bool = False
    answer: bytes | None = None


@dataclass
class Transfer:
    """Send the frames of an utterance to a board and collect the answers, bit exact even over a bad line.

    At most `info.window` frames are unanswered. Frames that are refused or get no answer in time are sent again; the
    board takes each only once. The sequence continues from the one that the board expects.

    While `bypass` is set, new frames are to pass unchanged, which only a denoiser knows.

    `done` counts answers, `latencies` are the seconds from first sending a frame to its answer; `repeats` counts frames
    sent again, `refusals` the board's refusals.
    """

    link: Link
    info: Info
    bypass: bool = False
    done: int = 0
    latencies: list[float] = field(default_factory=list)
    repeats: int = 0
    refusals: int = 0

    def __post_init__(self) -> None:
        self._open: list[_Frame] = []  # sent, from frame `done` on
        self._gone_back: int | None = None
        self._timeout, self._mean, self._spread = FIRST_TIMEOUT, 0.0, 0.0
        self._deadline = 0.0  # when unanswered frames are sent again

    def run(self, frames: Iterable[bytes | None]) -> Iterator[bytes]:
        """The answer to each frame, in order, as it comes. A frame of None is not available yet: ask again later.

        Frames are taken while the window has room for them. Raises `BadInput` if the board stops answering.
        """
        source, more = iter(frames), True
        last_answer = time.monotonic()
        while True:
            more = more and self._fill(source)
            if not self._open and not more:
                return
            idle, before = not self._open, self.done
            for packet in self.link.receive():
                if packet.type == Type.ANSWER:
                    self._keep(packet)
                elif packet.type == Type.REFUSAL and len(packet.payload) == 1:
                    self._refused(packet)
                # Before the next packet: what a refusal means depends on the frames answered so far.
                while self._open and (answer := self._open[0].answer) is not None:
                    del self._open[0]
                    self.done += 1
                    yield answer
            now = time.monotonic()
            if idle or self.done > before:
                last_answer = now
                self._deadline = now + self._timeout
            elif now > last_answer + self.link.patience:
                raise BadInput(
                    f"{self.link.port}: expected an answer to frame {self.done}, got none for {self.link.patience:g} s "
                    f"({self.repeats} frames sent again, {self.refusals} refused)"
                )
            elif now > self._deadline:
                self._timeout = min(2 * self._timeout, self.link.patience / 4)
                self._gone_back = None
                self._again(0)

    def _fill(self, source: Iterator[bytes | None]) -> bool:
        """Send the available frames that fit the window; False if no more will come."""
        sent = len(self._open)
        more = True
        while len(self._open) < self.info.window:
            try:
                frame = next(source)
            except StopIteration:
                more = False
                break
            if frame is None:
                break
            starts = self.done + len(self._open) == 0
            self._open.append(_Frame(KINDS_OF_FRAMES[self.bypass, starts], frame, time.monotonic()))
        if len(self._open) > sent:
            self._send(sent)
        return more

    def _send(self, first: int) -> None:
        """Send the unanswered frames again, from the given one on."""
        self._deadline = time.monotonic() + self._timeout
        self.link.send(
            [
                Packet(frame.kind, self._sequence(place), frame.payload)
                for place, frame in enumerate(self._open)
                if place >= first
            ]
        )

    def _again(self, first: int) -> None:
        for frame in self._open[first:]:
            frame.repeated = True
        self.repeats += len(self._open) - first
        self._send(first)

    def _sequence(self, place: int) -> int:
        """The sequence of an unanswered frame."""
        return (self.info.expected + self.done + place) & 0xFF

    def _place(self, packet: Packet) -> int:
        """The place of a packet's sequence among the unanswered frames; it may be past the last."""
        return packet.sequence - self._sequence(0) & 0xFF

    def _keep(self, packet: Packet) -> None:
        """Keep an answer until all earlier ones are passed on; drop an unexpected one."""
        place = self._place(packet)
        if place >= len(self._open) or len(packet.payload) != self.info.answer_bytes:
            return
        frame = self._open[place]
        if frame.answer is not None:
            return
        frame.answer = packet.payload
        latency = time.monotonic() - frame.first_sent
        self.latencies.append(latency)
        if not frame.repeated:
            self._measured(latency)

    def _measured(self, latency: float) -> None:
        """Set the timeout from the mean and the variation of answer times (RFC 6298)."""
        if self._mean == 0:
            self._mean, self._spread = latency, latency / 2
        self._spread += (abs(latency - self._mean) - self._spread) / 4
        self._mean += (latency - self._mean) / 8
        self._timeout = max(SHORTEST_TIMEOUT, self._mean + 4 * self._spread)

    def _refused(self, packet: Packet) -> None:
        """Go back to the frame that the board expects."""
        self.refusals += 1
        reason, place = packet.payload[0], self._place(packet)
        expected = self.done + place
        if place > len(self._open) or (reason == Reason.NO_START and expected > 0):
            raise BadInput(
                f"{self.link.port}: expected the board to be at frame {self.done}, it has started over; "
                "was it reset? Run this again"
            )
        # After a lost frame all that follow are refused too: going back once is enough. If that fails, or the board is
        # not ready, the timeout sends frames again, which keeps a bad line from being flooded.
        if reason != Reason.NOT_READY and self._gone_back != expected:
            self._gone_back = expected
            self._again(place)


def carry(
    port: str,
    baud: int,
    network: Bundle,
    kind: Kind,
    frames: Sequence[bytes],
    bypass: bool = False,
    patience: float | None = None,
) -> list[bytes]:
    """The board's answers to all frames of a recording. Shows progress; prints rate, latency and repeats."""
    answers = []
    with closing(Link(port, baud, patience)) as link:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bars:
            task = bars.add_task("frames through the board", total=len(frames))
            transfer = Transfer(link, link.ready(network, kind), bypass)
            begin = time.perf_counter()
            for answer in transfer.run(frames):
                answers.append(answer)
                bars.update(task, advance=1)
            seconds = time.perf_counter() - begin
        after = link.identify()
    _summary(transfer, seconds, network.front_end.frame_rate, after)
    return answers


def load(port: str, baud: int, image: Path) -> None:
    """Send weights to a board that has none in its flash: `bgru host --load`."""
    if not image.is_file():
        raise BadInput(f"{image}: expected the file of weights that `bgru bitstream` writes, found none")
    contents = image.read_bytes()
    with closing(Link(port, baud)) as link:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console) as bars:
            task = bars.add_task("weights to the board", total=len(contents))
            for done in link.load(contents):
                bars.update(task, completed=done)


def to_frames(features: Bits) -> list[bytes]:
    """Feature bits (frames, features) as a board takes them."""
    return [row.tobytes() for row in np.packbits(features, axis=1, bitorder="little")]


def from_masks(masks: Sequence[bytes], bins: int) -> Bits:
    """A board's masks as bits (frames, bins)."""
    octets = np.frombuffer(b"".join(masks), dtype=np.uint8).reshape(len(masks), -1)
    return np.unpackbits(octets, axis=1, count=bins, bitorder="little")


def run(
    recording: Path,
    output: Path,
    port: str,
    bundle_folder: Path,
    baud: int,
    loop_check: bool,
    patience: float | None = None,
) -> None:
    """Denoise a recording through a board: `bgru host`."""
    network = read_bundle(bundle_folder)
    front_end = network.front_end
    noisy = audio.read_samples(recording, front_end.sample_rate)
    features = hear(front_end, noisy)
    frames = to_frames(element_bits(features, front_end.feature_bits))
    answers = carry(port, baud, network, Kind.NETWORK, frames, patience=patience)
    mask = gains(from_masks(answers, Kind.NETWORK.elements(network)[1]), front_end)
    if loop_check:
        _compare(GoldenModel(network).masks(features), mask)
    audio.write(output, apply_mask(front_end, noisy, mask), front_end.sample_rate)
    console.print(f"denoised recording   {output}")


def _summary(transfer: Transfer, seconds: float, frame_rate: float, after: Info) -> None:
    out, rate = console.print, transfer.done / seconds
    out(f"rate                 {rate:,.1f} frames/s, {rate / frame_rate:.2f} x real time, {seconds:.2f} s")
    worst = np.percentile(np.array(transfer.latencies) * 1000, [50, 95, 99, 100])
    names = ("50 %", "95 %", "99 %", "max")
    out(f"latency              {', '.join(f'{n} {ms:,.2f} ms' for n, ms in zip(names, worst, strict=True))}")
    out(f"window               {transfer.info.window} frames in flight at once")
    out(f"sent again           {transfer.repeats} frames, after {transfer.refusals} refusals and losses")
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
