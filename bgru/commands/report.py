"""`bgru report`."""

from bgru.options import DEFAULT_BOARD, DEFAULT_BUILD, Board, Build, Bundle, Clock, Fold, bundle_for


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    clock: Clock = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Print estimate, simulation, synthesis and placement side by side, and write a page for a design review.

    Estimates are made now; measurements are those that `bgru sim`, `verilog` and `bitstream` left of this very design
    in `<build>/<board>/<bundle>/report/`. What is missing is named with the command that makes it. The page,
    `index.html` in that folder, needs no other file and no network.

    Example: `bgru report --board icebreaker`
    """
    from cosim.report.report import run

    run(bundle_for(bundle, board), board, fold, clock, build)
