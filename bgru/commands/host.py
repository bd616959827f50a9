"""`bgru host`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, Board, Bundle, Noisy, Output, bundle_for


def command(
    recording: Noisy,
    output: Output,
    port: Annotated[str, typer.Option(help="The board's serial port: /dev/ttyUSB1, COM5, ...")],
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    baud: Annotated[int, typer.Option(min=1, help="Bits per second, as in the bitstream.")] = 1_000_000,
    loop_check: Annotated[
        bool, typer.Option("--loop-check", help="Compare every mask with the golden model; exit with 1 if one differs.")
    ] = False,
) -> None:
    """Denoise a recording through a board.

    Sends feature bits to the board frame by frame and applies the masks that come back. Frames are sent again until
    their masks arrive, so a bad line costs time and no bit. Before anything is sent, the board says which network it
    has. Prints frames per second, how many times real time that is, and the latency from sending a frame to having its
    mask, with the wait for other frames.

    Example: `bgru host noisy.wav clean.wav --port /dev/ttyUSB1 --bundle small`
    """
    from boards.host.transfer import run

    run(recording, output, port, bundle_for(bundle, board), baud, loop_check)
