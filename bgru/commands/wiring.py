"""`bgru wiring`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, Board


def command(
    board: Board = DEFAULT_BOARD,
    drawing: Annotated[
        Path | None, typer.Option("--drawing", show_default=False, help="Draw the wires as well, to this SVG file.")
    ] = None,
) -> None:
    """Print which pin of microphone and codec goes to which pin of a board, as a table in Markdown.

    Example: `bgru wiring --board icebreaker --drawing wires.svg`
    """
    from boards.wiring import run

    run(board, drawing)
