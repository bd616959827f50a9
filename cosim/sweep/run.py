"""Place and route many designs of a network on many machines: `bgru sweep`."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.table import Table

from boards.definitions.registry import Board, find
from boards.flow.bitstream import write as write_bitstream
from boards.flow.bram_patch import insert
from boards.flow.elaboration import bundle_files
from boards.flow.folding_search import Options
from boards.flow.layout import design as smallest
from boards.flow.layout import homed, left, options_of, parse_folding, room, shape, streaming
from boards.flow.plan import Plan, pareto, plan_of
from boards.gateware.top import check_clock
from cosim.bench.netlist import MODELS
from cosim.bench.simulators import simulator_path
from cosim.sweep.activity import excerpt
from cosim.sweep.measure import Design, Measured, jobs_of, measure
from cosim.sweep.page import write_page
from hw.gateware.network import Network
from hw.shape.folding import Folding
from jobs.cluster import connect
from jobs.progress import follow
from jobs.queue import Queue
from jobs.steps import Steps
from jobs.versions import ROUTING, SIMULATION, versions
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import replacing_folder, write_json
from model.reference import audio
from model.reference.denoise import hear
from model.shipped import recording

__all__ = ["clock_of", "plans", "run"]

AUTO, BOARD = "auto", "board"

TOOLS = (*ROUTING, *SIMULATION)
"""Packages whose versions decide the figures."""


def run(
    bundle_folder: Path,
    boards: str,
    fold: list[str] | None,
    count: int,
    seeds: int,
    clock: str,
    scheduler: str | None,
    workers: int | None,
    build: Path,
) -> None:
    """Measure designs, and write the table, the page and the best bitstreams: `bgru sweep`."""
    bundle, files, folding = read_bundle(bundle_folder), bundle_files(bundle_folder), parse_folding(fold or [])
    auto, mhz = clock == AUTO, clock_of(clock)
    features = excerpt(hear(bundle.front_end, audio.read_samples(recording(), bundle.front_end.sample_rate)))
    designs: list[Design] = []
    found: dict[int, Measured] = {}
    refused: dict[str, str] = {}
    for name in boards.split(","):
        board = find(name).at_network_clock(bundle, mhz)
        try:
            designs += _designs(bundle, board, folding, count)
        except BadInput as refusal:
            refused[board.name] = str(refusal)
    if not designs:
        raise BadInput(next(iter(refused.values())))
    if scheduler is None and any(one.board.family.name in MODELS for one in designs):
        simulator_path("verilator", waves=False)  # fail before the work, not after it
    folder = build / "sweep" / bundle.name
    total = sum(jobs_of(one, seeds, auto) for one in designs)
    interrupted = False
    with connect(scheduler, workers, TOOLS) as cluster:
        queue = Queue(cluster, folder / "failed")
        steps: Steps[Measured] = Steps(queue)
        for number, one in enumerate(designs):
            steps.start(number, measure(one, seeds, auto, files, features))
        with suppress(KeyboardInterrupt):
            interrupted = True
            for outcome in follow(queue, total, lambda: table(designs, found)):
                for number, measured in steps.ended(outcome):
                    found[number] = measured
                    _keep_bitstream(designs[number], measured, bundle, folder)
            interrupted = False
    rows = [row(designs[number], found[number], bundle) for number in sorted(found)]
    facts = {
        "bundle": bundle.name,
        "seeds": seeds,
        "clock": clock,
        "versions": versions(TOOLS),
        "designs": rows,
        "refused": refused,
    }
    write_json(folder / "sweep.json", facts)
    write_page(folder, facts)
    for text in (*refused.values(), *(one["refusal"] for one in rows if one["refusal"])):
        console.print(f"refused    {text}")
    console.print(f"page       {folder / 'index.html'}")
    console.print(f"figures    {folder / 'sweep.json'}")
    if interrupted:
        console.print(f"stopped    {len(found)} of {len(designs)} designs are done; the same command does the rest")
        raise KeyboardInterrupt


def clock_of(text: str) -> float | None:
    """MHz of `--clock`; None for `auto` and `board`. Raises `BadInput` for anything but these and a positive number."""
    if text in (AUTO, BOARD):
        return None
    try:
        mhz = float(text)
    except ValueError:
        mhz = float("nan")
    if not 0.001 <= mhz < 1e6:
        raise BadInput(f"--clock: expected auto, board or MHz, got {text!r}")
    return mhz


def plans(options: Mapping[str, Options], bundle: Bundle, board: Board, count: int) -> list[Plan]:
    """At most `count` plans: the one that `bgru bitstream` takes, then Pareto-optimal ones at even distances."""
    rate = bundle.front_end.frame_rate
    first = plan_of(options, smallest(options, bundle, board, rate), board)
    names = streaming(first.design)
    front = pareto(homed(options, board, rate, names), bundle, board, left(room(bundle, board), board, len(names)))
    others = [one for one in front if one.fold != first.fold]
    wanted = min(count - 1, len(others))
    chosen = [others[round(index * (len(others) - 1) / max(1, wanted - 1))] for index in range(wanted)]
    return [first, *chosen]


def _designs(bundle: Bundle, board: Board, folding: Mapping[str, Folding], count: int) -> list[Design]:
    check_clock(board)
    options = options_of(bundle, board, folding)
    found = plans(options, bundle, board, count)
    return [Design(board, plan, Network.of(bundle, shape(options, plan.design))) for plan in found]


def _keep_bitstream(design: Design, measured: Measured, bundle: Bundle, folder: Path) -> None:
    """Write the bitstream of the best placement, if it meets its clock."""
    if measured.best is None or measured.best.short:
        return
    network = Network.of(bundle, design.network.spec)
    with replacing_folder(folder / "bitstreams" / file_name(design)) as target:
        write_bitstream(target, insert(measured.best.design, network), network, design.board)


def file_name(design: Design) -> str:
    """Of the folder with its bitstream."""
    return f"{design.board.name}_{design.plan.fold.replace(' ', '_').replace('=', '-')}"


def row(design: Design, measured: Measured, bundle: Bundle) -> dict[str, Any]:
    """The figures of a design, estimated and measured, ready for JSON."""
    plan, board = design.plan, design.board
    found: dict[str, Any] = {
        "board": board.name,
        "device": board.device,
        "fold": plan.fold,
        "interval": plan.interval,
        "latency": plan.latency,
        "estimate": {"lut4": plan.design.needs["lut4"], "block_ram": plan.design.needs["block_ram"]},
        "refusal": measured.refusal,
    }
    if measured.best is None:
        return found
    active = measured.activity
    return found | {
        "clock_mhz": measured.clock_hz / 1e6,
        "mhz": {str(seed): round(mhz, 2) for seed, mhz in measured.mhz.items()},
        "median_mhz": round(measured.median, 2),
        "best_seed": measured.seed,
        "best_mhz": round(measured.best.mhz, 2),
        "meets_clock": not measured.best.short,
        "latency_ms": 1e3 * plan.latency / measured.clock_hz,
        "real_time": measured.clock_hz / plan.interval / bundle.front_end.frame_rate,
        "synthesised": {"lut4": measured.lut4, "block_ram": measured.block_ram},
        "placed": measured.best.cost,
        "toggles": active
        and {"frame": round(active.toggles), "outputs": active.outputs, "share": round(active.share, 4)},
    }


HEADS = ("board", "folding", "LUT4\nplan", "\nplaced", "clock", "MHz\nmedian", "\nfrom", "\nto")


def table(designs: Sequence[Design], found: Mapping[int, Measured]) -> Table:
    """The designs that are done."""
    made = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for head in HEADS:
        made.add_column(head, justify="left" if head in HEADS[:2] else "right", no_wrap=head != "folding")
    for number in sorted(found):
        design, measured = designs[number], found[number]
        if measured.best is None:
            made.add_row(design.board.name, design.plan.fold, "refused")
            continue
        estimate, cost = design.plan.design.needs["lut4"], measured.best.cost
        made.add_row(
            design.board.name,
            design.plan.fold,
            f"{estimate:,}",
            f"{cost['lut4']:,}",
            f"{measured.clock_hz / 1e6:.1f}",
            f"{measured.median:.1f}",
            f"{min(measured.mhz.values()):.1f}",
            f"{max(measured.mhz.values()):.1f}",
        )
    return made
