"""Does a network with weights in SDRAM keep up with speech? `bgru stream` simulates it.

The layer with the most weights reads them in every frame through the board's controller from a model of the ULX3S's
SDRAM, which checks the rules of the data sheet; the other layers have theirs in block RAM. The layer uses one SDRAM
word per cycle, so the memory sets the pace: a cycle per word, plus refreshes.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from boards.definitions.registry import find
from boards.definitions.sdram import ULX3S_SDRAM, Chip
from boards.flow.layout import lay_out
from boards.gateware.sdram import data_share
from cosim.bench.runner import Outcome, Stimulus, simulate
from cosim.bench.simulators import simulator_path
from cosim.bench.top import weight_memory
from cosim.chips.sdram import Sdram
from cosim.measure.paper_size import paper_sized
from hw.gateware.layers import LayerComponent
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.folding import Folding
from hw.shape.integer_estimate import ram_blocks
from hw.shape.layer_spec import vectors_of
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.files import write_json
from model.reference import audio
from model.reference.denoise import hear

__all__ = ["figures", "foldings_for", "largest", "network_of", "pace"]

CLOCKS = (100.0, 133.0)

BOARD = find("ulx3s_85f")


def run(bundle_folder: Path | None, recording: Path, clocks: list[float] | None, frames: int, build: Path) -> None:
    """Simulate a network with weights in SDRAM, compare every bit, measure its pace: `bgru stream`."""
    simulator_path("verilator", waves=False)
    network_bundle = paper_sized() if bundle_folder is None else read_bundle(bundle_folder)
    front_end = network_bundle.front_end
    features = hear(front_end, audio.read_samples(recording, front_end.sample_rate))[:frames]
    if len(features) < 2:
        raise BadInput(f"{recording}: expected two frames or more, got {len(features)}")

    runs: dict[str, dict[str, Any]] = {}
    columns = (TextColumn("{task.description:36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        for folding in foldings_for(largest(network_bundle)):
            for clock_mhz in clocks or CLOCKS:
                network, name = network_of(network_bundle, folding)
                layer = network.layers[name]
                memory = weight_memory(layer, clock_mhz)
                run = f"{name} {folding} at {clock_mhz:g} MHz"
                task = bars.add_task(run, total=len(features))

                def now(what: str, done: int, task: Any = task, run: str = run) -> None:
                    bars.update(task, completed=done, description=f"{run}: {what}")

                outcome = _simulate(network, {name: memory}, features, now)
                if outcome.mismatch is not None:
                    bars.stop()
                    console.print(f"MISMATCH {run}: {outcome.mismatch}")
                    raise SystemExit(1)
                cycles = outcome.layer_cycles[name]
                runs[run] = figures(layer, len(memory.words), cycles, clock_mhz, front_end.frame_rate)
    write_json(build / "streaming" / f"{network_bundle.name}.json", runs)

    console.print(_table(runs, front_end.frame_rate))
    bits = len(features) * sum(layer.units * len(vectors_of(layer.kind)) for layer in network_bundle.layers)
    used = sum(ram_blocks(layer.layer, layer.spec)["block_ram"] for layer in network.layers.values())
    out = console.print
    out(f"compared             {bits:,} bits of every layer's r, z, h~, h and y in each run: none differs")
    available = BOARD.available["block_ram"]
    out(f"on chip              {used} of {available} block RAMs at least, for all but the weights of {name}")
    out(f"report               {build / 'streaming' / network_bundle.name}.json")


def largest(network_bundle: Bundle) -> Layer:
    """The layer with the most weights."""
    return max(network_bundle.bitwise, key=lambda layer: layer.weights)


def foldings_for(layer: Layer) -> tuple[Folding, ...]:
    """Foldings whose weight words have the SDRAM's 16 bits, one for each weight format."""
    if layer.binary:
        return (Folding(1, 16, "streamed"),)
    return Folding(1, 8, "streamed"), Folding(1, 10, "streamed", packed=True)


def network_of(network_bundle: Bundle, folding: Folding) -> tuple[Network, str]:
    """The network with its largest layer at `folding` and the others in block RAM; and that layer's name."""
    name = largest(network_bundle).name
    return lay_out(network_bundle, BOARD, {name: folding}), name


def _simulate(network: Network, sdram: Mapping[str, Sdram], features: Bits, now: Callable[[str, int], None]) -> Outcome:
    """Generate, build and run; `now` is called with the current step and the number of frames done."""
    now("Verilog and build", 0)
    return simulate(
        network,
        network.bundle,
        Stimulus([features]),
        sdram=sdram,
        progress=lambda done: now("frames", done),
    )


def pace(layer: LayerComponent, words: int, clock_mhz: float, chip: Chip = ULX3S_SDRAM) -> float:
    """Average cycles per frame: the layer's own, or the SDRAM's for that many words if those are more."""
    return max(predict(layer.spec).cycles, words / data_share(chip.cycles(clock_mhz * 1e6)))


def figures(
    layer: LayerComponent, words: int, cycles: Sequence[int], clock_mhz: float, frame_rate: float
) -> dict[str, Any]:
    """The figures of a run, for the report; shares are of 1.

    `layer` is the streamed one and took `words` from the SDRAM and `cycles` in each frame measured. `frame_rate`,
    frames per second, is real time.
    """
    frames_per_second = clock_mhz * 1e6 / max(cycles)
    possible = data_share(ULX3S_SDRAM.cycles(clock_mhz * 1e6))
    return {
        "clock_mhz": clock_mhz,
        "ideal": layer.spec.ideal,
        "expected": round(pace(layer, words, clock_mhz)),
        "cycles": max(cycles),
        "frames_per_second": frames_per_second,
        "times_real_time": frames_per_second / frame_rate,
        "real_time": frames_per_second >= frame_rate,
        "data_share_possible": possible,
        "data_share": words * len(cycles) / sum(cycles),
        "bandwidth_used": words * frame_rate / (clock_mhz * 1e6 * possible),
    }


def _table(runs: Mapping[str, Mapping[str, Any]], frame_rate: float) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("")
    for run in runs:
        table.add_column(run.replace(" ", "\n", 2), justify="right")
    for what, form in (
        ("cycles/frame, ideal", "{ideal:,}"),
        ("  expected", "{expected:,}"),
        ("  measured, maximum", "{cycles:,}"),
        ("frames/s", "{frames_per_second:.2f}"),
        (f"real time, {frame_rate:g} frames/s", "{held}"),
        ("  how many times", "{times_real_time:.2f} x"),
        ("SDRAM cycles with data", "{data_share:.2%}"),
        ("  expected", "{data_share_possible:.2%}"),
        ("SDRAM words real time needs", "{bandwidth_used:.2%}"),
    ):
        table.add_row(
            what, *(form.format(held="held" if run["real_time"] else "missed", **run) for run in runs.values())
        )
    return table
