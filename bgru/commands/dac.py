"""`bgru dac`."""

from typing import Annotated

import typer

from bgru.options import Board


def command(
    board: Board = "ulx3s_85f",
    divide: Annotated[
        int, typer.Option("--divide", min=0, max=10, help="A code every 2^DIVIDE cycles of the board's clock.")
    ] = 5,
) -> None:
    """Measure the SNR of sound through four resistor pins, as on the ULX3S's audio jack.

    Simulates the noise shaper with sines of four levels and prints the ratio of signal to noise and distortion up to
    7.8 kHz, with exact resistors and with resistors of 1 %.

    Example: `bgru dac --divide 6`
    """
    from cosim.measure.dac_snr import run

    run(board, divide)
