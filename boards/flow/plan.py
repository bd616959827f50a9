"""Plan a network for a board: the smallest design in real time, or the Pareto front (`bgru plan`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter
from rich.table import Table

from boards.definitions.registry import Board, find
from boards.flow.bitstream import check_source, print_sound
from boards.flow.folding_search import Design, Needs, Option, Options, area, front
from boards.flow.layout import (
    LINK_WIDTH,
    capacity,
    design,
    homed,
    left,
    options_of,
    parse_folding,
    room,
    sdram_parts,
    shape,
    streaming,
    word_widths,
)
from boards.flow.sdram_bus import SdramBus, network_interval, network_latency
from boards.flow.sound import audio_parts, sound_design, sound_frame_rate, sound_room
from boards.gateware.sdram_layout import SDRAM_BITS
from boards.gateware.sound_core import SHIFTS
from boards.host.protocol import Kind
from hw.shape.audio import AudioSpec
from hw.shape.cycles import predict
from hw.shape.latency import entering
from hw.shape.layer_spec import LayerSpec
from hw.shape.pace import Pace
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.files import replacing

__all__ = ["Plan", "pareto"]

STEP = 0.05
"""Least gain in cycles from one listed design to the next: LUT4 estimates are no more precise."""


@dataclass(frozen=True)
class Plan:
    """A design with its initiation interval and its latency (first word in to last word out), in cycles."""

    design: Design
    interval: int
    latency: int

    def pace(self, board: Board, frame_rate: float) -> Pace:
        """Its pace at the board's clock."""
        return Pace(self.interval, self.latency, board.clock_hz, frame_rate)

    @property
    def fold(self) -> str:
        """Its foldings as `--fold` and `FOLD=` take them."""
        return " ".join(f"{name}={folding}" for name, folding in self.design.foldings.items())


def plan_of(
    options: Mapping[str, Options],
    chosen: Design,
    board: Board,
    ends: tuple[int, int] = (LINK_WIDTH, LINK_WIDTH),
) -> Plan:
    """A design with its cycles: exact, except for the latency of a network that is not `unhurried` or is streamed.

    `ends` are the bits of a word at the network's input and output.
    """
    network = shape(options, chosen, *ends)
    return Plan(chosen, network_interval(network, board), network_latency(network, board))


def pareto(
    options: Mapping[str, Options],
    network_bundle: Bundle,
    board: Board,
    free: Needs | None = None,
    ends: tuple[int, int] = (LINK_WIDTH, LINK_WIDTH),
) -> list[Plan]:
    """The designs that fit the board and are Pareto-optimal in latency and LUT4, the smallest first.

    `free` is what the device has for the network, by default what the link leaves over; `ends` as for `plan_of`.

    The search uses ideal cycles, the final selection exact ones. Each design is at least `STEP` faster than the one
    before. Deep foldings are considered only where no design of shallow ones fits (`Options`).
    """
    free = room(network_bundle, board) if free is None else free
    shallow, deep = ({name: getattr(it, which) for name, it in options.items()} for which in ("shallow", "all"))
    fitting = _fitting(options, shallow, free, ends) or _fitting(options, deep, free, ends)

    def cycles(index: int) -> int:
        return fitting[index][0] + fitting[index][1].ideal

    best = front([(one.needs["lut4"], cycles(index)) for index, (_, one) in enumerate(fitting)])
    thinned: list[int] = []
    for index in best:
        if not thinned or cycles(index) <= (1 - STEP) * cycles(thinned[-1]):
            thinned.append(index)
    plans = [plan_of(options, fitting[index][1], board, ends) for index in thinned]
    return [plans[index] for index in front([(one.design.needs["lut4"], one.latency) for one in plans])]


def _fitting(
    options: Mapping[str, Options], choices: Mapping[str, Sequence[Option]], free: Needs, ends: tuple[int, int]
) -> list[tuple[int, Design]]:
    """The Pareto-optimal designs that fit, each with the cycles that its first layer waits for its input."""
    designs = [(0, Design())]
    for number, (name, choice) in enumerate(choices.items()):
        waits = [entering(options[name].spec(one.folding), ends[0]) if number == 0 else 0 for one in choice]
        points = [(one.ideal + wait, *one.needs.values()) for one, wait in zip(choice, waits, strict=True)]
        layers = [(choice[index], waits[index]) for index in front(points)]
        designs = [
            (before + wait, so_far.joined(name, one)) for (before, so_far), (one, wait) in product(designs, layers)
        ]
        designs = [
            designs[index] for index in front([(wait + one.ideal, *one.needs.values()) for wait, one in designs])
        ]
    return [(wait, one) for wait, one in designs if not one.over(free)]


