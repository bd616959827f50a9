"""`bgru denoise`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import DEFAULT_OUTPUT, Bypass, Folder, Limit, SmallBundle, any_case, bundle_for, recording_or_sample


def command(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[RECORDING] [OUTPUT]",
            show_default="the recording that comes with bgru, build/denoised.wav",
            help="Noisy recording (WAV, FLAC, MP3, ... at any sample rate), and file for the denoised one (.wav or "
            ".flac). - is a pipe. With --out, any number of recordings and folders of them.",
        ),
    ] = None,
    folder: Folder = None,
    bundle: SmallBundle = None,
    keep: Annotated[
        bool,
        typer.Option(
            "--keep", help="Keep the recording's sample rate, bit depth and channels; each is denoised by itself."
        ),
    ] = False,
    channel: Annotated[
        str | None,
        typer.Option(
            callback=any_case, show_default="mean", help="Which of several channels to use: left, right or mean."
        ),
    ] = None,
    bypass: Bypass = False,
    limit: Limit = None,
) -> None:
    """Denoise recordings with the golden model, the same samples that the hardware computes.

    Reads, denoises and writes piece by piece, in memory that does not grow with the length. Reports what it had to
    change or leave out: channels, sample rate, clipped samples, a missing end.

    Example: `bgru denoise noisy.wav clean.wav`, `bgru denoise calls/ --out denoised --keep`, or
    `ffmpeg -i talk.mp4 -f wav - | bgru denoise - clean.wav`
    """
    from model.reference.denoise_files import CHANNELS, Treatment, many, one

    if channel is not None and channel not in CHANNELS:
        raise typer.BadParameter(f"expected {', '.join(CHANNELS)}, got {channel}", param_hint="--channel")
    treatment = Treatment(
        CHANNELS[channel or "mean"], each=keep and channel is None, keep=keep, bypass=bypass, limit=limit
    )
    given = paths or [recording_or_sample(None)]
    if folder is not None:
        many(given, folder, bundle_for(bundle), treatment)
    elif len(given) <= 2:
        output = given[1] if len(given) == 2 else DEFAULT_OUTPUT
        one(given[0], output, bundle_for(bundle), treatment)
    else:
        raise typer.BadParameter(f"expected a recording and an output, got {len(given)} names; or give --out")
