"""`bgru spectrogram`."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    recordings: Annotated[list[Path], typer.Argument(help="Recordings (WAV, FLAC, MP3, ...), in the order drawn.")],
    picture: Annotated[Path, typer.Option("--picture", help="The picture: .png, .svg or .pdf.")] = Path(
        "build/spectrogram.png"
    ),
    seconds: Annotated[
        float, typer.Option("--first", min=0.1, max=60.0, help="Draw this many seconds from the start.")
    ] = 10.0,
) -> None:
    """Draw spectrograms of recordings below each other, to see what denoising removed and what it left.

    Example: `bgru spectrogram noisy.wav denoised.wav --picture heard.png`
    """
    from model.pages.spectrogram import run

    run(recordings, picture, seconds)
