"""`bgru host`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, DEFAULT_OUTPUT, Board, Bundle, Noisy, Output, bundle_for, recording_or_sample


def command(
    port: Annotated[str, typer.Option(help="The board's serial port: /dev/ttyUSB1, COM5, ...")],
    recording: Noisy = None,
    output: Output = DEFAULT_OUTPUT,
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    baud: Annotated[int, typer.Option(min=1, help="Bits per second, as in the bitstream.")] = 1_000_000,
    loop_check: Annotated[
        bool, typer.Option("--loop-check", help="Compare every mask with the golden model; exit with 1 if one differs.")
    ] = False,
) -> None:
    """Denoise a recording through a board.

    Asks the board which network it holds, sends feature bits frame by frame, and applies the masks that come back.
    Repeats a frame until its mask arrives, so a bad line costs time and no bit. Prints frames per second, how many
    times real time that is, and the latency from a frame's sending to its mask, waiting for other frames included.
    `--board` only chooses the bundle.

    Example: `bgru host noisy.wav clean.wav --port /dev/ttyUSB1 --bundle small`
    """
    from boards.host.transfer import run

    run(recording_or_sample(recording), output, port, bundle_for(bundle, board), baud, loop_check)
