"""`bgru loop`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import (
    DEFAULT_BOARD,
    DEFAULT_BUILD,
    Board,
    Build,
    Bundle,
    Fold,
    Recording,
    bundle_for,
    recording_or_sample,
)


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    recording: Recording = None,
    output: Annotated[Path, typer.Option(help="Where the denoised recording goes.")] = Path("build/denoised.wav"),
    fold: Fold = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Denoise a recording through the simulated board, and compare every mask with the golden model.

    The real host client talks to the real gateware, built with Verilator, over a pseudo-terminal.

    Example: `bgru loop --board icebreaker`
    """
    from cosim.chips.loop import run

    run(bundle_for(bundle, board), board, fold, recording_or_sample(recording), output, build)
