"""`bgru sample`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import Noise, Notice, Speech


def command(
    speech: Speech,
    noise: Noise,
    speaker: Annotated[str, typer.Option(help="Whose first utterance of 3.5 to 5 s is taken.")],
    noise_name: Annotated[str, typer.Option("--noise-name", help="Which noise; its test part is used.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for noisy.flac, clean.flac and README.md.")] = Path(
        "samples"
    ),
    snr: Annotated[float, typer.Option(help="Signal-to-noise ratio, dB.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Seed of the excerpt of noise.")] = 0,
    notice: Notice = None,
) -> None:
    """Mix a sample recording at 16 kHz, and write it with its clean speech and a README.

    Example: `bgru sample --speech speech --noise noise --speaker f1998 --noise-name rain`
    """
    from model.corpora.make_sample import run

    run(speech, noise, speaker, noise_name, out, snr, seed, notice)
