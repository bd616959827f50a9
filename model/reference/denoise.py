"""The audio path of a bundle in software, of recordings of any length, in constant memory.

Everything is in 16-bit samples and integers, the same bits that hardware computes (docs/exact-meaning.md).
"""

import time
from collections.abc import Iterable, Iterator

import numpy as np

from model.bundle.audio_constants import attenuation_floor
from model.bundle.bundle import Bundle
from model.bundle.front_end import FrontEnd
from model.reference.analysis import Analysis, Features
from model.reference.fixed_point import Complex
from model.reference.golden_model import GoldenModel
from model.reference.recording import Samples, to_samples
from model.reference.synthesis import Mask, Synthesis

__all__ = ["BLOCK", "Denoiser", "Stream", "analyse", "apply_mask", "denoise", "hear", "speed"]

BLOCK = 64
"""Frames that are computed at once: enough that NumPy's calls cost little, few enough for the processor's cache."""


def analyse(front_end: FrontEnd, recording: Samples) -> tuple[Complex, Features]:
    """Spectrum (frames, bins) and features (frames, features) of a recording (samples,).

    The frames go on until every sample has been in N of them: zeros follow it, as they precede it.
    """
    analysis, hop = Analysis(front_end), front_end.hop
    padded = np.pad(recording, (0, front_end.fft_size - hop + -(len(recording)) % hop))
    found = [analysis(padded[start : start + BLOCK * hop]) for start in range(0, len(padded), BLOCK * hop)]
    spectrum = Complex(*(np.concatenate(parts) for parts in zip(*(y for y, _ in found), strict=True)))
    return spectrum, np.concatenate([bits for _, bits in found])


def hear(front_end: FrontEnd, recording: Samples) -> Features:
    """Features (frames, features) of a recording (samples,): all that the network gets of it."""
    return analyse(front_end, recording)[1]


def apply_mask(front_end: FrontEnd, recording: Samples, mask: Mask, limit: float | None = None) -> Samples:
    """A recording (samples,) after a mask (frames, units): not delayed, as many samples.

    limit : no bin is attenuated by more decibels; None is no limit
    """
    spectrum, _ = analyse(front_end, recording)
    return _synthesise(front_end, spectrum, mask, len(recording), limit)


def denoise(network: Bundle, recording: Samples, limit: float | None = None) -> tuple[Samples, Mask]:
    """A whole recording (samples,), denoised, and the golden model's mask (frames, units).

    limit : no bin is attenuated by more decibels; None is no limit
    """
    spectrum, features = analyse(network.front_end, recording)
    mask = GoldenModel(network).masks(features)
    return _synthesise(network.front_end, spectrum, mask, len(recording), limit), mask


def _synthesise(front_end: FrontEnd, spectrum: Complex, mask: Mask, samples: int, limit: float | None) -> Samples:
    synthesis = Synthesis(front_end, attenuation_floor(limit, front_end))
    blocks = range(0, len(mask), BLOCK)
    found = [synthesis(Complex(*(part[i : i + BLOCK] for part in spectrum)), mask[i : i + BLOCK]) for i in blocks]
    return np.concatenate(found)[front_end.fft_size - front_end.hop :][:samples]


class Stream:
    """The whole audio path as hardware has it: samples in, as many samples out, N - hop samples late.

    `bypass` puts the largest gain in place of the network's mask: the output is then the delayed input within 4 LSB. No
    bin is attenuated by more than `limit` decibels. `frames` counts frames so far, `kept` is the sum of all gains in
    their masks.
    """

    def __init__(self, network: Bundle, bypass: bool = False, limit: float | None = None) -> None:
        self._hop = network.front_end.hop
        self.delay = network.front_end.fft_size - self._hop
        floor = attenuation_floor(limit, network.front_end)
        self._analysis, self._synthesis = Analysis(network.front_end), Synthesis(network.front_end, floor)
        self._model, self._bypass = GoldenModel(network), bypass
        self._gain = network.front_end.unit_gain
        self.frames = self.kept = 0

    def __call__(self, samples: Samples) -> Samples:
        """Samples out for samples in: one hop for every hop that they complete."""
        block = BLOCK * self._hop
        found = [self._block(samples[start : start + block]) for start in range(0, len(samples), block)]
        return np.concatenate([np.zeros(0, np.int16), *found])

    def _block(self, samples: Samples) -> Samples:
        spectrum, features = self._analysis(samples)
        if len(features) == 0:
            return np.zeros(0, np.int16)
        mask = self._model.go_on(features)
        if self._bypass:
            mask = np.full_like(mask, self._gain)
        self.frames += len(mask)
        self.kept += int(mask.sum(dtype=np.int64))
        return self._synthesis(spectrum, mask)


class Denoiser:
    """Denoise one recording piece by piece, in memory that does not grow with its length; options of `Stream`.

    The same samples as `denoise` gives for the whole recording.
    """

    def __init__(self, network: Bundle, bypass: bool = False, limit: float | None = None) -> None:
        self.stream, self._hop = Stream(network, bypass, limit), network.front_end.hop

    def __call__(self, recording: Iterable[Samples]) -> Iterator[Samples]:
        """A recording in pieces of any length to the denoised one, not delayed: as many samples in other pieces."""
        early, read, written = self.stream.delay, 0, 0

        def padded() -> Iterator[Samples]:
            nonlocal read
            for piece in recording:
                read += len(piece)
                yield piece
            yield np.zeros(self.stream.delay + -read % self._hop, np.int16)

        for piece in padded():
            denoised = self.stream(piece)
            ready = denoised[early:][: read - written]
            early = max(0, early - len(denoised))
            written += len(ready)
            yield ready


def speed(network: Bundle, seconds: float) -> float:
    """How often real time a network denoises on one core: measured on so many seconds of noise, files not counted."""
    rate = network.front_end.sample_rate
    noise = to_samples(np.random.default_rng(0).normal(0, 0.1, round(seconds * rate)).astype(np.float32))
    denoiser = Denoiser(network)
    begin = time.process_time()
    for _ in denoiser(noise[start : start + rate] for start in range(0, len(noise), rate)):
        pass
    return seconds / (time.process_time() - begin)
