"""`bgru board`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, DEFAULT_BUILD, Audio, Board, Build, Bundle, Fold, bundle_for


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    link: Annotated[
        Path | None, typer.Option(show_default=False, help="Also make a symbolic link to the terminal.")
    ] = None,
    build: Build = DEFAULT_BUILD,
    audio: Audio = False,
) -> None:
    """Simulate a board behind a pseudo-terminal until stopped.

    Generates the Verilog of UART, link and network, and of the flash loader if the board needs it, builds it with
    Verilator, and prints the terminal's name for `bgru host --port`. With `--audio` the board has the whole denoiser,
    for `bgru host --audio`. Ctrl-C ends it.

    Example: `bgru board --board icebreaker --link port`, then `bgru host in.wav out.wav --port port --bundle tiny`
    """
    from boards.host.protocol import Kind
    from cosim.chips.board import run

    kind = Kind.SOUND if audio else Kind.NETWORK
    run(bundle_for(bundle, board), board, fold, link, build, kind)
