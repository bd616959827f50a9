"""`bgru host`."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from bgru.options import (
    DEFAULT_BOARD,
    DEFAULT_OUTPUT,
    Audio,
    Board,
    Bundle,
    Bypass,
    Noisy,
    Output,
    bundle_for,
    recording_or_sample,
)


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
    audio: Audio = False,
    live: Annotated[
        bool, typer.Option("--live", help="Like --audio, with raw samples from standard input to standard output.")
    ] = False,
    bypass: Bypass = False,
    load: Annotated[
        Path | None,
        typer.Option(help="First send these weights (`weights.bin`) to a board that has none in its flash."),
    ] = None,
) -> None:
    """Denoise a recording through a board.

    Asks the board which network it holds, sends feature bits frame by frame, and applies the masks that come back.
    Repeats a frame until its mask arrives, so a bad line costs time but no bit. Prints frames per second, the multiple
    of real time, and the latency from sending a frame to its mask, including the wait for other frames.
    `--board` only chooses the bundle.

    With `--audio` hops of samples replace frames and masks, and the board does all of the work; every sample is
    compared with the reference. `--live` takes samples as `bgru live` does: mono, 16 bits, little-endian, 16 kHz; Enter
    switches between denoised sound and sound as it came in. Both take `--bypass`.

    Example: `bgru host noisy.wav clean.wav --port /dev/ttyUSB1 --bundle small`, or
    `arecord -t raw -f S16_LE -r 16000 | bgru host --live --port /dev/ttyUSB1 | aplay -t raw -f S16_LE -r 16000`
    """
    import signal

    from boards.host import sound, transfer
    from model.standard import standard_input, standard_output

    folder = bundle_for(bundle, board)
    if load is not None:
        transfer.load(port, baud, load)
    if bypass and not (audio or live):
        raise typer.BadParameter("expected --audio or --live with --bypass: only the whole denoiser can pass sound")
    if live:
        if recording is not None:
            raise typer.BadParameter("expected no recording with --live, sound comes from standard input")
        # Not sys.stdin, and never closed: a thread may still read it when this ends, and closing would wait for it.
        source = open(standard_input().fileno(), "rb", closefd=False)  # noqa: SIM115
        if hasattr(signal, "SIGTTIN"):  # in the background a terminal is not read, and the process must not stop
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
        sound.live(port, folder, baud, source, standard_output(), bypass, _lines_of_terminal())
    elif audio:
        sound.run(recording_or_sample(recording), output, port, folder, baud, bypass)
    else:
        transfer.run(recording_or_sample(recording), output, port, folder, baud, loop_check)


def _lines_of_terminal() -> Iterator[bytes]:
    """What is typed while standard input and output are pipes; nothing without a terminal, as on Windows."""
    with suppress(OSError), open("/dev/tty", "rb", buffering=0) as terminal:
        yield from terminal
