"""`bgru sim`."""

from typing import Annotated

import typer

from bgru.options import (
    DEFAULT_BOARD,
    DEFAULT_BUILD,
    Board,
    Build,
    Bundle,
    Clock,
    Fold,
    Frames,
    Recording,
    bundle_for,
    recording_or_sample,
)


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    recording: Recording = None,
    fold: Fold = None,
    clock: Clock = None,
    simulator: Annotated[str, typer.Option("--sim", help="verilator or icarus.")] = "verilator",
    frames: Frames = None,
    netlist: Annotated[bool, typer.Option("--netlist", help="Simulate the synthesised cells, not the RTL.")] = False,
    waves: Annotated[bool, typer.Option("--waves", help="Write the waveform (FST) and views of it.")] = False,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Run a recording through the RTL and compare every bit with the golden model.

    Generates Verilog from the bundle, builds it with the simulator, sends every frame of the recording, and compares
    each layer's vectors (r, z, h~, h; y) and the mask with the golden model. Prints a table of the layers, writes the
    denoised recording, and exits with 1 at the first bit that differs, saying which.

    Example: `bgru sim --board icebreaker --frames 20`
    """
    from cosim.bench.sim import run

    noisy = recording_or_sample(recording)
    run(bundle_for(bundle, board), noisy, board, fold, clock, simulator, frames, netlist, waves, build)
