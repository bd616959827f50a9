"""`bgru memtest`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BUILD, Board, Build, finite


def command(
    board: Board = "ulx3s_85f",
    clock: Annotated[
        float, typer.Option("--sdram-clock", min=10, max=133.3, callback=finite, help="Clock of the SDRAM in MHz.")
    ] = 100,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Make a bitstream that tests a board's SDRAM.

    It writes every word and reads all back. The alive LED is lit when it is done, the error LED from the first wrong
    word on. Prints the use of each resource and the clock.

    Example: `bgru memtest --board ulx3s_25f --sdram-clock 132.5`
    """
    from boards.flow.memory_test import run

    run(board, clock, build)
