"""All figures of a bundle on a board, as a table and as a page (`make report`)."""

import shlex
from collections.abc import Mapping
from pathlib import Path

from boards.definitions.registry import Board, find
from boards.flow.layout import lay_out, parse_folding
from boards.flow.measured import results_of
from boards.flow.sdram_bus import network_interval, network_latency
from boards.flow.verilog import print_use
from cosim.report.page import stages, write
from cosim.report.sound import Sound
from hw.shape.folding import Folding
from hw.shape.pace import Pace
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.shipped import bundle_folder as shipped_folder


def run(bundle_folder: Path, board_name: str, fold: list[str] | None, clock: float | None, build: Path) -> None:
    """Print estimate, simulation and synthesis side by side, and write a page for a design review: `bgru report`."""
    network_bundle = read_bundle(bundle_folder)
    board = find(board_name).at_network_clock(network_bundle, clock)
    folding = parse_folding(fold or [])
    network = lay_out(network_bundle, board, folding)
    results = results_of(network, board, build)
    found = results.read()
    options = _options(board, bundle_folder, fold, clock)
    page = results.folder / "index.html"
    sound = _sound(network_bundle, board_name, folding, clock, build)
    write(page, board, results, sound, build, options)

    console.print(results.table())
    bits = {name: layer["bits"] for name, layer in found["estimate_layer_resources"].items()}
    console.print(f"memory               {sum(bits.values()):,} bits")
    interval = network_interval(network.spec, board)
    pace = Pace(interval, network_latency(network.spec, board), board.clock_hz, network_bundle.front_end.frame_rate)
    console.print(
        f"at {board.clock_hz / 1e6:g} MHz            {pace.rate:,.0f} frames/s, "
        f"{pace.real_time:.0f} x real time (network alone)"
    )
    for stage, command, there in stages(found, sound):
        if not there:
            console.print(f"not measured yet     {stage}: {command} {options}")
    console.print(f"page                 {page}")
    for stage in ("pnr", "synth_top_resources"):
        if stage in found:
            print_use(board, {kind: count for kind, count in found[stage]["top"].items() if kind in board.available})
            break


def _sound(
    bundle: Bundle, board_name: str, folding: Mapping[str, Folding], clock: float | None, build: Path
) -> Sound | str:
    """The denoiser at its own clock, or why there is none."""
    try:
        return Sound.of(bundle, find(board_name).at_sound_clock(clock), folding, build)
    except BadInput as refusal:
        return str(refusal)


def _options(board: Board, bundle_folder: Path, fold: list[str] | None, clock: float | None) -> str:
    """The options with which the other commands measure this design; a shipped bundle goes by its name."""
    shipped = bundle_folder == shipped_folder(bundle_folder.name)
    words = ["--board", board.name, "--bundle", bundle_folder.name if shipped else str(bundle_folder)]
    for item in fold or ():
        words += ["--fold", item]
    return shlex.join(words if clock is None else [*words, "--clock", f"{clock:g}"])
