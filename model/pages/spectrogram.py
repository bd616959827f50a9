"""Spectrograms of recordings below each other, to see what denoising removed: `bgru spectrogram`."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from scipy.signal import ShortTimeFFT, get_window

from model.console import console
from model.errors import BadInput
from model.files import replacing
from model.reference.recording import Recording, Signal

__all__ = ["draw", "run"]

RATE, WINDOW, HOP = 16_000, 512, 128
FLOOR_DB = -70.0
SUFFIXES = (".png", ".svg", ".pdf")


def run(recordings: Sequence[Path], picture: Path, seconds: float) -> None:
    """Draw the first `seconds` of recordings (WAV, FLAC, MP3, ...) into a PNG, SVG or PDF file."""
    if picture.suffix.lower() not in SUFFIXES:
        raise BadInput(f"{picture}: expected a picture's name that ends in {', '.join(SUFFIXES)}")
    names = [path.name for path in recordings]
    signals = {
        path.name if names.count(path.name) == 1 else str(path): _beginning(path, seconds) for path in recordings
    }
    draw(signals, picture)
    console.print(f"{picture}: {len(signals)} recording{'s' * (len(signals) > 1)}, their first {seconds:g} s at most")


def _beginning(path: Path, seconds: float) -> Signal:
    pieces, samples = [], 0
    for piece in Recording(path, RATE):
        pieces.append(piece)
        samples += len(piece)
        if samples >= seconds * RATE:
            break
    signal = np.concatenate(pieces)[: round(seconds * RATE)]
    if len(signal) < WINDOW:
        raise BadInput(f"{path}: expected at least {WINDOW} samples at {RATE:,} Hz to draw, got {len(signal)}")
    return signal


def _printable(name: str) -> str:
    """A name of a file, which need not be UTF-8."""
    return name.encode(errors="backslashreplace").decode()


def draw(signals: dict[str, Signal], picture: Path) -> None:
    """Draw the spectrogram of each signal, all on one scale: 0 dB is the largest magnitude among them.

    signals : title to a signal at `RATE`
    """
    stft = ShortTimeFFT(get_window("hann", WINDOW), HOP, RATE)
    magnitudes = {title: np.abs(stft.stft(signal)) for title, signal in signals.items()}
    loudest = max(float(magnitude.max()) for magnitude in magnitudes.values()) or 1.0
    figure = Figure(figsize=(8, 0.5 + 2 * len(signals)), layout="constrained")
    rows = figure.subplots(len(signals), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (title, magnitude) in zip(rows, magnitudes.items(), strict=True):
        level = 20 * np.log10(np.maximum(magnitude / loudest, 10 ** (FLOOR_DB / 20)))
        begin, end, *_ = stft.extent(len(signals[title]))
        image = axes.imshow(
            level,
            origin="lower",
            aspect="auto",
            extent=(begin, end, 0, RATE / 2000),
            cmap=colormaps["magma"].resampled(24),
            interpolation="nearest",
            vmin=FLOOR_DB,
            vmax=0,
        )
        axes.set_title(_printable(title), loc="left", fontsize="medium", parse_math=False)
        axes.set_ylabel("kHz")
        axes.set_xlim(0, len(signals[title]) / RATE)
    rows[-1].set_xlabel("seconds")
    figure.colorbar(image, ax=list(rows), label="dB")
    with replacing(picture) as temporary:
        figure.savefig(temporary, dpi=90, format=picture.suffix[1:].lower())
