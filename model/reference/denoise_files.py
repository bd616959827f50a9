"""Recordings from file to file: one, a pipe, or many with one bar: `bgru denoise`."""

import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.reference.denoise import Denoiser
from model.reference.recording import SUFFIXES, Recording, Samples, Signal, to_signal, writing
from model.standard import standard_input, standard_output

__all__ = ["CHANNELS", "Treatment", "denoise_file", "many", "one"]

STANDARD = Path("-")
"""Stands for standard input or output."""

CHANNELS: dict[str, int | None] = {"mean": None, "left": 0, "right": 1}
"""What is heard of several channels."""

DEPTHS = {
    ".wav": ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW"),
    ".flac": ("PCM_24", "PCM_16", "PCM_S8"),
}
"""Formats of samples that a file may keep; others become the first. Compressed WAV would change the length."""


@dataclass(frozen=True)
class Treatment:
    """What is done with a recording.

    channel : the one that is heard, counted from 0; None for the average of all
    each : every channel is heard and denoised by itself
    keep : sample rate and bit depth stay
    bypass : keep all bins, as if there were no network
    limit : attenuate no bin by more decibels; None is no limit
    """

    channel: int | None = None
    each: bool = False
    keep: bool = False
    bypass: bool = False
    limit: float | None = None


@dataclass(frozen=True)
class Outcome:
    """What became of a recording: its length, frames of all channels, and their mean gain, 1 being the largest."""

    seconds: float
    frames: int
    kept: float


def denoise_file(
    network: Bundle, recording: Path, output: Path, treatment: Treatment, advance: Callable[[float], None]
) -> Outcome:
    """Denoise a file into another, piece by piece; `advance` is told the share that is done.

    Raises `BadInput` for what `Recording` and `writing` refuse.
    """
    rate = network.front_end.sample_rate
    source = Recording(recording, rate, 0 if treatment.each else treatment.channel)
    sources = [source]
    if treatment.each and source.channels > 1:
        sources += [Recording(recording, rate, channel) for channel in range(1, source.channels)]
    denoisers = [Denoiser(network, treatment.bypass, treatment.limit) for _ in sources]
    denoised = [denoiser(one.quantised()) for denoiser, one in zip(denoisers, sources, strict=True)]
    subtype, expected, heard = "PCM_16", source.samples, 0
    pieces: Iterator[Signal | Samples] = denoised[0]
    if treatment.keep:
        back = [_at_rate(found, one, rate) for found, one in zip(denoised, sources, strict=True)]
        pieces = (np.stack(parts, axis=1) for parts in zip(*back, strict=True))
        rate, subtype, expected = source.rate, _depth(source.subtype, output), source.frames
    with writing(output, rate, expected, len(sources), subtype) as append:
        for piece in pieces:
            append(piece)
            heard += len(piece)
            advance(min(1.0, heard / expected) if expected else 0.0)
    frames = sum(one.stream.frames for one in denoisers)
    kept = sum(one.stream.kept for one in denoisers) / (
        frames * network.front_end.bins * network.front_end.largest_gain
    )
    return Outcome(heard / rate, frames, kept)


def _depth(subtype: str, output: Path) -> str:
    depths = DEPTHS.get(output.suffix.lower(), (subtype,))
    return subtype if subtype in depths else depths[0]


def _at_rate(pieces: Iterable[Samples], source: Recording, sample_rate: int) -> Iterator[Signal]:
    """16-bit samples at `sample_rate` as a signal at the rate of their source, and as long as that."""
    resampler = soxr.ResampleStream(sample_rate, source.rate, 1, dtype="float32")
    written = 0
    for piece in pieces:
        signal = to_signal(piece)
        if source.rate != sample_rate:
            signal = resampler.resample_chunk(signal)[: source.read - written]
        written += len(signal)
        yield signal
    rest = resampler.resample_chunk(np.zeros(0, np.float32), last=True) if source.rate != sample_rate else np.zeros(0)
    missing = source.read - written
    yield np.pad(rest[:missing], (0, max(0, missing - len(rest)))).astype(np.float32)