def run(
    bundle_folder: Path,
    board_name: str,
    frame_rate: float | None,
    fold: list[str] | None,
    clock: float | None,
    build: Path,
    sound: str | None = None,
) -> None:
    """Choose PE, SIMD and packing of each layer before synthesis: `bgru plan`."""
    network_bundle = read_bundle(bundle_folder)
    board = find(board_name)
    folding = parse_folding(fold or [])
    if sound is None:
        board = board.at_network_clock(network_bundle, clock)
        options = options_of(network_bundle, board, folding)
        rate, ends = frame_rate or network_bundle.front_end.frame_rate, (LINK_WIDTH, LINK_WIDTH)
        free = room(network_bundle, board)
        chosen = plan_of(options, design(options, network_bundle, board, rate), board)
    else:
        check_source(sound, SHIFTS, board)
        board = board.at_sound_clock(clock)
        options = options_of(network_bundle, board, folding)
        rate = frame_rate or sound_frame_rate(network_bundle, board)
        free, ends = sound_room(network_bundle, board), word_widths(network_bundle, Kind.SOUND)
        chosen = plan_of(options, sound_design(options, network_bundle, board, rate), board, ends)
    names = streaming(chosen.design)
    options, free = homed(options, board, rate, names), left(free, board, len(names))
    if frame_rate is None:
        plans = pareto(options, network_bundle, board, free, ends)
        console.print(_front_table(plans, board))
        folder = build / board.name / network_bundle.name
        picture = draw(plans, chosen, network_bundle, board)
        for suffix, metadata in (("svg", {"Date": None}), ("png", {})):
            # The same plan is the same file.
            with replacing(folder / f"plan.{suffix}") as temporary, rc_context({"svg.hashsalt": "plan"}):
                picture.savefig(temporary, format=suffix, dpi=150, metadata=metadata)
        console.print(f"picture    {folder / 'plan.svg'}, .png\n")
    around = sdram_parts(len(names)) | ({} if sound is None else audio_parts(network_bundle, board))
    _print(chosen, options, network_bundle, board, rate, around)
    if sound is not None:
        print_sound(network_bundle, shape(options, chosen.design, *ends), board)


def _print(
    plan: Plan,
    options: Mapping[str, Options],
    network_bundle: Bundle,
    board: Board,
    rate: float,
    around: Mapping[str, Needs],
) -> None:
    """The chosen design; `around` are the parts next to the network on the device."""
    out = console.print
    pace = plan.pace(board, rate)
    what = f"{network_bundle.name} on {board.name} ({board.device}), {rate:g} frames/s at {board.clock_hz / 1e6:g} MHz"
    out(what, style="bold", highlight=False)
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    needs_of_all = dict(plan.design.needs)
    for part in around.values():
        for kind, count in part.items():
            needs_of_all[kind] = needs_of_all.get(kind, 0) + count
    kinds = list(needs_of_all)
    layers = [options[name].spec(folding) for name, folding in plan.design.foldings.items()]
    readers = len(streaming(plan.design))
    bus = SdramBus.of(board, rate, readers) if readers else None
    homes = ["weights"] if bus else []
    for head in ("layer", "size", "PE x SIMD", *homes, "cycles", *(TITLES[kind] for kind in kinds)):
        table.add_column(head, justify="left" if head == "layer" else "right")
    for name, folding in plan.design.foldings.items():
        choice = options[name]
        spec = choice.spec(folding)
        needs = {**choice.estimate.resources(folding), "sdram": bus.taken(spec) if bus else 0}
        size = f"{choice.layer.inputs}>{choice.layer.units}"
        counts = (f"{needs.get(kind, 0):,}" for kind in kinds)
        home = [HOMES[folding.weights]] if bus else []
        table.add_row(name, size, str(folding), *home, f"{choice.cycles(folding):,}", *counts)
    for name, part in around.items():
        cycles = f"{AudioSpec.of(network_bundle.front_end, board.family).interval:,}" if name == "audio" else ""
        table.add_row(name, "", "", *("" for _ in homes), cycles, *(f"{part.get(kind, 0):,}" for kind in kinds))
    out(table)
    available = capacity(board, readers)
    for kind, count in needs_of_all.items():
        there = available[kind]
        out(f"{TITLES[kind]:10} {'about ' if kind == 'lut4' else ''}{count:,} of {there:,} ({count / there:.1%})")
    if bus:
        _print_bus(bus, layers)
    out(f"area       {area(needs_of_all, available):.3f}, the sum of the shares of LUT4 and memory")
    out(f"interval   {pace.interval:,} cycles, {pace.rate:,.0f} frames/s")
    out(f"latency    {pace.latency:,} cycles, {pace.ms(pace.latency):.3f} ms")
    out(
        f"slack      a frame comes every {pace.hop:,.0f} cycles, {pace.slack:,.0f} more than it needs; "
        f"from {pace.least_mhz:.2f} MHz on the network keeps up"
    )
    out(f"so         --fold {plan.fold.replace(' ', ' --fold ')}")


