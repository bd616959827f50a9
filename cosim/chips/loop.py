"""The real host client against the simulated board: `bgru loop`."""

import signal
from pathlib import Path

from boards.host.protocol import BAUD
from boards.host.transfer import run as transfer
from cosim.chips.board import simulated

__all__ = ["run"]


def run(
    bundle_folder: Path, board_name: str, fold: list[str] | None, recording: Path, output: Path, build: Path
) -> None:
    """Denoise a recording through the simulated board and compare every mask with the golden model: `bgru loop`."""
    name, served = simulated(bundle_folder, board_name, fold, build)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the simulation ends too
    with served as (port, _):
        print(f"{name} on {port}", flush=True)
        transfer(recording, output, port, bundle_folder, BAUD, loop_check=True)
