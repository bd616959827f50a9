"""What is known of a bundle on a board, as a table and as a page (`make report`)."""

from pathlib import Path
from typing import Annotated

import typer

from boards.definitions.registry import BOARDS, find
from boards.flow.layout import lay_out, parse_folding
from boards.flow.measured import results_of
from boards.flow.verilog import print_use
from cosim.report.page import MADE_BY, write
from hw.shape.latency import latency
from hw.shape.pace import Pace
from model import cli
from model.bundle import bundle


def main(
    bundle_folder: Annotated[Path, typer.Option("--bundle", help="The network.")] = Path("bundles/small"),
    board_name: Annotated[str, typer.Option("--board", help=f"One of {', '.join(BOARDS)}.")] = "ulx3s_85f",
    fold: Annotated[list[str] | None, typer.Option(help="LAYER=PExSIMD, as it was given to those.")] = None,
    clock: Annotated[float | None, typer.Option(help="MHz of the network, as given to `bitstream`.")] = None,
    build: Annotated[Path, typer.Option(help="Where results are.")] = Path("build"),
) -> None:
    """Print estimate, simulation and synthesis side by side, and write a page for a design review.

    The estimates are made afresh; the measurements are those that `make sim`, `make verilog` and `make bitstream` left
    of this very network and folding in `<build>/<board>/<bundle>/report/*.json`. What is missing is named with the
    command that makes it. The page, `<build>/<board>/<bundle>/report/index.html`, needs no other file and no network.
    """
    board = find(board_name).at(clock)
    network_bundle = bundle.read(bundle_folder)
    network = lay_out(network_bundle, board, parse_folding(fold or []))
    results = results_of(network, board, build)
    found = results.read()
    options = f"BOARD={board.name} BUNDLE={bundle_folder}" + (f' FOLD="{" ".join(fold)}"' if fold else "")
    options += f" CLOCK={clock:g}" if clock else ""
    page = results.folder / "index.html"
    write(page, board, results, build, options)

    cli.console.print(results.table())
    bits = {name: layer["bits"] for name, layer in found["estimate_layer_resources"].items()}
    cli.console.print(f"memory               {sum(bits.values()):,} bits")
    interval = max(layer["cycles"] for layer in found["estimate_layer_cycles"].values())
    pace = Pace(interval, latency(network.spec), board.clock_hz, network_bundle.front_end.frame_rate)
    cli.console.print(
        f"at {board.clock_hz / 1e6:g} MHz            {pace.rate:,.0f} frames/s, "
        f"{pace.real_time:.0f} x real time (network alone)"
    )
    for stage, command in MADE_BY.items():
        if stage not in found:
            cli.console.print(f"not measured yet     {stage}: {command} {options}")
    cli.console.print(f"page                 {page}")
    for stage in ("pnr", "synth_top_resources"):
        if stage in found:
            print_use(board, {kind: count for kind, count in found[stage]["top"].items() if kind in board.available})
            break


if __name__ == "__main__":
    cli.run(main)
