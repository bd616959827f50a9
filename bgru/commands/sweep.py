"""`bgru sweep`."""

from typing import Annotated

import typer

from bgru.options import (
    CLOCK_HELP,
    DEFAULT_BOARD,
    DEFAULT_BUILD,
    SEEDS_HELP,
    Boards,
    Build,
    Fold,
    Scheduler,
    SweptBundle,
    Workers,
    bundle_for,
)


def command(
    board: Boards = None,
    bundle: SweptBundle = None,
    fold: Fold = None,
    designs: Annotated[
        int,
        typer.Option(
            "--fold-from-plan",
            min=1,
            help="Designs per board: the one that `bgru bitstream` takes, then others of `bgru plan`.",
        ),
    ] = 20,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help=SEEDS_HELP)] = 5,
    clock: Annotated[str, typer.Option("--clock", metavar="MHZ|auto|board", help=CLOCK_HELP)] = "auto",
    scheduler: Scheduler = None,
    workers: Workers = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Synthesise, place and route many designs of a network, on all cores or on a cluster.

    Takes the smallest design in real time and others from the Pareto front of `bgru plan`, places each with several
    seeds, counts the toggles of its netlist in a simulation, and writes `<build>/sweep/<bundle>/`: `index.html` with
    the estimates next to what was measured, `sweep.json`, `pareto.svg`, and the bitstream of each design's best seed.
    Without `--bundle` and `--board` it takes every shipped network that fits a board. `--clock board` places each
    design at the board's clock, `--clock auto` at the fastest clock that one such placement has reached. A stopped
    sweep goes on where it was; a job that fails three times is reported with its log, and the others go on.
    docs/sweeps.md has more, and how to use a cluster.

    Example: `bgru sweep --bundle tiny --board icebreaker,icesugar --fold-from-plan 3 --seeds 3`
    """
    from boards.flow.shipped import PRESETS
    from cosim.sweep.run import run
    from model.shipped import bundle_folder

    if board is None and bundle is None:
        swept = [(bundle_folder(name), ",".join(boards)) for name, boards in PRESETS.items()]
    else:
        board = board or DEFAULT_BOARD
        swept = [(bundle_for(bundle, board.split(",")[0]), board)]
    for folder, boards in swept:
        run(folder, boards, fold, designs, seeds, clock, scheduler, workers, build)
