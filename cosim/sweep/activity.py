# amaranth: UnusedElaboratable=no
# A network whose activity is in the cache is never elaborated.
"""The switching activity of a design: toggles of its LUT outputs, counted in a simulation of its netlist."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from boards.flow.elaboration import network_from, network_inputs
from cosim.bench.netlist import COUNTER, MODELS, NETWORK, generate_netlist
from cosim.bench.runner import Stimulus, simulate
from hw.flow.cache import Entry, maker
from hw.flow.rtl import described, identity
from hw.gateware.network import Network
from hw.shape.family import FAMILIES
from jobs.versions import SIMULATION, versions
from model.reference.analysis import Features

__all__ = ["FRAMES", "Activity", "activity", "counting", "excerpt"]

FRAMES = 4
"""Frames whose toggles are counted, one after another without a pause. One more comes before them."""


@dataclass(frozen=True)
class Activity:
    """Toggles of a network's LUT outputs.

    toggles : per frame
    outputs : LUT outputs
    cycles : per frame
    """

    toggles: float
    outputs: int
    cycles: int

    @property
    def share(self) -> float:
        """Toggles of a LUT output per cycle, on average."""
        return self.toggles / (self.outputs * self.cycles)


def excerpt(features: Features) -> Features:
    """The frames to simulate, from the middle of a recording's features (frames, features)."""
    middle = len(features) // 2
    return features[middle : middle + 1 + FRAMES]


def counting(network: Network, files: Mapping[str, bytes], features: Features) -> Entry | None:
    """The activity of a network of the bundle in `files`, to be made anywhere; None where its cells have no model."""
    if network.family.name not in MODELS:
        return None
    known = map(str, versions(SIMULATION).items())
    parts: tuple[str | bytes, ...] = (identity(["activity", *described(network)]), *known, features.tobytes())
    inputs = {**network_inputs(network, files), "family": network.family.name, "features": features.tolist()}
    return Entry("activity", parts, make_activity, inputs)


def activity(entry: Path) -> Activity:
    """The activity that a job counted."""
    return Activity(**json.loads((entry / "activity.json").read_text()))


@maker
def make_activity(folder: Path, features: list[list[int]], family: str, **inputs: Any) -> None:
    """Count toggles; the difference of two runs leaves out reset, the loading of weights and the first frame."""
    network = network_from(FAMILIES[family], **inputs)
    bits = network.bundle.front_end.feature_bits
    frames = np.array(features, dtype=np.uint8 if bits == 1 else np.int8)
    with TemporaryDirectory() as scratch:
        verilog = generate_netlist(network, Path(scratch), counted=True)
        runs = [
            simulate(network, network.bundle, Stimulus([frames[:count]]), verilog=verilog, quick_build=True)
            for count in (len(frames) - FRAMES, len(frames))
        ]
        cells = json.loads((Path(scratch) / "netlist.json").read_text())["modules"][NETWORK]["cells"]
    counts = []
    for run in runs:
        if run.toggles is None:
            raise RuntimeError(f"the netlist differs from the golden model: {run.mismatch}")
        counts.append(run.toggles)
    found = Activity((counts[1] - counts[0]) / FRAMES, len(cells[COUNTER]["connections"]["bits"]), runs[1].interval)
    (folder / "activity.json").write_text(json.dumps(asdict(found)))
