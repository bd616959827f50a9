"""`bgru sim`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import (
    DEFAULT_BOARD,
    DEFAULT_BUILD,
    SIM_HELP,
    Board,
    Build,
    Bundle,
    Clock,
    Fold,
    Frames,
    Limit,
    Recording,
    any_case,
    bundle_for,
    recording_or_sample,
)


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    recording: Recording = None,
    fold: Fold = None,
    clock: Clock = None,
    simulator: Annotated[str, typer.Option("--sim", callback=any_case, help=SIM_HELP)] = "verilator",
    frames: Frames = None,
    netlist: Annotated[
        bool, typer.Option("--netlist", help="Simulate the synthesised netlist instead of the RTL.")
    ] = False,
    waves: Annotated[bool, typer.Option("--waves", help="Write the waveform (FST) and views of it.")] = False,
    samples: Annotated[
        bool, typer.Option("--samples", help="Simulate the whole denoiser instead, samples in and samples out.")
    ] = False,
    limit: Limit = None,
    sdram_model: Annotated[
        Path | None,
        typer.Option(show_default="ours", help="Verilog file with a model of the SDRAM, such as the vendor's."),
    ] = None,
    module: Annotated[
        str | None, typer.Option(show_default=False, help="Name of the module in the file of --sdram-model.")
    ] = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Run a recording through the RTL and compare every bit with the golden model.

    Generates Verilog from the bundle, builds it with the simulator, sends every frame of the recording, and compares
    each layer's vectors (r, z, h~, h; y) and the mask with the golden model. Prints a table of the layers, writes the
    denoised recording. At the first bit that differs it prints where, and exits with 1.

    Weights that do not fit on the chip come through the board's gateware from a model of its SDRAM at the pins, with
    both clocks; the bus's share of cycles with data is printed. `--sdram-model` and `--module` put another model in its
    place (docs/sdram.md).

    With `--samples` it includes the audio path: the recording's 16-bit samples go in, and it compares every feature
    bit, mask bit and output sample; then an impulse measures the delay. Only in Verilator. It takes `--limit`.

    Example: `bgru sim --board icebreaker --frames 20`
    """
    if (sdram_model is None) != (module is None):
        raise typer.BadParameter("expected --sdram-model and --module together")
    noisy, folder = recording_or_sample(recording), bundle_for(bundle, board)
    if samples:
        from cosim.bench import samples as whole

        if simulator != "verilator" or waves or sdram_model:
            raise typer.BadParameter("with --samples: expected no --sim icarus, --waves or --sdram-model")
        whole.run(folder, noisy, board, fold, clock, frames, netlist, build, limit)
    elif limit is not None:
        raise typer.BadParameter("expected --samples with --limit")
    else:
        from cosim.bench.sim import run
        from cosim.chips.sdram_verilog import SdramModel

        model = SdramModel(sdram_model, module) if sdram_model and module else None
        if model is not None and netlist:
            raise typer.BadParameter("expected no --netlist with --sdram-model")
        run(folder, noisy, board, fold, clock, simulator, frames, netlist, waves, build, model)
