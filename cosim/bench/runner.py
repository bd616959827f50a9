"""Run a network's RTL in a simulator against the golden model: build, run, read the verdict."""

import json
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from cocotb_tools.check_results import get_results

from cosim.bench.build import cocotb_environment, cocotb_simulator, run
from cosim.bench.simulators import simulator_path
from cosim.bench.top import Top
from cosim.chips.sdram import StreamedWeights
from hw.flow.rtl import to_verilog
from hw.gateware.network import Network
from hw.shape.cycles import predict
from hw.shape.layer_spec import vectors_of
from model.bundle.bits import Bits, pack
from model.bundle.bundle import Bundle
from model.reference.analysis import Features
from model.reference.golden_model import GoldenModel
from model.reference.vectors import carried_bits, element_bits, traced_bits

__all__ = ["Mismatch", "Outcome", "Stimulus", "generate", "simulate"]

TOP = "bgru"


@dataclass(frozen=True)
class Mismatch:
    """The first bit in which hardware and golden model differ."""

    layer: str
    frame: int
    signal: str
    unit: int
    expected: int
    actual: int

    def __str__(self) -> str:
        return (
            f"layer {self.layer}, frame {self.frame}, signal {self.signal}, unit {self.unit}: "
            f"expected {self.expected}, got {self.actual}"
        )


@dataclass(frozen=True)
class Stimulus:
    """The input, and its pauses.

    utterances : features (frames, features) of each, bits or levels; the first frame of each resets the state
    idle, backpressure : probability that the sender, or the receiver, pauses for a cycle
    resets : number of runs that a reset interrupts before the run that counts
    """

    utterances: Sequence[Features]
    idle: float = 0.0
    backpressure: float = 0.0
    resets: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """The result of a simulation.

    mask : the bits of the mask that came out of the hardware, (frames, units x gain_bits)
    held : from which cycle to which a layer held each frame, by layer
    entered, finished : cycle of each frame's first word in and last word out
    toggles : of LUT outputs since time 0, in a netlist that counts them (`cosim.bench.netlist.count_toggles`)
    """

    mismatch: Mismatch | None
    mask: Bits = field(default_factory=lambda: np.zeros((0, 0), dtype=np.uint8))
    frames: int = 0
    cycles: int = 0
    seconds: float = 0.0
    held: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    entered: list[int] = field(default_factory=list)
    finished: list[int] = field(default_factory=list)
    toggles: int | None = None

    @property
    def layer_cycles(self) -> dict[str, list[int]]:
        """Cycles that a layer held each frame but the first, by layer."""
        return {name: [end - begin for begin, end in held[1:]] for name, held in self.held.items()}

    @property
    def latency(self) -> int:
        """Cycles from the first frame's first word in to its last word out."""
        return self.finished[0] - self.entered[0]

    @property
    def interval(self) -> int:
        """Cycles between the last two frames' last words out: the initiation interval, if the input was never late."""
        return self.finished[-1] - self.finished[-2]


def generate(network: Network, folder: Path, weights: StreamedWeights | None = None) -> Path:
    """Write the Verilog of the network with its recorders, its memories in files of their own; return the file.

    weights : those of the streamed layers, part of the file
    """
    verilog = to_verilog(Top(network, weights), TOP, folder, probes=True)
    if weights is not None and weights.model is not None:
        verilog.write_text(verilog.read_text(encoding="utf-8") + weights.model.verilog(), encoding="utf-8")
    return verilog


def simulate(
    network: Network,
    golden: Bundle,
    stimulus: Stimulus,
    *,
    verilog: Path | None = None,
    weights: StreamedWeights | None = None,
    simulator: str = "verilator",
    waves: Path | None = None,
    quick_build: bool = False,
    progress: Callable[[int], None] = lambda frames: None,
) -> Outcome:
    """Simulate `network` and check every bit against the golden model of the bundle `golden`.

    verilog : the generated top, with its memories next to it; generated here if not given
    weights : those of the streamed layers inside it, so the bench sends none
    waves : file for the waveform (FST)
    quick_build : do not optimise the simulator, which pays off for short runs
    progress : called with the number of frames done

    Raises `RuntimeError` with the end of the tool's output if a build or a simulation fails. It runs in a temporary
    folder and leaves only `waves`.
    """
    simulator_path(simulator, waves is not None)
    if waves is not None:
        waves.parent.mkdir(parents=True, exist_ok=True)
    # A waveform may be too large for the system's temporary folder.
    with tempfile.TemporaryDirectory(prefix=".sim.", dir=waves and waves.parent) as name:
        folder = Path(name).resolve()
        verilog = verilog or generate(network, folder / "rtl", weights)
        for memory in verilog.parent.glob("*.mem"):  # they are read from where the simulator runs
            (folder / memory.name).symlink_to(memory.resolve())
        _write_job(network, golden, stimulus, folder, weights)
        clocks = 1 if weights is None else 2
        delays = weights is not None and weights.model is not None
        command = cocotb_simulator(
            simulator, verilog, TOP, waves=waves is not None, quick=quick_build, clocks=clocks, delays=delays
        )
        results, log = folder / "results.xml", folder / "log"
        variables = cocotb_environment(TOP, "cosim.bench.testbench", results) | {"BGRU_JOB": str(folder)}
        begin = time.perf_counter()
        progress(0)
        with _polling(folder / "progress", progress):
            run(command, folder, variables, log)
        seconds = time.perf_counter() - begin
        if waves is not None and (folder / "waves.fst").is_file():
            (folder / "waves.fst").replace(waves)
        return _read_result(folder, results, log, seconds)


