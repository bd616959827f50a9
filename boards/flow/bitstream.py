"""A bitstream of a bundle for a board (`make bitstream`)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from boards.definitions.registry import Board, find
from boards.flow.bram_patch import insert, placeholder
from boards.flow.elaboration import top_rtlil
from boards.flow.layout import lay_out, parse_folding
from boards.flow.measured import results_of
from boards.flow.packers import PACKERS, pack_bitstream
from boards.flow.verilog import print_use
from boards.gateware.flash import image
from hw.flow.place import Placement, place
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.latency import latency
from hw.shape.pace import Pace
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import replacing_folder

__all__ = ["Routed", "route", "short_of_timing"]


SEEDS = 8
"""Placements to try for the clock, unless asked for another number."""


@dataclass(frozen=True)
class Routed:
    """A placed and routed shape, which the weights of any network of that shape can be written into."""

    placement: Placement
    seed: int


def route(network: Network, board: Board, seeds: int, progress: Callable[[str], None]) -> Routed:
    """Place and route the network's shape for a board, with as many seeds as it takes to meet the clock.

    The stand-in's RTLIL decides what is synthesised and placed, so both come from the cache for another bundle of the
    same shape. Raises `BadInput` where none of `seeds` placements meets the clock; they stay in the cache with their
    logs, and more seeds go on after them.
    """
    progress("elaborate the shape")
    rtlil, constraints = top_rtlil(placeholder(network.bundle, network.spec), board)
    tries: list[Placement] = []
    with TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        progress("synthesise the shape")
        synthesise(rtlil, "top", board.family, netlist)
        for seed in range(1, seeds + 1):
            best = f", {max(placement.mhz for placement in tries):.1f} MHz so far" if tries else ""
            progress(f"place and route, seed {seed} of at most {seeds}{best}")
            placement = place(netlist, board.family, board.part.router, board.clock_hz, seed, constraints)
            if not placement.short:
                return Routed(placement, seed)
            tries.append(placement)
    best_try = max(tries, key=lambda placement: placement.mhz)
    raise BadInput(f"{short_of_timing(board, best_try.mhz, seeds)}; log of the best: {best_try.log}")


def short_of_timing(board: Board, mhz: float, placements: int) -> str:
    """What routing missed, and what to do about it."""
    asked = board.clock_hz / 1e6
    return (
        f"{board.name}: routing reached {mhz:.1f} of the {asked:g} MHz asked for in {placements} placements, "
        f"{1e3 / mhz - 1e3 / asked:.2f} ns a cycle too slow; ask for --clock {int(mhz)} or less, "
        "or for fewer lanes with --fold"
    )


def write(folder: Path, routed: Routed, network: Network, board: Board) -> list[str]:
    """Write the bitstream into a folder, and the flash image if there are weights to load; returns their names."""
    (folder / PACKERS[board.family.name].design).write_text(insert(routed.placement.design, network))
    bitstream = pack_bitstream(folder, board.family)
    if board.flash_offset is None:
        return [bitstream.name]
    configuration = bitstream.read_bytes()
    if len(configuration) > board.flash_offset:
        raise BadInput(
            f"{board.name}: expected a bitstream of at most {board.flash_offset:,} bytes before the weights, "
            f"got {len(configuration):,}"
        )
    (folder / "flash.bin").write_bytes(configuration.ljust(board.flash_offset, b"\xff") + image(network))
    return [bitstream.name, "flash.bin"]


def how_to_program(board: Board, file: Path) -> list[str]:
    """The command that loads a file, and the one that makes it stay, where that is another."""
    if board.keep is None:
        return [f"program    {board.program.format(file)}"]
    return [
        f"program    {board.program.format(file)}  (until power-off)",
        f"keep       {board.keep.format(file)}  (in flash)",
    ]


def run(
    bundle_folder: Path, board_name: str, fold: list[str] | None, clock: float | None, seeds: int, build: Path
) -> None:
    """Make a bitstream of a bundle for a board, from the plan to the file: `bgru bitstream`."""
    board = find(board_name).at(clock)
    network_bundle = read_bundle(bundle_folder)
    network = lay_out(network_bundle, board, parse_folding(fold or []))
    folder = build / board.name / network_bundle.name
    results = results_of(network, board, build)

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bars:
        task = bars.add_task("plan", total=None)
        routed = route(network, board, seeds, lambda it: bars.update(task, description=it))
        bars.update(task, description="write the weights into it")
        with replacing_folder(folder / "bitstream") as target:
            files = write(target, routed, network, board)
        bars.update(task, description="done", total=1, completed=1)
    placement = routed.placement
    timing = {"constraint_mhz": board.clock_hz / 1e6, "achieved_mhz": placement.mhz, "seed": routed.seed}
    results.write("pnr", {"top": {**placement.cost, **timing}})

    print_use(board, placement.cost)
    _print_pace(network, board, placement.mhz)
    for name in files:
        console.print(f"{'bitstream' if name == files[0] else 'flash':10} {folder / 'bitstream' / name}")
    for line in how_to_program(board, folder / "bitstream" / files[-1]):
        console.print(line, soft_wrap=True)


def _print_pace(network: Network, board: Board, reached_mhz: float) -> None:
    out = console.print
    layers = {name: predict(layer.spec).cycles for name, layer in network.layers.items()}
    slowest = max(layers, key=lambda name: layers[name])
    pace = Pace(layers[slowest], latency(network.spec), board.clock_hz, network.bundle.front_end.frame_rate)
    asked_ns, reached_ns = 1e9 / pace.clock_hz, 1e3 / reached_mhz
    out(f"folding    {', '.join(f'{name}={layer.folding}' for name, layer in network.layers.items())}")
    out(f"clock      {reached_mhz:.1f} MHz reached of {pace.clock_hz / 1e6:g}: ", end="")
    out(f"slack {asked_ns - reached_ns:.2f} ns of {asked_ns:.2f}")
    out(f"cycles     {pace.interval:,} per frame (layer {slowest}): {pace.rate:,.0f} frames/s, network alone")
    out(f"latency    {pace.latency:,} cycles, {pace.ms(pace.latency):.3f} ms")
    out(f"real time  {pace.frame_rate:g} frames/s, {pace.ms(pace.hop):g} ms each: ", end="")
    out(f"{pace.ms(pace.hop - pace.latency):.3f} ms of slack, {pace.real_time:,.0f} x as fast")
