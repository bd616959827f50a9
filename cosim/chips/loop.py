"""The real host client against the simulated board: `bgru loop`."""

import signal
from pathlib import Path

from boards.host import sound, transfer
from boards.host.protocol import BAUD, Kind
from cosim.chips.board import simulated

__all__ = ["run"]

PATIENCE = 1800.0
"""Seconds to wait for weights or an answer: the weights of a large network take minutes in a simulation."""


def run(
    bundle_folder: Path,
    board_name: str,
    fold: list[str] | None,
    recording: Path,
    output: Path,
    build: Path,
    kind: Kind = Kind.NETWORK,
) -> None:
    """Denoise a recording through the simulated board and compare every mask, or sample, with the reference."""
    name, served = simulated(bundle_folder, board_name, fold, build, kind)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so the simulation ends too
    with served as (port, _):
        print(f"{name} on {port}", flush=True)
        if kind == Kind.SOUND:
            sound.run(recording, output, port, bundle_folder, BAUD, patience=PATIENCE)
        else:
            transfer.run(recording, output, port, bundle_folder, BAUD, loop_check=True, patience=PATIENCE)
