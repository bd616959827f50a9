"""Simulate a bundle's RTL on a recording and check every bit against the golden model (`make sim`)."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from boards.definitions.registry import Board, find
from boards.flow.layout import lay_out, parse_folding
from boards.flow.measured import results_of
from boards.gateware.sdram import data_share
from cosim.bench.netlist import generate_netlist
from cosim.bench.runner import Outcome, Stimulus, generate, simulate
from cosim.bench.simulators import simulator_path
from cosim.bench.waves import save_views
from cosim.chips.sdram import StreamedWeights, weights_of
from cosim.chips.sdram_verilog import SdramModel
from hw.flow.synth import layer_costs
from hw.gateware.network import Network
from hw.shape.cycles import predict, unhindered
from hw.shape.layer_spec import vectors_of
from hw.shape.pace import Pace
from model.bundle.bits import Bits
from model.bundle.read import read_bundle
from model.console import console
from model.reference import audio
from model.reference.denoise import apply_mask, hear
from model.reference.golden_model import GoldenModel
from model.reference.vectors import gains


def run(
    bundle_folder: Path,
    recording: Path,
    board_name: str,
    fold: list[str] | None,
    clock: float | None,
    simulator: str,
    frames: int | None,
    netlist: bool,
    waves: bool,
    build: Path,
    model: SdramModel | None = None,
) -> None:
    """Run a recording through the RTL and compare every bit with the golden model: `bgru sim`.

    model : in the place of our model of the SDRAM
    """
    simulator_path(simulator, waves)  # fail before the work, not after it
    network_bundle = read_bundle(bundle_folder)
    board = find(board_name).at_network_clock(network_bundle, clock)
    front_end = network_bundle.front_end
    noisy = audio.read_samples(recording, front_end.sample_rate)
    features = hear(front_end, noisy)
    whole = frames is None or frames >= len(features)
    features = features[:frames]
    network = lay_out(network_bundle, board, parse_folding(fold or []))
    weights = None if netlist else weights_of(network, board, model)
    folder = build / board.name / network_bundle.name
    waveform = folder / "sim" / "waves.fst"
    results = results_of(network, board, build)
    results.discard("cosim_layer_cycles", "cosim_frames")

    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    shown = Progress(*columns, TimeRemainingColumn(), console=console, transient=False)
    with tempfile.TemporaryDirectory() as work, shown as bars:
        task = bars.add_task("synthesise netlist" if netlist else "generate Verilog", total=1)
        verilog = generate_netlist(network, Path(work)) if netlist else generate(network, Path(work), weights)
        bars.update(task, completed=1)
        task = bars.add_task(f"build with {simulator}", total=len(features))
        outcome = simulate(
            network,
            network_bundle,
            Stimulus([features]),
            verilog=verilog,
            weights=weights,
            simulator=simulator,
            waves=waveform if waves else None,
            progress=lambda done: bars.update(task, completed=done, description=f"{simulator}, frames"),
        )
        if outcome.mismatch is not None:
            bars.stop()
            console.print(f"MISMATCH {outcome.mismatch}")
            results.write("cosim_frames", {"mismatch": str(outcome.mismatch)})
            if waves:
                _print_views(network, waveform)
            raise SystemExit(1)
        task = bars.add_task("synthesise layers", total=len(network.layers))
        costs = layer_costs(network, lambda name: bars.advance(task))
        bars.update(task, completed=len(network.layers))

    cycles = {
        name: {"ideal": layer.spec.ideal, "cycles": max(outcome.layer_cycles[name])}
        for name, layer in network.layers.items()
    }
    results.write("cosim_layer_cycles", cycles)
    results.write("synth_layer_resources", costs)
    denoised = folder / f"{recording.stem}_denoised.wav"
    if whole:
        audio.write(denoised, apply_mask(front_end, noisy, gains(outcome.mask, front_end)), front_end.sample_rate)
    found = _frames(network, outcome, GoldenModel(network_bundle).masks(features))
    found |= {"simulator": simulator, "netlist": netlist, "recording": str(recording)}
    results.write("cosim_frames", found | {"denoised": denoised.name if whole else None})

    console.print(results.table())
    _summary(board, network, found)
    if weights is not None:
        _print_bus(weights, found["interval"], front_end.frame_rate)
    if whole:
        console.print(f"denoised recording   {denoised}")
    if waves:
        _print_views(network, waveform)
    console.print(f"reports              {results.folder}")
    for name in unhindered(network.spec) if weights is None else ():
        predicted, measured = predict(network.layers[name].spec).cycles, set(outcome.layer_cycles[name])
        if measured != {predicted}:
            console.print(f"CYCLES layer {name}: expected {predicted}, got {sorted(measured)}")
            raise SystemExit(1)


def _frames(network: Network, outcome: Outcome, golden_mask: Bits) -> dict[str, Any]:
    """The result of simulating the whole network; cycles count from the first frame's first word in."""
    bits = network.bundle.front_end.gain_bits
    # Layers that share a memory have it for themselves in the first frame and in the last.
    shared = any(layer.folding.weights == "streamed" for layer in network.spec.layers)
    interval = max(map(max, outcome.layer_cycles.values())) if shared else outcome.interval
    agreeing = int(np.count_nonzero(gains(outcome.mask, network.bundle.front_end) == golden_mask))
    zero = outcome.entered[0]
    return {
        "mismatch": None,
        "frames": outcome.frames,
        "mask_bits": golden_mask.size * bits,
        "mask_agreeing": agreeing * bits,
        "compared_bits": outcome.frames
        * sum(layer.units * layer.element_bits * len(vectors_of(layer.kind)) for layer in network.spec.layers),
        "ideal": network.spec.ideal,
        "measured": sum(max(cycles) for cycles in outcome.layer_cycles.values()),
        "latency": outcome.latency,
        "interval": interval,
        "slowest": max(outcome.layer_cycles, key=lambda name: max(outcome.layer_cycles[name])),
        "entered": [cycle - zero for cycle in outcome.entered[:SHOWN]],
        "finished": [cycle - zero for cycle in outcome.finished[:SHOWN]],
        "held": {
            name: [(begin - zero, end - zero) for begin, end in held[:SHOWN]] for name, held in outcome.held.items()
        },
        "cycles": outcome.cycles,
        "seconds": outcome.seconds,
    }


