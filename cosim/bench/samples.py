"""Simulate the whole denoiser on a recording and compare every sample with the reference: `bgru sim --samples`."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from boards.definitions.registry import Board, find
from boards.flow.delay import Delay
from boards.flow.layout import lay_out, parse_folding, word_widths
from boards.flow.measured import sound_results_of
from boards.flow.sound import lay_out_sound
from boards.host.protocol import Kind
from cosim.bench.impulse import impulse
from cosim.bench.netlist import check_modelled
from cosim.bench.simulators import simulator_path
from cosim.bench.sound import Heard, SoundBench
from cosim.chips.sdram import weights_of
from hw.flow.results import Results
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.reference import audio

__all__ = ["run"]


def run(
    bundle_folder: Path,
    recording: Path,
    board_name: str,
    fold: list[str] | None,
    clock: float | None,
    frames: int | None,
    netlist: bool,
    build: Path,
    limit: float | None = None,
) -> None:
    """Run a recording's samples through the denoiser of a board; exit with 1 at the first word that differs.

    netlist : its synthesised cells, not its RTL
    """
    simulator_path("verilator", False)  # fail before the work, not after it
    bundle = read_bundle(bundle_folder)
    front_end = bundle.front_end
    board = find(board_name).at_sound_clock(clock)
    if netlist:
        check_modelled(board.family)
    hop, late = front_end.hop, front_end.fft_size - front_end.hop
    noisy = audio.read_samples(recording, front_end.sample_rate)
    samples = np.pad(noisy, (0, late + -len(noisy) % hop))[: frames and frames * hop]
    network = _network(bundle, board, parse_folding(fold or []))
    denoiser = Denoiser(network, single_port=board.family.single_port_ram is not None, limit=limit)
    weights = weights_of(network, board)
    if weights is not None and netlist:
        raise BadInput("netlist: expected weights on the chip, got a network that streams them from SDRAM")
    predicted = Delay.of(front_end, network.spec, board)
    results = sound_results_of(network, board, build, limit)
    results.discard("cosim_sound")

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, TimeRemainingColumn(), console=console)
    with tempfile.TemporaryDirectory() as folder, shown as bars:
        title = "synthesise, build with verilator" if netlist else "build with verilator"
        task = bars.add_task(title, total=len(samples))
        bench = SoundBench.build(denoiser, Path(folder), netlist=netlist, weights=weights)
        bars.update(task, description="verilator, samples")
        began = monotonic()
        heard = bench.run([samples], progress=lambda done: bars.update(task, completed=done))
        seconds = monotonic() - began
        bars.update(task, completed=len(heard.samples))
        _refuse(heard, results, bars)
        task = bars.add_task("verilator, an impulse", total=1)
        measured, of_impulse = impulse(bench, predicted.rate)
        bars.update(task, completed=1)
        _refuse(of_impulse, results, bars)
    output = build / board.name / bundle.name / f"{recording.stem}_from_samples.wav"
    audio.write(output, heard.samples[late:][: len(noisy)], front_end.sample_rate)
    found = _found(heard, hop) | {
        "window": measured.window,
        "computing": measured.computing,
        "recording": str(recording),
        "netlist": netlist,
        "seconds": seconds,
    }
    results.write("cosim_sound", found)
    each = ", ".join(f"{count:,} {what}s" for what, count in heard.compared.items())
    console.print(f"samples compared     {each}{' of the netlist' if netlist else ''}: none differs")
    console.print(f"a frame              {found['frame']:,.0f} cycles, from {hop} samples in to {hop} samples out")
    for title, delay in (("measured", measured), ("predicted", predicted)):
        console.print(f"delay, {title:9}     {_in_words(delay)}")
    console.print(f"denoised recording   {output}")


def _network(bundle: Bundle, board: Board, folding: Mapping[str, Folding]) -> Network:
    """The network, folded as in a bitstream of the denoiser.

    If the device has no room for the audio path, it is folded without it: a simulation needs no room.
    """
    try:
        return lay_out_sound(bundle, board, folding)
    except BadInput as refusal:
        network = lay_out(bundle, board, folding, *word_widths(bundle, Kind.SOUND))
        console.print(f"no bitstream         {refusal}")
        return network


def _refuse(heard: Heard, results: Results, bars: Progress) -> None:
    """Exit with 1 if a word differs."""
    if heard.difference is not None:
        bars.stop()
        results.write("cosim_sound", {"mismatch": str(heard.difference)})
        console.print(f"MISMATCH {heard.difference}")
        raise SystemExit(1)


def _found(heard: Heard, hop: int) -> dict[str, Any]:
    """The result of simulating the denoiser; `frame` is the cycles from hop to hop without pauses."""
    hops = heard.given[::hop]
    return {
        "mismatch": None,
        "compared": heard.compared,
        "frame": (hops[-1] - hops[0]) / max(1, len(hops) - 1),
        "cycles": int(heard.given[-1]),
    }


def _in_words(delay: Delay) -> str:
    whole = f"{delay.samples} samples, {delay.ms(delay.samples):.1f} ms from a sample in to the same sample out"
    return f"{whole} ({delay.computing:,} cycles of computing)"
