"""Verilog, constraints and counts of a bundle for a board (`make verilog`)."""

from pathlib import Path

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from boards.definitions.registry import Board, find
from boards.flow.elaboration import top_rtlil
from boards.flow.layout import lay_out, parse_folding
from boards.flow.measured import results_of
from hw.flow.rtl import rtlil_to_verilog
from hw.flow.synth import Cost, layer_costs, synthesise
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import replacing_folder

DESIGN = "design.key"
"""File in the `verilog` folder with the key of the top that it holds (`boards.flow.measured`)."""


def run(bundle_folder: Path, board_name: str, fold: list[str] | None, clock: float | None, build: Path) -> None:
    """Write a network as Verilog for a board, synthesise it, and count its resources: `bgru verilog`."""
    network_bundle = read_bundle(bundle_folder)
    board = find(board_name).at_network_clock(network_bundle, clock)
    network = lay_out(network_bundle, board, parse_folding(fold or []))
    folder = build / board.name / network_bundle.name
    results = results_of(network, board, build)

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bars:
        task = bars.add_task("generate", total=None)
        rtlil, pins = top_rtlil(network, board)
        with replacing_folder(folder / "verilog") as target:
            rtlil_to_verilog(rtlil, "top", target)
            constraints = f"top.{board.family.constraints}"
            (target / constraints).write_text(pins)
            bars.update(task, description="synthesise the whole top")
            cost = synthesise(rtlil, "top", network.synthesis_family, netlist=target / "top.json")
            (target / DESIGN).write_text(results.keys["synth_top_resources"])
        costs = layer_costs(network, lambda name: bars.update(task, description=f"synthesise {name} by itself"))
        bars.update(task, description="done", total=1, completed=1)
    results.write("synth_layer_resources", costs)
    results.write("synth_top_resources", {"top": cost})

    console.print(results.table())
    print_use(board, cost)
    check_room(board, cost)
    console.print(f"Verilog, constraints, netlist   {folder / 'verilog'}")


def print_use(board: Board, cost: Cost) -> None:
    """Print each resource that a whole top takes, next to the device's total."""
    for resource, used in cost.items():
        available = board.available[resource]
        console.print(f"{resource:10} {used:>7,} of {available:>7,} ({used / available:.0%}) on {board.device}")


def check_room(board: Board, cost: Cost) -> None:
    """Raise `BadInput` for a resource that the device has too little of."""
    for resource, used in cost.items():
        if used > board.available[resource]:
            there = f"the {board.device} has {board.available[resource]:,} {resource}"
            raise BadInput(f"{board.name}: {there}, the design needs {used:,}")
