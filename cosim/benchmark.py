"""Every performance figure beside its reference, measured in this run (`make bench`)."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Annotated

import numpy as np
import typer
from amaranth.sim import Simulator
from rich.box import SIMPLE_HEAD
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from boards.board import find
from boards.fit import lay_out
from cosim.runner import Stimulus, simulate
from hw.arithmetic import Arithmetic, Binary, Ternary
from hw.family import ECP5
from hw.memory import CyclicMemory
from hw.mvu import MVU
from hw.network import Network
from hw.place import ecp5_fmax
from hw.rtl import to_rtlil
from hw.synth import synthesise
from model import audio, bundle, cli
from model.bits import Bits, pack
from model.bundle import Bundle, Layer, Matrix
from model.frontend import FrontEnd
from model.golden import GoldenModel

PYTHON_CYCLES = 600
PAPER_FRAMES = 200
LANES = 64
SEEDS = (1, 2, 3)
WIDE = {"PFUMX": ("wide_mux", 1), "L6MUX21": ("wide_mux", 1)}


def main(
    bundle_folder: Annotated[Path, typer.Option("--bundle", help="The network.")] = Path("bundles/small"),
    recording: Annotated[Path, typer.Option(help="Noisy recording.")] = Path("samples/noisy.flac"),
    board_name: Annotated[str, typer.Option("--board", help="Whose clock and memories count.")] = "ulx3s_85f",
    build: Annotated[Path, typer.Option(help="Where intermediate files go.")] = Path("build"),
) -> None:
    """Measure and print every performance figure beside its reference.

    Simulation speed against Amaranth's own simulator, cycles against the ideal, the golden model against real
    time, LUT4 per lane against FINN's and BISMO's figures, clock against the board's. Takes a few minutes.
    """
    board = find(board_name)
    network_bundle = bundle.read(bundle_folder)
    front_end = network_bundle.front_end
    noisy = audio.read(recording, front_end.sample_rate)
    features = front_end.encode(front_end.stft(front_end.normalise(noisy)[0]))
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("figure", "ours", "reference", "which is"):
        table.add_column(column, justify="left" if column in ("figure", "which is") else "right")

    with Progress(SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=cli.console) as bars:
        task = bars.add_task("", total=None)

        def now(what: str) -> None:
            bars.update(task, description=what)

        now("Verilator")
        network = lay_out(network_bundle, board, {})
        outcome = simulate(network, network_bundle, Stimulus([features]), build / "bench")
        if outcome.mismatch is not None:
            cli.console.print(f"[red]MISMATCH[/red] {outcome.mismatch}")
            raise typer.Exit(1)
        rtl_speed = outcome.cycles / outcome.seconds
        now("Amaranth's simulator")
        python_speed = _python_speed(lay_out(network_bundle, board, {}), features)
        table.add_row(
            "RTL simulation, cycles/s", f"{rtl_speed:,.0f}", f"{python_speed:,.0f}", "Amaranth's simulator, same design"
        )
        table.add_row(
            "RTL simulation, times faster", f"{rtl_speed / python_speed:,.0f} x", "1 x", "Amaranth's simulator"
        )
        table.add_row(
            "RTL simulation, frames/s",
            f"{outcome.frames / outcome.seconds:.1f}",
            f"{front_end.frame_rate:.1f}",
            "real time",
        )

        ideal = sum(layer.ideal for layer in network.layers.values())
        measured = sum(max(cycles) for cycles in outcome.layer_cycles.values())
        table.add_row(
            f"{network_bundle.name}, cycles/frame",
            f"{measured:,}",
            f"{ideal:,}",
            "ideal: ceil(rows/PE) x ceil(cols/SIMD)",
        )
        table.add_row("  over ideal", f"{measured / ideal:.4f} x", "1.05 x", "the limit that we set")

        now("golden model, paper size")
        paper = _paper_sized()
        begin = time.perf_counter()
        GoldenModel(paper).masks(
            np.random.default_rng(0).integers(0, 2, (PAPER_FRAMES, paper.front_end.features), dtype=np.uint8)
        )
        speed = PAPER_FRAMES / (time.perf_counter() - begin)
        table.add_row(
            "golden model, 1024 units, frames/s", f"{speed:,.0f}", f"{paper.front_end.frame_rate:.1f}", "real time"
        )

        for arithmetic, dynamic, reference, source in (
            (Ternary(), False, "9.9 LUT6", "FINN's formula, ternary x binary"),
            (Ternary(), True, "-", "lanes that can be off: no other system has them"),
            (Binary(), False, "6.6 / 1.4-1.6 LUT6", "FINN's formula / BISMO's builds"),
        ):
            now(f"LUT4 per lane, {arithmetic.name}")
            text = _mvu(arithmetic, dynamic)
            lut4 = synthesise(text, "mvu", ECP5)["lut4"] / LANES
            name = f"{arithmetic.name}{', dynamic' if dynamic else ''}, {LANES} lanes"
            table.add_row(f"{name}, LUT4/lane", f"{lut4:.2f} LUT4", reference, source)
            now(f"clock, {arithmetic.name}")
            mhz = median(ecp5_fmax(text, "mvu", seed) for seed in SEEDS)
            table.add_row(f"{name}, MHz", f"{mhz:.0f}", f"{board.clock_hz / 1e6:g}", f"the {board.name}'s oscillator")

        now("block RAM slices")
        rom = {name: synthesise(_rom(width), "rom", ECP5) for name, width in (("sliced", 1), ("in one piece", 16))}
        table.add_row(
            "ROM of 16,384 x 16, LUT4 / block RAM",
            f"{rom['sliced']['lut4']} / {rom['sliced']['block_ram']}",
            f"{rom['in one piece']['lut4']} / {rom['in one piece']['block_ram']}",
            "the same, not cut into slices",
        )
        last = list(network.layers.values())[-1]
        now("wide multiplexers")
        text = to_rtlil(last, "last")
        wide = replace(ECP5, synthesis=ECP5.synthesis.replace(" -nowidelut", ""), cells={**ECP5.cells, **WIDE})
        with_wide = synthesise(text, "last", wide)
        table.add_row(
            f"layer {last.layer.name}, LUT4 with -nowidelut",
            f"{synthesise(text, 'last', ECP5)['lut4']}",
            f"{with_wide['lut4']} + {with_wide['wide_mux']}",
            "without it: LUT4 + wide multiplexers",
        )

    cli.console.print(table)
    cli.console.print("FINN, BISMO: docs/hardware.md. LUT4 (ECP5) and LUT6 (Xilinx) differ in size. Clock: ECP5-85F,")
    cli.console.print(f"speed grade 6, out of context, median of {len(SEEDS)} placement seeds.")


def _python_speed(network: Network, features: Bits) -> float:
    """Cycles per second of Amaranth's simulator on the network at work."""
    width = network.in_width
    spare = -features.shape[1] % width
    words = np.pad(features[:2], ((0, 0), (0, spare))).reshape(-1, width)

    async def drive(ctx):  # type: ignore[no-untyped-def]  # Amaranth's simulator has no types
        ctx.set(network.o.ready, 1)
        for word in words:
            ctx.set(network.i.payload.data, int.from_bytes(np.packbits(word, bitorder="little").tobytes(), "little"))
            ctx.set(network.i.valid, 1)
            await ctx.tick().until(network.i.ready)
        ctx.set(network.i.valid, 0)

    simulator = Simulator(network)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run_until(1e-6 * 100)  # compiled, and the first frame on its way
    begin = time.perf_counter()
    simulator.run_until(1e-6 * (100 + PYTHON_CYCLES))
    return PYTHON_CYCLES / (time.perf_counter() - begin)


