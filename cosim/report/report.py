"""What is known of a bundle on a board, as a table and as a page (`make report`)."""

from pathlib import Path
from typing import Annotated

import typer

from boards.definitions.registry import BOARDS, find
from boards.flow.layout import lay_out, parse_folding
from boards.flow.verilog import print_use
from cosim.report.page import MADE_BY, write
from hw.flow import results
from model import cli
from model.bundle import bundle


def main(
    bundle_folder: Annotated[Path, typer.Option("--bundle", help="The network.")] = Path("bundles/small"),
    board_name: Annotated[str, typer.Option("--board", help=f"One of {', '.join(BOARDS)}.")] = "ulx3s_85f",
    fold: Annotated[list[str] | None, typer.Option(help="LAYER=PExSIMD, as it was given to those.")] = None,
    build: Annotated[Path, typer.Option(help="Where results are.")] = Path("build"),
) -> None:
    """Print estimate, simulation and synthesis side by side, and write a page for a design review.

    The estimates are made afresh; the measurements are those that `make sim`, `make verilog` and `make bitstream` left
    of this very network and folding in `<build>/<board>/<bundle>/report/*.json`. What is missing is named with the
    command that makes it. The page, `<build>/<board>/<bundle>/report/index.html`, needs no other file and no network.
    """
    board = find(board_name)
    network_bundle = bundle.read(bundle_folder)
    network = lay_out(network_bundle, board, parse_folding(fold or []))
    folder = build / board.name / network_bundle.name
    found = results.read(network, folder / "report")
    options = f"BOARD={board.name} BUNDLE={bundle_folder}" + (f' FOLD="{" ".join(fold)}"' if fold else "")
    page = folder / "report" / "index.html"
    write(page, board, network, build, options)

    cli.console.print(results.layer_table(network, folder / "report"))
    bits = {name: layer["bits"] for name, layer in found["estimate_layer_resources"].items()}
    cli.console.print(f"memory               {sum(bits.values()):,} bits")
    interval = max(layer["cycles"] for layer in found["estimate_layer_cycles"].values())
    rate = board.clock_hz / interval
    real_time = rate / network_bundle.front_end.frame_rate
    cli.console.print(
        f"at {board.clock_hz / 1e6:g} MHz            {rate:,.0f} frames/s, {real_time:.0f} x real time (network alone)"
    )
    for stage, command in MADE_BY.items():
        if stage not in found:
            cli.console.print(f"not measured yet     {stage}: {command} {options}")
    cli.console.print(f"page                 {page}")
    if "synth_top_resources" in found:
        print_use(board, found["synth_top_resources"]["top"])


if __name__ == "__main__":
    cli.run(main)
