"""Simulate a bundle's RTL on a recording and hold every bit against the golden model (`make sim`)."""

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from boards.board import Board, find
from boards.fit import lay_out, parse_folding
from cosim.runner import Outcome, Stimulus, generate, simulate
from cosim.tools import simulator_path
from hw import reports
from hw.network import Network
from hw.synth import layer_costs
from model import audio, bundle, cli
from model.denoise import apply_mask


def main(
    bundle_folder: Annotated[Path, typer.Option("--bundle", help="The network.")] = Path("bundles/small"),
    recording: Annotated[Path, typer.Option(help="Noisy recording: WAV, FLAC, ... of any rate.")] = Path(
        "samples/noisy.flac"
    ),
    board_name: Annotated[str, typer.Option("--board", help="Whose clock and memories count.")] = "ulx3s_85f",
    fold: Annotated[
        list[str] | None, typer.Option(help="LAYER=PExSIMD, such as gru0=2x64; may be given several times.")
    ] = None,
    simulator: Annotated[str, typer.Option("--sim", help="verilator or icarus.")] = "verilator",
    frames: Annotated[int | None, typer.Option(min=1, help="Only the first so many frames.")] = None,
    waves: Annotated[bool, typer.Option("--waves", help="Write the waveform (FST).")] = False,
    build: Annotated[Path, typer.Option(help="Where results go.")] = Path("build"),
) -> None:
    """Run a recording through the RTL and compare every bit with the golden model.

    Generates Verilog from the bundle, builds it with the simulator, sends every frame of the recording, and
    compares each layer's vectors (r, z, h~, h; y) and the mask with the golden model. Prints a table of the
    layers, writes the denoised recording, and exits with 1 at the first bit that differs, saying which.
    """
    board = find(board_name)
    simulator_path(simulator, waves)  # nothing is begun that can't be finished
    network_bundle = bundle.read(bundle_folder)
    front_end = network_bundle.front_end
    noisy = audio.read(recording, front_end.sample_rate)
    features = front_end.encode(front_end.stft(front_end.normalise(noisy)[0]))
    features = features[:frames]
    network = lay_out(network_bundle, board, parse_folding(fold or []))
    folder = build / board.name / network_bundle.name
    reports.write_estimates(network, folder / "report")

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=cli.console, transient=False) as bars:
        task = bars.add_task("generate Verilog", total=1)
        verilog = generate(network, folder / "sim" / "rtl")
        bars.update(task, completed=1)
        task = bars.add_task(f"build with {simulator}", total=len(features))
        outcome = simulate(
            network,
            network_bundle,
            Stimulus([features]),
            folder / "sim",
            verilog=verilog,
            simulator=simulator,
            waves=waves,
            progress=lambda done: bars.update(task, completed=done, description=f"{simulator}, frames"),
        )
        if outcome.mismatch is not None:
            bars.stop()
            cli.console.print(f"[red]MISMATCH[/red] {outcome.mismatch}")
            raise typer.Exit(1)
        task = bars.add_task("synthesise layers", total=len(network.layers) + 1)
        costs = layer_costs(network, build / "cache", lambda name: bars.advance(task))
        bars.update(task, completed=len(network.layers) + 1)

    cycles = {
        name: {"ideal": layer.ideal, "cycles": max(outcome.layer_cycles[name])}
        for name, layer in network.layers.items()
    }
    reports.write(folder / "report", "cosim_layer_cycles", cycles)
    reports.write(folder / "report", "synth_layer_resources", costs)
    mask = outcome.mask
    denoised = folder / f"{recording.stem}_denoised.wav"
    if frames is None:
        audio.write(denoised, apply_mask(front_end, noisy, mask), front_end.sample_rate)

    cli.console.print(reports.layer_table(network, folder / "report"))
    _summary(board, network, outcome, mask.size)
    if frames is None:
        cli.console.print(f"denoised recording   {denoised}")
    if waves:
        cli.console.print(f"waveform             {folder / 'sim' / 'waves.fst'}")
    cli.console.print(f"reports              {folder / 'report'}")
    predicted = reports.read(folder / "report")["estimate_layer_cycles"]
    for name, counted in outcome.layer_cycles.items():
        if set(counted) - {predicted[name]["cycles"]}:
            cli.console.print(f"[red]CYCLES[/red] layer {name}: expected {predicted[name]['cycles']}, got {counted}")
            raise typer.Exit(1)


def _summary(board: Board, network: Network, outcome: Outcome, mask_bits: int) -> None:
    front_end = network.bundle.front_end
    ideal = sum(layer.ideal for layer in network.layers.values())
    measured = sum(max(cycles) for cycles in outcome.layer_cycles.values())
    hop_ms = 1000 * front_end.hop / front_end.sample_rate
    latency_ms = 1000 * outcome.latency / board.clock_hz
    vectors = sum(len(layer.layer.name) > 0 for layer in network.layers.values())
    out = cli.console.print
    out(f"mask agreement       {mask_bits:,} of {mask_bits:,} bits, {outcome.frames} frames, and every vector of")
    out(f"                     {vectors} layers (r, z, h~, h; y)")
    out(f"utilisation          {ideal / measured:.1%} ({ideal:,} ideal / {measured:,} measured cycles per frame)")
    out(
        f"at {board.clock_hz / 1e6:g} MHz            {latency_ms:.3f} ms from a frame's first word in to its last out, "
        f"hop {hop_ms:g} ms ({hop_ms / latency_ms:.0f} x real time)"
    )
    out(
        f"simulation           {outcome.cycles:,} cycles in {outcome.seconds:.1f} s: "
        f"{outcome.cycles / outcome.seconds:,.0f} cycles/s, {outcome.frames / outcome.seconds:.1f} frames/s"
    )


if __name__ == "__main__":
    cli.run(main)