def _rom(slice_width: int) -> str:
    words = [int(word) for word in np.random.default_rng(0).integers(0, 1 << 16, 16384)]
    return to_rtlil(CyclicMemory(16, len(words), words, slice_width), "rom")


def _mvu(arithmetic: Arithmetic, dynamic: bool) -> str:
    return to_rtlil(MVU(arithmetic, 1, LANES, 1284, dynamic), "mvu")


def _paper_sized() -> Bundle:
    """A network of the paper's size (1024 units, 513 bins, rho 0.8) with random weights."""
    random = np.random.default_rng(0)

    def ternary(*shape: int) -> Matrix:
        return Matrix.from_values(random.choice([-1, 0, 1], p=[0.4, 0.2, 0.4], size=shape))

    bins, units = 513, 1024
    limits = np.sort(random.random((bins, 15), dtype=np.float32), axis=1)
    front_end = FrontEnd(16000, 1024, 256, "hann", 1.0, limits)
    state = pack(random.integers(0, 2, units))
    zeros = np.zeros((3, units), dtype=np.int32)
    recurrent = Layer(
        "gru0", "bgru", bins * 4, units, ternary(3, units, bins * 4), zeros, ternary(3, units, units), state
    )
    output = Layer("mask", "dense", units, bins, ternary(bins, units), zeros[0, :bins])
    return Bundle("paper", front_end, (recurrent, output))


if __name__ == "__main__":
    cli.run(main)