def one(recording: Path, output: Path, bundle_folder: Path, treatment: Treatment) -> None:
    """Denoise one recording: `bgru denoise in.wav out.wav`.

    `-` as the recording is standard input, a file with a header, and so is any other pipe; as the output it is standard
    output, which gets a WAV file once it is whole, and nothing else, and so does any other pipe or device.
    """
    to_pipe = output == STANDARD or output.is_fifo() or output.is_char_device()
    sink = standard_output() if output == STANDARD else None
    network = read_bundle(bundle_folder)
    with TemporaryDirectory() as folder:
        source = recording
        if recording == STANDARD:
            source = _stored(standard_input(), Path(folder) / "standard input")
        elif recording.is_fifo():
            with recording.open("rb") as pipe:
                source = _stored(pipe, Path(folder) / recording.name)
        written = Path(folder) / "standard output.wav" if to_pipe else output
        begin = time.process_time()
        try:
            with _bars(quiet=to_pipe) as bars:
                task = bars.add_task("denoising", total=1.0)
                found = denoise_file(
                    network, source, written, treatment, lambda share: bars.update(task, completed=share)
                )
        except BadInput as error:
            raise BadInput(str(error).removeprefix(f"{folder}/")) from None
        taken = time.process_time() - begin
        if to_pipe:
            with written.open("rb") as file, nullcontext(sink) if sink else output.open("wb") as pipe:
                shutil.copyfileobj(file, pipe)
            return
    console.print(
        f"{output}: {found.frames:,} frames, {found.kept:.0%} of the bins kept; "
        f"{found.seconds:,.1f} s in {taken:.2f} s of one core, {found.seconds / taken:,.0f} x real time",
    )


def many(recordings: Sequence[Path], folder: Path, bundle_folder: Path, treatment: Treatment) -> None:
    """Denoise recordings, and all recordings of folders, into a folder: `bgru denoise *.wav --out folder`.

    Each keeps its name; .flac stays .flac, all others become .wav. One that can't be denoised is said and does not stop
    the rest. Raises `BadInput` at once where there is no recording, two would have one name or one would be replaced;
    in the end where some could not be denoised.
    """
    network = read_bundle(bundle_folder)
    names = _names(_expanded(recordings), folder)
    failed = 0
    with _bars(quiet=False) as bars:
        whole = bars.add_task("all", total=float(len(names)))
        for index, (source, output) in enumerate(names.items()):
            task = bars.add_task(source.name, total=1.0)

            def advance(share: float, task: TaskID = task, index: int = index) -> None:
                bars.update(task, completed=share)
                bars.update(whole, completed=index + share)

            try:
                found = denoise_file(network, source, output, treatment, advance)
            except BadInput as error:
                failed += 1
                bars.console.print(f"error: {error}")
            else:
                bars.console.print(f"{output}: {found.seconds:,.1f} s, {found.kept:.0%} of the bins kept")
            bars.remove_task(task)
            bars.update(whole, completed=index + 1)
    if failed:
        raise BadInput(f"{folder}: expected all {len(names)} recordings denoised, {failed} could not be")


def _expanded(recordings: Sequence[Path]) -> list[Path]:
    """Files as they are, and for a folder the recordings in it."""
    known = {f".{name.lower()}" for name in soundfile.available_formats()} | {".mp3", ".aif", ".oga", ".opus"}
    found: list[Path] = []
    for path in recordings:
        inside = sorted(one for one in path.iterdir() if one.suffix.lower() in known) if path.is_dir() else [path]
        if not inside:
            raise BadInput(f"{path}: expected recordings in this folder, found none")
        found += inside
    return found


def _names(sources: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Where each recording goes."""
    by_output: dict[Path, Path] = {}
    for source in sources:
        suffix = source.suffix.lower() if source.suffix.lower() in SUFFIXES else SUFFIXES[0]
        output = folder / f"{source.stem}{suffix}"
        other = by_output.setdefault(output, source)
        if other != source:
            raise BadInput(f"{output}: expected one recording of this name, got {other} and {source}")
        if output.resolve() == source.resolve():
            raise BadInput(f"{folder}: expected another folder than that of {source}, which would be replaced")
    return {source: output for output, source in by_output.items()}


def _bars(quiet: bool) -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal)


def _stored(pipe: BinaryIO, path: Path) -> Path:
    """A pipe as a file: headers are read with seeks, and recordings may be longer than memory."""
    with path.open("wb") as file:
        shutil.copyfileobj(pipe, file)
    return path
