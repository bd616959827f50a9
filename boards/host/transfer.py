"""Denoise a recording through a board: `bgru host --port /dev/ttyUSB1 in.wav out.wav`."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from boards.host.link import FIRST_TIMEOUT, Link
from boards.host.protocol import Info, Kind, Packet, Reason, Type
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.reference import audio
from model.reference.denoise import apply_mask, hear
from model.reference.golden_model import GoldenModel
from model.reference.vectors import element_bits, gains

SHORTEST_TIMEOUT = 0.05
"""Seconds until unanswered frames are sent again, at least."""

KINDS_OF_FRAMES = {
    (False, True): Type.START,
    (False, False): Type.FRAME,
    (True, True): Type.PASSED_START,
    (True, False): Type.PASSED_FRAME,
}
"""By whether a frame is to pass unchanged, and whether it begins an utterance."""

SHOWN = 10


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
