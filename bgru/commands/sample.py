"""`bgru sample`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import SNR_HELP, Noise, Notice, Seed, Speech, finite


def command(
    speech: Speech,
    noise: Noise,
    speaker: Annotated[str, typer.Option(help="The speaker; takes the first utterance of 3.5 to 5 s.")],
    noise_name: Annotated[str, typer.Option("--noise-name", help="The noise; takes its test part.")],
    folder: Annotated[Path, typer.Option("--folder", help="Folder for noisy.flac, clean.flac and README.md.")] = Path(
        "samples"
    ),
    snr: Annotated[float, typer.Option(callback=finite, help=SNR_HELP)] = 0.0,
    seed: Seed = 0,
    notice: Notice = None,
) -> None:
    """Mix a noisy recording at 16 kHz, and write it with its clean speech and a README.

    Example: `bgru sample --speech speech --noise noise --speaker f1998 --noise-name rain`
    """
    from model.corpora.make_sample import run

    run(speech, noise, speaker, noise_name, folder, snr, seed or 0, notice)
