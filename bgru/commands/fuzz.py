"""`bgru fuzz`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import DEFAULT_BUILD, SIM_HELP, Build, Scheduler, Seed, Workers, any_case, finite


def command(
    hours: Annotated[float, typer.Option("--hours", min=0.001, callback=finite, help="How long to go on.")] = 1.0,
    replay: Annotated[
        Path | None, typer.Option("--replay", show_default=False, help="A case that was found: simulate only that.")
    ] = None,
    seed: Seed = 0,
    simulator: Annotated[str, typer.Option("--sim", callback=any_case, help=SIM_HELP)] = "verilator",
    scheduler: Scheduler = None,
    workers: Workers = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Simulate random networks and compare every bit with the golden model, on all cores or on a cluster.

    Each case is a network of random layers of bits and of integers, weights, folding, weight sources and word widths,
    for a random FPGA family, fed with random pauses, back-pressure and resets; every eighth is a synthesised netlist. A
    case that differs is made as small as it still differs, and written to `<build>/fuzz/` as a file that `--replay`
    simulates in seconds. Exits with 1 if anything differs.

    Example: `bgru fuzz --hours 0.1`
    """
    from cosim.fuzz import run as fuzz

    if replay is not None:
        fuzz.replay(replay)
    else:
        fuzz.run(hours, seed or 0, simulator, scheduler, workers, build)
