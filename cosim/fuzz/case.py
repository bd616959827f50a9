# amaranth: UnusedElaboratable=no
# A case that is only checked for what is possible is never elaborated.
"""A case of the fuzzer: a random network, its folding and its stimulus, small enough to be a line of JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from cosim.bench.netlist import MODELS, generate_netlist
from cosim.bench.runner import Stimulus, generate, simulate
from hw.flow.cache import Entry, maker
from hw.gateware.network import Network
from hw.shape.family import FAMILIES
from hw.shape.folding import Folding
from jobs.versions import SIMULATION, versions
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_bundle
from model.errors import BadInput

__all__ = ["Case", "Layer", "check", "compare", "draw", "entry", "read", "verdict"]

MOST = 1024
"""Units of a layer and frames of an utterance: a case is small."""

STUCK = "SimTimeoutError"
"""What cocotb's log holds if the hardware made no progress."""


@dataclass(frozen=True)
class Layer:
    """A layer: its kind and units (those of the last are the bins), and its folding, cut to the layer's size."""

    kind: str
    units: int
    pe: int
    simd: int
    weights: str = "rom"
    packed: bool = False


@dataclass(frozen=True)
class Case:
    """All that decides one simulation.

    seed : of weights, thresholds, features and pauses
    layers : the hidden ones, then the mask layer
    rho : share of the weights that are not 0; 1 is binary arithmetic
    frames : of each utterance
    idle, backpressure, resets : as in `cosim.bench.runner.Stimulus`
    netlist : simulate the synthesised netlist instead of the RTL
    """

    seed: int
    layers: tuple[Layer, ...]
    qad_bits: int
    rho: float
    in_width: int
    out_width: int
    family: str
    frames: tuple[int, ...]
    idle: float = 0.0
    backpressure: float = 0.0
    resets: int = 0
    netlist: bool = False
    simulator: str = "verilator"

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> "Case":
        """From JSON's values. Raises `BadInput` for other fields, or for an impossible network."""
        if not isinstance(value, dict) or set(value) != {one.name for one in fields(cls)}:
            raise BadInput(f"case: expected the fields {', '.join(one.name for one in fields(cls))}, got others")
        try:
            layers = tuple(Layer(**layer) for layer in value["layers"])
            case = cls(**{**value, "layers": layers, "frames": tuple(value["frames"])})
            if not (case.layers and 0 <= case.idle < 1 and 0 <= case.backpressure < 1 and max(case.frames) <= MOST):
                raise ValueError("no layer, or pauses or frames without end")
            if min(case.in_width, case.out_width, case.qad_bits, *(min(one.pe, one.simd) for one in layers)) < 1:
                raise ValueError("a width of 0 or less")
            if max(layer.units for layer in layers) > MOST:
                raise ValueError(f"more than {MOST} units")
            case.made()
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise BadInput(f"case: expected values of a network, got {error}") from None
        return case

    def made(self) -> tuple[Bundle, Network, Stimulus]:
        """The network, in software and in hardware, and what it is fed with."""
        rng = np.random.default_rng(self.seed)
        *hidden, mask = self.layers
        sizes: Any = [(layer.kind, layer.units) for layer in hidden]
        last: Any = mask.kind
        bundle = random_bundle(rng, sizes, mask.units, self.qad_bits, self.rho, last)
        foldings = {}
        for layer, made in zip(self.layers, bundle.bitwise, strict=True):
            columns = max(made.inputs, made.units if made.kind == "bgru" else 1)
            weights: Any = layer.weights
            packed = layer.packed and not made.binary
            foldings[made.name] = Folding(min(layer.pe, made.units), min(layer.simd, columns), weights, packed)
        network = Network(bundle, foldings, FAMILIES[self.family], self.in_width, self.out_width)
        features = [rng.integers(0, 2, (count, bundle.front_end.features), dtype=np.uint8) for count in self.frames]
        return bundle, network, Stimulus(features, self.idle, self.backpressure, self.resets, self.seed)


def draw(rng: np.random.Generator, simulator: str) -> Case:
    """Any case: most foldings divide nothing evenly, every fourth case pauses nowhere, every eighth is a netlist."""
    netlist = bool(rng.random() < 1 / 8)
    layers = []
    for _ in range(int(rng.integers(1, 4))):
        kind, units = str(rng.choice(["bgru", "dense"])), int(rng.integers(1, 14))
        weights = str(rng.choice(["rom", "loaded", "streamed"]))
        layers.append(
            Layer(kind, units, int(rng.integers(1, 14)), int(rng.integers(1, 40)), weights, bool(rng.random() < 0.5))
        )
    rough = bool(rng.random() < 3 / 4)
    return Case(
        seed=int(rng.integers(2**32)),
        layers=tuple(layers),
        qad_bits=int(rng.integers(1, 4)),
        rho=float(rng.choice([1.0, 0.8, 0.3])),
        in_width=int(rng.integers(1, 13)),
        out_width=int(rng.integers(1, 13)),
        family=str(rng.choice(sorted(MODELS) if netlist else sorted(FAMILIES))),
        frames=tuple(int(rng.integers(1, 6)) for _ in range(int(rng.integers(1, 4)))),
        idle=round(float(rng.uniform(0, 0.6)), 2) if rough else 0.0,
        backpressure=round(float(rng.uniform(0, 0.6)), 2) if rough else 0.0,
        resets=int(rng.integers(0, 3)) if rough else 0,
        netlist=netlist,
        simulator=simulator,
    )


def read(path: Path) -> Case:
    """A case from its file."""
    try:
        return Case.of(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise BadInput(f"{path}: expected a case of the fuzzer, got {error.strerror}") from None
    except ValueError as error:
        raise BadInput(f"{path}: expected JSON, got {error}") from None
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None


def compare(case: Case, make: Callable[[Network, Path], Path]) -> str:
    """Simulate the Verilog that `make` writes: where it differs from the golden model first; empty if nowhere."""
    bundle, network, stimulus = case.made()
    with TemporaryDirectory() as folder:
        verilog = make(network, Path(folder))
        try:
            found = simulate(
                network, bundle, stimulus, verilog=verilog, simulator=case.simulator, quick_build=True
            ).mismatch
        except RuntimeError as error:
            if STUCK not in str(error):
                raise
            return "the hardware is stuck: it made no progress in ten times the cycles that it should take"
    return "" if found is None else str(found)


def entry(case: Case, check: Callable[..., None]) -> Entry:
    """The verdict on a case, to be found anywhere by `check`."""
    known = versions(SIMULATION)
    name = f"{check.__module__}.{check.__qualname__}"
    return Entry("fuzz", (name, *map(str, known.items()), case.text), check, {"case": json.loads(case.text)})


def verdict(folder: Path) -> str:
    """The mismatch that a job found; empty if none."""
    return (folder / "mismatch").read_text(encoding="utf-8")


@maker
def check(folder: Path, case: dict[str, Any]) -> None:
    """Simulate a case; leaves its mismatch as text."""
    given = Case.of(case)
    found = compare(given, generate_netlist if given.netlist else generate)
    (folder / "mismatch").write_text(found, encoding="utf-8")
