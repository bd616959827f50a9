"""Simulate the whole denoiser on a recording and compare every sample with the reference: `bgru sim --samples`."""

from pathlib import Path

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from boards.definitions.registry import find
from boards.flow.layout import parse_folding
from boards.flow.sound import lay_out_sound
from cosim.bench.simulators import simulator_path
from cosim.bench.sound import simulate_sound
from hw.gateware.denoiser import Denoiser
from model.bundle.read import read_bundle
from model.console import console
from model.reference import audio

__all__ = ["run"]


def run(
    bundle_folder: Path,
    recording: Path,
    board_name: str,
    fold: list[str] | None,
    frames: int | None,
    build: Path,
    limit: float | None = None,
) -> None:
    """Run a recording's samples through the denoiser of a board; exit with 1 at the first word that differs."""
    simulator_path("verilator", False)  # nothing is begun that can't be finished
    bundle = read_bundle(bundle_folder)
    front_end = bundle.front_end
    board = find(board_name).at_sound_clock(None)
    hop, late = front_end.hop, front_end.fft_size - front_end.hop
    noisy = audio.read_samples(recording, front_end.sample_rate)
    samples = np.pad(noisy, (0, late + -len(noisy) % hop))[: frames and frames * hop]
    network = lay_out_sound(bundle, board, parse_folding(fold or []))
    denoiser = Denoiser(network, single_port=board.family.single_port_ram is not None, limit=limit)

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        task = bars.add_task("verilator, samples", total=len(samples))
        heard = simulate_sound(denoiser, bundle, [samples], progress=lambda done: bars.update(task, completed=done))
        bars.update(task, completed=len(heard.samples))
    if heard.difference is not None:
        console.print(f"MISMATCH {heard.difference}")
        raise SystemExit(1)
    output = build / board.name / bundle.name / f"{recording.stem}_from_samples.wav"
    audio.write(output, heard.samples[late:][: len(noisy)], front_end.sample_rate)
    hops = heard.cycles[::hop]
    a_frame = (hops[-1] - hops[0]) / max(1, len(hops) - 1)
    each = ", ".join(f"{count:,} {what}s" for what, count in heard.compared.items())
    console.print(f"samples compared     {each}: none differs")
    console.print(f"a frame              {a_frame:,.0f} cycles, from {hop} samples in to {hop} samples out")
    console.print(f"denoised recording   {output}")
