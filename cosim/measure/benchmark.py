"""Every performance figure next to its target and its reference, measured in this run (`make bench`)."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from amaranth.sim import Simulator
from rich.box import SIMPLE_HEAD
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from boards.definitions.registry import Board, find
from boards.flow.shipped import SHIPPED, Shipped
from cosim.bench.runner import Outcome, Stimulus, simulate
from cosim.bench.simulators import simulator_path
from cosim.measure.paper_size import paper_sized
from cosim.measure.skipping import shares
from hw.flow.components import (
    INTEGER_LANES,
    LANES,
    OPERAND_BITS,
    SEEDS,
    UNITS,
    clock,
    cost,
    integer_row,
    integer_row_cost,
    weight_rom,
)
from hw.flow.rtl import to_rtlil
from hw.flow.synth import Cost, layer_costs, synthesise
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.estimate import weight_use
from hw.shape.family import ECP5, FAMILIES
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS
from model.bundle.front_end import FrontEnd
from model.bundle.read import read_bundle
from model.console import console
from model.reference import audio
from model.reference.denoise import hear
from model.reference.denoise import speed as denoising_speed
from model.reference.golden_model import GoldenModel

PAIRS = Shipped(Path("bundles/small"), "ulx3s_85f", ("gru0=3x21", "mask=3x12"))
"""The preset `small` with two bits a weight."""

PYTHON_CYCLES = 600
DENOISED_SECONDS = 20.0
"""Length of the recording denoised to measure speed: long compared with the cost of the first block."""

PAPER_FRAMES = 200
PRESET_FRAMES = 3
WIDE = {"PFUMX": ("wide_mux", 1), "L6MUX21": ("wide_mux", 1)}

OVER_IDEAL = 1.02
RAM_USE = 0.85
MHZ = 200
WORTH_SKIPPING = 0.20
LUT4_PER_LANE = {"ternary static": 3.0, "binary static": 2.3}


def finn_lut6(weight_bits: int, operand_bits: int) -> float:
    """LUT6 per lane by FINN's formula, `lut_estimation` in matrixvectoractivation_hls.py, for rows of many lanes."""
    both = weight_bits + operand_bits
    return 1.1 * ((2 * -(-both // 6) - 1) * both + 2 * both)


OTHERS_PER_LANE = {
    "ternary static": (f"{finn_lut6(2, 1):.1f} LUT6", "FINN's formula, ternary x binary"),
    "ternary dynamic": ("-", "lanes that can be off: no other system has them"),
    "binary static": (f"{finn_lut6(1, 1):.1f} / 1.4-1.6 LUT6", "FINN's formula / BISMO's builds"),
    "binary dynamic": ("-", "lanes that can be off: no other system has them"),
}


class Row(NamedTuple):
    """A line of the table."""

    figure: str
    ours: str
    target: str
    reference: str
    which_is: str


@dataclass(frozen=True)
class Run:
    """A network on its board, and its simulation."""

    network: Network
    board: Board
    outcome: Outcome


Now = Callable[[str], None]
"""Called with the name of each measurement."""


def run(bundle_folder: Path, recording: Path, board_name: str) -> None:
    """Measure and print every performance figure next to its target and its reference: `bgru bench`."""
    simulator_path("verilator", waves=False)
    given = Shipped(bundle_folder, board_name)
    name = next((name for name, preset in SHIPPED.items() if preset == given), None)
    name = name or f"{bundle_folder.name} on {board_name}"
    network_bundle, board = read_bundle(bundle_folder), find(board_name)
    network_bundle.expect_bitwise()  # refuse now, not after minutes of simulation
    network = given.network()
    features = _features(network_bundle.front_end, recording)

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=console) as bars:
        task = bars.add_task("", total=None)

        def now(what: str) -> None:
            bars.update(task, description=what)

        runs = {}
        for case, preset in (SHIPPED | {name: given}).items():
            now(f"simulate {case}")
            frames = len(features) if case == name else PRESET_FRAMES
            runs[case] = _run(preset, recording, frames)
        now("units by themselves")
        costs = {unit: cost(unit, ECP5) for unit in UNITS}
        groups = [
            list(rows)
            for rows in (
                _speeds(runs[name].outcome, network, features, now),
                *(_cycles(case, run) for case, run in runs.items()),
                _lanes(costs),
                _integer_lanes(now),
                _clocks(board, now),
                *(_memories(case, run.network) for case, run in runs.items()),
                _packing(costs, now),
                _skipping(name, network_bundle, features, now),
                _synthesis(network, costs, now),
            )
        ]

    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("figure", "ours", "target", "reference", "which is"):
        table.add_column(column, justify="left" if column in ("figure", "which is") else "right")
    for rows in groups:
        for row in rows:
            table.add_row(*row)
        table.add_section()
    console.print(table)
    console.print("FINN, BISMO: docs/hardware.md. LUT4 (ECP5) and LUT6 (Xilinx) differ in size. Clock: ECP5-85F,")
    console.print(f"speed grade 6, out of context, between registers, median of {len(SEEDS)} placement seeds.")


def _speeds(outcome: Outcome, network: Network, features: Bits, now: Now) -> Iterator[Row]:
    """Speeds of the simulation and of the golden model."""
    now("Amaranth's simulator")
    rtl, python = outcome.cycles / outcome.seconds, _python_speed(network, features)
    yield Row("RTL simulation, cycles/s", f"{rtl:,.0f}", "", f"{python:,.0f}", "Amaranth's simulator, same design")
    yield Row("  times faster", f"{rtl / python:,.0f} x", "", "1 x", "Amaranth's simulator")
    frame_rate = network.bundle.front_end.frame_rate
    yield Row("  frames/s", f"{outcome.frames / outcome.seconds:.1f}", "", f"{frame_rate:.1f}", "real time")
    now("golden model, paper size")
    paper = paper_sized()
    begin = time.perf_counter()
    GoldenModel(paper).masks(
        np.random.default_rng(0).integers(0, 2, (PAPER_FRAMES, paper.front_end.features), dtype=np.uint8)
    )
    speed = PAPER_FRAMES / (time.perf_counter() - begin)
    frame_rate = paper.front_end.frame_rate
    yield Row("golden model, 1024 units, frames/s", f"{speed:,.0f}", "", f"{frame_rate:.1f}", "real time")
    for name, made, least in ((network.bundle.name, network.bundle, 50), ("1024 units", paper, 5)):
        now(f"denoising, {name}")
        times = denoising_speed(made, DENOISED_SECONDS)
        yield Row(f"denoising, {name}", f"{times:.0f} x", _target(times >= least, f">= {least} x"), "1 x", "real time")


def _cycles(name: str, run: Run) -> Iterator[Row]:
    """One network on its board: cycles per frame, summed over its layers, and latency."""
    layers = run.network.layers
    predicted = {layer: predict(layers[layer].spec).cycles for layer in layers}
    ideal = run.network.spec.ideal
    for how, cycles in (
        ("predicted", sum(predicted.values())),
        ("measured", sum(max(each) for each in run.outcome.layer_cycles.values())),
    ):
        over = cycles / ideal
        yield Row(
            f"{name}, cycles/frame, {how}",
            f"{cycles:,} = {over:.4f} x",
            _target(over <= OVER_IDEAL, f"<= {OVER_IDEAL} x"),
            f"{ideal:,}",
            "ideal: ceil(rows/PE) x ceil(columns/SIMD)",
        )
    latency = run.outcome.latency
    milliseconds = 1000 / run.board.clock_hz
    yield Row(
        f"{name}, latency in cycles",
        f"{latency:,} = {latency * milliseconds:.3f} ms",
        "",
        f"{max(predicted.values()):,}",
        f"initiation interval; ms: at {run.board.clock_hz / 1e6:g} MHz",
    )


def _lanes(costs: Mapping[str, Cost]) -> Iterator[Row]:
    """LUT4 per lane of the MVUs."""
    for unit, (reference, source) in OTHERS_PER_LANE.items():
        lut4 = costs[unit]["lut4"] / LANES
        limit = LUT4_PER_LANE.get(unit)
        target = "" if limit is None else _target(lut4 <= limit, f"<= {limit}")
        yield Row(f"{unit}, {LANES} lanes, LUT4/lane", f"{lut4:.2f} LUT4", target, reference, source)


def _integer_lanes(now: Now) -> Iterator[Row]:
    """LUT4 per lane of a row of integers in each format, by family; with multipliers where Yosys takes them."""
    names = " / ".join(FAMILIES)
    for name in dict.fromkeys(format.name for format in WEIGHT_FORMATS.values()):
        format = WEIGHT_FORMATS[name]
        for multipliers in (0, INTEGER_LANES):
            found = []
            for family in FAMILIES.values():
                now(f"{name} lanes, {family.name}")
                most = integer_row(format, family).most_multipliers
                cost = integer_row_cost(format, family, multipliers) if multipliers <= most else None
                found.append("-" if cost is None else f"{cost['lut4'] / INTEGER_LANES:.0f}")
            if set(found) == {"-"}:
                continue
            what = "LUT4 and a multiplier" if multipliers else "LUT4"
            yield Row(
                f"{name} x {OPERAND_BITS} bits, {INTEGER_LANES} lanes, {what}/lane",
                f"{' / '.join(found)} LUT4",
                "",
                "-" if multipliers or format.exponent else f"{finn_lut6(format.bits, OPERAND_BITS):.0f} LUT6",
                f"{names}; FINN's formula",
            )


def _clocks(board: Board, now: Now) -> Iterator[Row]:
    """MHz of every unit."""
    for unit in UNITS:
        now(f"clock, {unit}")
        mhz = clock(unit)
        target = _target(mhz >= MHZ, f">= {MHZ}") if unit in OTHERS_PER_LANE else ""
        yield Row(f"{unit}, MHz", f"{mhz:.0f}", target, f"{board.clock_hz / 1e6:g}", f"the {board.name}'s oscillator")


def _memories(name: str, network: Network) -> Iterator[Row]:
    """How full the RAM blocks of each layer's weights are."""
    for layer in network.layers.values():
        used, allocated = weight_use(layer.spec)
        rom = layer.folding.weights == "rom"
        yield Row(
            f"{name}, {layer.spec.name} {layer.folding}, weight bits",
            f"{used:,} = {used / allocated:.1%}",
            _target(used >= RAM_USE * allocated, f">= {RAM_USE:.0%}") if rom else "",
            f"{allocated:,}",
            f"bits of their {'block RAMs' if rom else 'single-port RAMs'}",
        )


def _packing(costs: Mapping[str, Cost], now: Now) -> Iterator[Row]:
    """The cost of five weights in eight bits, and the saving in `small`."""
    per_weight = costs["trit decoder"]["lut4"] / LANES
    yield Row("trit decoder, LUT4/weight", f"{per_weight:.2f}", "", "0", "weights as two planes")
    networks = [preset.network() for preset in (SHIPPED["small"], PAIRS)]
    packed, plain = (
        layer_costs(network, lambda layer: now(f"synthesise {layer} of small, packed and not"))["gru0"]
        for network in networks
    )
    folding, folding_of_pairs = (network.layers["gru0"].folding for network in networks)
    for resource, what in (("block_ram", "block RAM"), ("lut4", "LUT4")):
        yield Row(
            f"small, gru0 {folding}, {what}",
            f"{packed[resource]:,} ({packed[resource] - plain[resource]:+,})",
            "",
            f"{plain[resource]:,}",
            f"gru0 {folding_of_pairs}, two bits a weight",
        )


def _skipping(name: str, network_bundle: Bundle, features: Bits, now: Now) -> Iterator[Row]:
    """Shares of cycles that could be skipped: for each kind, at the folding with the largest share."""
    now("what could be skipped")
    best: dict[str, tuple[float, str]] = {}
    for what, share in shares(network_bundle, features):
        kind = what.split(", ")[0]
        best[kind] = max(best.get(kind, (0.0, what)), (share, what))
    for share, what in best.values():
        built = "" if share < WORTH_SKIPPING else ", reached"
        yield Row(
            f"{name}, {what}", f"{share:.1%}", "", f"{WORTH_SKIPPING:.0%}", f"share from which it would be built{built}"
        )


def _synthesis(network: Network, costs: Mapping[str, Cost], now: Now) -> Iterator[Row]:
    """The gain from slices and from the synthesis options."""
    now("block RAM slices")
    sliced, whole = costs["weight rom"], synthesise(to_rtlil(weight_rom(ECP5, sliced=False), "rom"), "rom", ECP5)
    yield Row(
        "ROM of 16,384 x 16, LUT4 / block RAM",
        f"{sliced['lut4']} / {sliced['block_ram']}",
        "",
        f"{whole['lut4']} / {whole['block_ram']}",
        "the same, not cut into slices",
    )
    last = list(network.layers.values())[-1]
    now("wide multiplexers")
    text = to_rtlil(last, "last")
    wide = replace(ECP5, synthesis=ECP5.synthesis.replace(" -nowidelut", ""), cells={**ECP5.cells, **WIDE})
    with_wide = synthesise(text, "last", wide)
    yield Row(
        f"layer {last.spec.name}, LUT4 with -nowidelut",
        f"{synthesise(text, 'last', ECP5)['lut4']}",
        "",
        f"{with_wide['lut4']} + {with_wide['wide_mux']}",
        "without it: LUT4 + wide multiplexers",
    )


def _target(met: bool, text: str) -> str:
    return text if met else f"missed: {text}"


def _features(front_end: FrontEnd, recording: Path) -> Bits:
    return hear(front_end, audio.read_samples(recording, front_end.sample_rate))


def _run(preset: Shipped, recording: Path, frames: int) -> Run:
    """Simulate the first frames of a recording; every bit must be the golden model's."""
    network = preset.network()
    features = _features(network.bundle.front_end, recording)[:frames]
    outcome = simulate(network, network.bundle, Stimulus([features]), quick_build=len(features) <= PRESET_FRAMES)
    if outcome.mismatch is not None:
        console.print(f"MISMATCH {outcome.mismatch}")
        raise SystemExit(1)
    return Run(network, find(preset.board), outcome)


def _python_speed(network: Network, features: Bits) -> float:
    """Cycles per second of Amaranth's simulator on the running network."""
    width = network.in_width
    spare = -features.shape[1] % width
    words = np.pad(features[:2], ((0, 0), (0, spare))).reshape(-1, width)

    async def drive(ctx):  # type: ignore[no-untyped-def]  # Amaranth's simulator has no types
        ctx.set(network.o.ready, 1)
        for word in words:
            ctx.set(network.i.payload.data, int.from_bytes(np.packbits(word, bitorder="little").tobytes(), "little"))
            ctx.set(network.i.valid, 1)
            taken = 0
            while not taken:
                *_, taken = await ctx.tick().sample(network.i.ready)
        ctx.set(network.i.valid, 0)

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run_until(1e-6 * 100)  # compiled, and the first frame in progress
    begin = time.perf_counter()
    simulator.run_until(1e-6 * (100 + PYTHON_CYCLES))
    return PYTHON_CYCLES / (time.perf_counter() - begin)