SHOWN = 4
"""Frames whose times are recorded: enough to see that the layers work in parallel."""


def _summary(board: Board, network: Network, found: dict[str, Any]) -> None:
    ideal, measured, seconds = (found[key] for key in ("ideal", "measured", "seconds"))
    pace = Pace(found["interval"], found["latency"], board.clock_hz, network.bundle.front_end.frame_rate)
    out = console.print
    out(f"mask agreement       {found['mask_agreeing']:,} of {found['mask_bits']:,} bits in {found['frames']} frames")
    out(f"compared as well     {found['compared_bits']:,} bits of every layer's vectors: none differs")
    out(f"utilisation          {ideal / measured:.1%} ({ideal:,} ideal / {measured:,} measured cycles per frame)")
    out(f"initiation interval  {pace.interval:,} cycles, the slowest layer's ({found['slowest']})")
    out(f"latency              {pace.latency:,} cycles from first word in to last word out of a frame,")
    times = f"{pace.ms(pace.latency):.3f} ms at {board.clock_hz / 1e6:g} MHz; the hop is {pace.ms(pace.hop):g} ms"
    out(f"                     {times}, {pace.hop / pace.latency:.0f} x as long")
    out(f"simulation           {found['cycles']:,} cycles in {seconds:.1f} s: ", end="")
    out(f"{found['cycles'] / seconds:,.0f} cycles/s, {found['frames'] / seconds:.1f} frames/s")


def _print_bus(weights: StreamedWeights, interval: int, frame_rate: float) -> None:
    """The pace of a network whose frames never wait, and the share of the SDRAM's cycles with a word of weights."""
    hz, rate = weights.memory.clock_hz, weights.clock_hz / interval
    possible = data_share(weights.memory.chip.cycles(hz))
    out = console.print
    out(f"pace                 {rate:.1f} frames/s, {rate / frame_rate:.2f} x real time ({frame_rate:g} frames/s)")
    out(f"SDRAM                {weights.words:,} words of 16 bits a frame at {hz / 1e6:g} MHz: ", end="")
    out(f"{weights.words * rate / hz:.1%} of its cycles carry data, {possible:.1%} can;")
    out(f"                     {weights.words * frame_rate / hz:.1%} do in real time")


def _print_views(network: Network, waveform: Path) -> None:
    """Write saved views next to a waveform, and say how to open them."""
    console.print(f"waveform             {waveform}; open it with one of")
    for command in save_views(network, waveform):
        console.print(f"                     {command}")
