"""`bgru verilog`."""

from bgru.options import DEFAULT_BOARD, DEFAULT_BUILD, Board, Build, Bundle, Clock, Fold, bundle_for


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    clock: Clock = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Write a network as Verilog for a board, synthesise it, and count its resources.

    Writes `<build>/<board>/<bundle>/verilog/`: `top.v` with its memory files, the pin constraints, and the netlist
    `top.json` for nextpnr. The top speaks the host protocol (docs/host.md) on the board's UART. Prints the LUT4, FF and
    block RAM of each layer out of context, and those of the whole top next to the device's totals.

    Example: `bgru verilog --board icebreaker`
    """
    from boards.flow.verilog import run

    run(bundle_for(bundle, board), board, fold, clock, build)
