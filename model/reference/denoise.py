"""Denoise a recording of any length with a bundle: `bgru denoise in.wav out.wav`."""

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.reference.audio import Signal
from model.reference.front_end import FrontEnd, SlowGain, power
from model.reference.golden_model import GoldenModel
from model.reference.recording import Recording, Spectrum, istft, stft, writing


def apply_mask(front_end: FrontEnd, recording: Signal, mask: Bits) -> Signal:
    """A recording (samples,) after a mask (frames, bins * mask_bits): a signal (samples,)."""
    return front_end.istft(front_end.stft(recording) * front_end.gains(mask), len(recording))


class Denoiser:
    """A network at work on one recording, in memory that doesn't grow with its length.

    Bit by bit the same as `apply_mask` of the golden model's mask for the whole of it. `frames` is how many frames
    went through it so far, `kept` how many bits of their masks are 1.
    """

    def __init__(self, network: Bundle) -> None:
        self._front_end, self._model, self._gain = network.front_end, GoldenModel(network), SlowGain(network.front_end)
        self.frames = self.kept = 0

    def __call__(self, recording: Iterable[Signal]) -> Iterator[Signal]:
        """A recording in pieces of any length to the denoised one, as many samples in all, in other pieces."""
        transform = self._front_end.transform
        read = written = 0

        def counted() -> Iterator[Signal]:
            nonlocal read
            for piece in recording:
                read += len(piece)
                yield piece

        for piece in istft(transform, self._masked(stft(transform, counted()))):
            denoised = piece[: read - written]  # the last frame ends after the recording
            written += len(denoised)
            yield denoised

    def _masked(self, spectra: Iterable[Spectrum]) -> Iterator[Spectrum]:
        for spectrum in spectra:
            heard = power(spectrum)
            mask = self._model.go_on(self._front_end.encode(heard, self._gain.exponents(heard)))
            self.frames += len(mask)
            self.kept += int(np.count_nonzero(mask))
            yield spectrum * self._front_end.gains(mask)


def speed(network: Bundle, seconds: float) -> float:
    """How often real time a network denoises on one core: measured on so many seconds of noise, files not counted."""
    rate = network.front_end.sample_rate
    noise = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32)
    denoise = Denoiser(network)
    begin = time.process_time()
    for _ in denoise(noise[start : start + rate] for start in range(0, len(noise), rate)):
        pass
    return seconds / (time.process_time() - begin)


def run(recording: Path, output: Path, bundle_folder: Path) -> None:
    """Denoise a recording with the golden model, the same bits that the hardware computes: `bgru denoise`."""
    network = read_bundle(bundle_folder)
    rate = network.front_end.sample_rate
    source, denoise = Recording(recording, rate), Denoiser(network)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    samples, begin = 0, time.process_time()
    with (
        writing(output, rate, source.samples) as append,
        Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars,
    ):
        task = bars.add_task("denoising", total=source.samples)
        for piece in denoise(source):
            append(piece)
            samples += len(piece)
            bars.update(task, completed=samples)
    seconds, taken = samples / rate, time.process_time() - begin
    share = denoise.kept / (denoise.frames * network.layers[-1].units)
    console.print(
        f"{output}: {denoise.frames:,} frames, {share:.0%} of the bins kept; "
        f"{seconds:,.1f} s in {taken:.2f} s of one core, {seconds / taken:,.0f} x real time"
    )