TITLES = {"lut4": "LUT4", "block_ram": "RAM", "spram": "SPRAM", "multiplier": "DSP", "sdram": "SDRAM kB/s"}

HOMES = {"rom": "block RAM", "loaded": "SPRAM", "streamed": "SDRAM"}


def _print_bus(bus: SdramBus, layers: list[LayerSpec]) -> None:
    """Bits that lie in the SDRAM, and what sets the pace of each layer that is streamed from there."""
    bits = sum(bus.words(layer) for layer in layers) * SDRAM_BITS
    console.print(f"SDRAM      {bits / 1e6:.1f} of {bus.bits / 1e6:.1f} Mbit, read in every frame")
    for layer in layers:
        if count := bus.words(layer):
            lanes, memory = predict(layer).cycles, bus.cycles(count)
            pace = "memory sets" if bus.limits(layer) else "lanes set"
            console.print(
                f"           {layer.name}: {lanes:,} cycles of its lanes, {memory:,} of memory: {pace} the pace"
            )


def _front_table(plans: list[Plan], board: Board) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    kinds = list(plans[0].design.needs)
    for head in ("latency, ms", "frames/s", *(TITLES[kind] for kind in kinds), "area", "folding"):
        table.add_column(head, justify="left" if head == "folding" else "right", no_wrap=True)
    for plan in plans:
        table.add_row(
            f"{1000 * plan.latency / board.clock_hz:.3f}",
            f"{board.clock_hz / plan.interval:,.0f}",
            *(f"{plan.design.needs[kind]:,}" for kind in kinds),
            f"{area(plan.design.needs, capacity(board, len(streaming(plan.design)))):.3f}",
            plan.fold,
        )
    return table


def draw(plans: list[Plan], chosen: Plan, network_bundle: Bundle, board: Board) -> Figure:
    """The designs by LUT4 and latency, block RAM as colour, real time as a line."""
    milliseconds = 1000 / board.clock_hz
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    shown = [*plans, chosen]
    luts = [plan.design.needs["lut4"] for plan in shown]
    times = [plan.latency * milliseconds for plan in shown]
    blocks = [plan.design.needs["block_ram"] for plan in shown]
    axes.step(luts[:-1], times[:-1], where="post", color="0.75", linewidth=1, zorder=1)
    dots = axes.scatter(luts, times, c=blocks, s=36, edgecolor="white", linewidth=0.6, zorder=2)
    figure.colorbar(dots, ax=axes, label=f"block RAM, of {board.available['block_ram']}")
    hop = 1000 / network_bundle.front_end.frame_rate
    axes.axhline(hop, color="tab:red", linewidth=1.2, zorder=1)
    axes.annotate(
        f"real time: a frame every {hop:g} ms",
        (1, hop),
        xycoords=("axes fraction", "data"),
        xytext=(-4, -4),
        textcoords="offset points",
        ha="right",
        va="top",
        color="tab:red",
    )
    axes.scatter(luts[-1], times[-1], s=130, facecolor="none", edgecolor="black", linewidth=1.5, zorder=3)
    axes.annotate(
        "\n".join([f"smallest area, {blocks[-1]} block RAMs:", *chosen.fold.split()]),
        (luts[-1], times[-1]),
        xytext=(14, 10),
        textcoords="offset points",
        ha="left",
        va="bottom",
        fontsize="small",
    )
    whole = FuncFormatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_major_formatter(whole)
    axes.xaxis.set_minor_formatter(whole)
    axes.tick_params(axis="x", which="both", labelsize="small")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(which="major", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel(f"LUT4, about (of {board.available['lut4']:,})")
    axes.set_ylabel(f"latency of a frame at {board.clock_hz / 1e6:g} MHz, ms")
    axes.set_title(f"{network_bundle.name} on {board.name}: Pareto-optimal designs", loc="left", fontsize="medium")
    return figure