def _write_job(
    network: Network, golden: Bundle, stimulus: Stimulus, folder: Path, weights: StreamedWeights | None
) -> None:
    model = GoldenModel(golden)
    bits = golden.front_end.feature_bits
    features = element_bits(np.concatenate(list(stimulus.utterances)), bits)
    arrays: dict[str, Any] = {"features": features, "starts": [], "mask": []}
    layers = {layer.name: layer for layer in golden.layers}
    traces: dict[str, list[Any]] = {}
    for utterance in stimulus.utterances:
        model.reset()
        for index, (mask, trace) in enumerate(model.steps(pack(utterance) if bits == 1 else utterance)):
            arrays["starts"].append(index == 0)
            arrays["mask"].append(mask)
            for layer, vectors in trace.items():
                for vector, value in vectors.items():
                    traces.setdefault(f"{layer}.{vector}", []).append(value)
    arrays["mask"] = carried_bits(golden.layers[-1], np.stack(arrays["mask"]))
    for key, values in traces.items():
        arrays[key] = traced_bits(layers[key.split(".")[0]], np.stack(values))
    loads: dict[str, list[str]] = {"loaded": [], "streamed": []}
    for name, layer in network.layers.items():
        streamed = weights is not None and f"load_{name}" in weights.signature.members
        if layer.folding.weights != "rom" and not streamed:
            loads[layer.folding.weights].append(name)
            width = -(-layer.engine.matrix.weight_width // 8)
            octets = [word.to_bytes(width, "little") for word in layer.engine.matrix.weight_words]
            arrays[f"load_{name}"] = np.frombuffer(b"".join(octets), dtype=np.uint8).reshape(-1, width)
    np.savez(folder / "job.npz", allow_pickle=False, **{name: np.asarray(array) for name, array in arrays.items()})
    job = {
        "layers": {name: {"vectors": vectors_of(layer.spec.kind)} for name, layer in network.layers.items()},
        **loads,
        "in_width": network.in_width,
        "out_width": network.out_width,
        "idle": stimulus.idle,
        "backpressure": stimulus.backpressure,
        "resets": stimulus.resets,
        # Ten times the cycles of even a layer-by-layer, word-by-word pace: beyond that the hardware is stuck.
        "patience": 10 * (len(arrays["features"]) + 9) * _slowest_pace(network, stimulus, weights)
        + (weights.cycles(weights.start) if weights else 0),
        "reset_within": 4 * sum(predict(layer).cycles for layer in network.spec.layers) + 100,
        "seed": stimulus.seed,
        "period_ps": PERIOD_PS if weights is None else _period(weights.clock_hz),
        "sdram_period_ps": 0 if weights is None else _period(weights.memory.clock_hz),
    }
    (folder / "job.json").write_text(json.dumps(job, indent=2))


PERIOD_PS = 10_000
"""Of a single clock."""


def _period(clock_hz: float) -> int:
    """In ps, an even number: half a period is a whole one."""
    return 2 * round(5e11 / clock_hz)


def _slowest_pace(network: Network, stimulus: Stimulus, weights: StreamedWeights | None) -> int:
    """An upper bound on cycles per frame, whatever the pauses."""
    layers = [predict(layer).cycles + layer.units for layer in network.spec.layers]
    memory = 2 * weights.cycles(weights.words) if weights else 0
    ends = network.spec.frame_bits + network.spec.mask_bits
    return int((sum(layers) + memory + ends) / (1 - max(stimulus.idle, stimulus.backpressure)) + 100)


def _read_result(folder: Path, results: Path, log: Path, seconds: float) -> Outcome:
    result = json.loads((folder / "result.json").read_text()) if (folder / "result.json").is_file() else None
    if result is not None and result["mismatch"] is not None:
        return Outcome(Mismatch(**result["mismatch"]), seconds=seconds)
    # A crashed simulator or another failed test must not pass.
    ran, failed = get_results(results) if results.is_file() else (0, 0)
    if result is None or ran == 0 or failed:
        raise RuntimeError(f"the simulation failed; its output ends with:\n{log.read_text(errors='replace')[-3000:]}")
    return Outcome(
        None,
        np.load(folder / "mask.npy", allow_pickle=False),
        result["frames"],
        result["cycles"],
        seconds,
        {name: [(begin, end) for begin, end in held] for name, held in result["held"].items()},
        result["entered"],
        result["finished"],
        int((folder / "toggles").read_text()) if (folder / "toggles").is_file() else None,
    )


class _polling:
    """While the block runs, pass what the bench writes to a file on to `progress`."""

    def __init__(self, file: Path, progress: Callable[[int], None]) -> None:
        self.file, self.progress = file, progress
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._poll, daemon=True)

    def _poll(self) -> None:
        while not self.over.wait(0.2):
            self._tell()

    def _tell(self) -> None:
        text = self.file.read_text() if self.file.is_file() else ""
        if text:
            self.progress(int(text))

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *error: object) -> None:
        self.over.set()
        self.thread.join()
        self._tell()
