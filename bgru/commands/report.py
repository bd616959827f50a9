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

    Estimates are computed now; measurements are those that `bgru sim`, `verilog` and `bitstream` left for this exact
    design in `<build>/<board>/<bundle>/report/`. Missing ones are listed with the command that makes them. The page,
    `index.html` in that folder, needs no other file and no network.

    Example: `bgru report --board icebreaker`
    """
    from cosim.report.report import run

    run(bundle_for(bundle, board), board, fold, clock, build)
