# amaranth: UnusedElaboratable=no
# A case that is only checked for what is possible is never elaborated.
"""A case of the fuzzer: a random network, its folding and its stimulus, small enough to be a line of JSON."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
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
from hw.shape.integer_engine_spec import lanes_of
from jobs.versions import SIMULATION, versions
from model.bundle.bundle import Bundle
from model.bundle.formats import MOST_BITS, WEIGHT_FORMATS, Format
from model.bundle.front_end import LEVEL_BITS
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer as BitwiseLayer
from model.bundle.random_bundle import (
    any_features,
    level_front_end,
    random_front_end,
    random_integer_layer,
    random_layer,
)
from model.errors import BadInput

__all__ = ["Case", "Layer", "check", "compare", "draw", "entry", "read", "verdict"]

MOST = 1024
"""Units of a layer and frames of an utterance: a case is small."""

STUCK = "SimTimeoutError"
"""What cocotb's log holds if the hardware made no progress."""


@dataclass(frozen=True)
class Layer:
    """A layer: its kind and units (those of the last are the bins), its folding, cut to the layer's size, and formats.

    kind : bgru or dense, or with `w` gru or dense
    w, u : formats of an integer layer's weights; `w` is empty for a bitwise layer, `u` for all but a gru layer
    output_bits : of an integer layer; 1 where a bitwise layer follows
    """

    kind: str
    units: int
    pe: int
    simd: int
    weights: str = "rom"
    packed: bool = False
    w: str = ""
    u: str = ""
    output_bits: int = 1


@dataclass(frozen=True)
class Case:
    """All that decides one simulation.

    seed : of weights, thresholds, features and pauses
    layers : the hidden ones, then the mask layer
    qad_bits : of a bin's code, where features are bits
    feature_bits : of a level, or 1: features are bits, as always in front of a bitwise layer
    rho : share of a bitwise layer's weights that are not 0; 1 is binary arithmetic
    frames : of each utterance
    idle, backpressure, resets : as in `cosim.bench.runner.Stimulus`
    netlist : simulate the synthesised netlist instead of the RTL
    """

    seed: int
    layers: tuple[Layer, ...]
    qad_bits: int
    feature_bits: int
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
            if not all(1 <= layer.output_bits <= MOST_BITS for layer in layers):
                raise ValueError(f"output_bits that are not 1 to {MOST_BITS}")
            if max(layer.units for layer in layers) > MOST:
                raise ValueError(f"more than {MOST} units")
            case.made()
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            raise BadInput(f"case: expected values of a network, got {error}") from None
        except BadInput as error:
            raise BadInput(f"case: {error}") from None
        return case

    def made(self) -> tuple[Bundle, Network, Stimulus]:
        """The network, in software and in hardware, and what it is fed with."""
        rng = np.random.default_rng(self.seed)
        bins = self.layers[-1].units
        bits = self.feature_bits if self.layers[0].w else 1
        front_end = random_front_end(rng, bins, self.qad_bits) if bits == 1 else level_front_end(rng, bins, bits)
        layers: list[BitwiseLayer | IntegerLayer] = []
        foldings, width = {}, front_end.features
        for layer, follower in zip(self.layers, (*self.layers[1:], None), strict=True):
            name = f"layer{len(layers)}" if follower else "mask"
            output_bits = layer.output_bits if layer.w and (follower is None or follower.w) else 1
            made = self._layer(rng, layer, width, bits, output_bits, name)
            layers.append(made)
            width, bits = layer.units, output_bits
            weights: Any = layer.weights
            pe, simd = min(layer.pe, made.units), min(layer.simd, made.columns)
            foldings[name] = Folding(pe, simd, weights, layer.packed and _packable(made))
        bundle = Bundle("random", replace(front_end, gain_bits=bits), tuple(layers))
        network = Network(bundle, foldings, FAMILIES[self.family], self.in_width, self.out_width)
        features = [any_features(rng, bundle.front_end, count) for count in self.frames]
        return bundle, network, Stimulus(features, self.idle, self.backpressure, self.resets, self.seed)

    def _layer(
        self, rng: np.random.Generator, layer: Layer, inputs: int, input_bits: int, output_bits: int, name: str
    ) -> BitwiseLayer | IntegerLayer:
        """A layer of the network, with random weights."""
        kind: Any = layer.kind
        if not layer.w:
            return random_layer(rng, kind, inputs, layer.units, self.rho, name)
        w, u = WEIGHT_FORMATS[layer.w], WEIGHT_FORMATS[layer.u] if layer.u else None
        return random_integer_layer(rng, kind, inputs, layer.units, Format(input_bits, output_bits, w, u), name)


def _packable(layer: BitwiseLayer | IntegerLayer) -> bool:
    """Whether its weights are ternary, at which five fit eight bits."""
    if isinstance(layer, BitwiseLayer):
        return not layer.binary
    return lanes_of(layer.format.w, layer.format.u, layer.name) is WEIGHT_FORMATS["ternary"]


def draw(rng: np.random.Generator, simulator: str) -> Case:
    """Any case: most foldings divide nothing evenly, every fourth case pauses nowhere, every eighth is a netlist."""
    netlist = bool(rng.random() < 1 / 8)
    rough = bool(rng.random() < 3 / 4)
    return Case(
        seed=int(rng.integers(2**32)),
        layers=tuple(_draw_layer(rng, netlist) for _ in range(int(rng.integers(1, 4)))),
        qad_bits=int(rng.integers(1, 4)),
        feature_bits=int(rng.choice([1, *LEVEL_BITS])),
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


def _draw_layer(rng: np.random.Generator, netlist: bool) -> Layer:
    """A layer of bits or of integers, in equal shares."""
    units, weights = int(rng.integers(1, 14)), str(rng.choice(["rom", "loaded", "streamed"]))
    packed = bool(rng.random() < 0.5)
    if rng.random() < 0.5:
        kind = str(rng.choice(["bgru", "dense"]))
        return Layer(kind, units, int(rng.integers(1, 14)), int(rng.integers(1, 40)), weights, packed)
    # A lane of integers takes up to 200 LUT4: few of them keep a netlist small.
    pe, simd = (int(rng.integers(1, most)) for most in ((3, 3) if netlist else (6, 8)))
    kind, (w, u) = str(rng.choice(["gru", "dense"])), PAIRS[rng.integers(len(PAIRS))]
    bits = int(rng.integers(1, MOST_BITS + 1))
    return Layer(kind, units, pe, simd, weights, packed, w, u if kind == "gru" else "", bits)


def _has_lanes(w: str, u: str) -> bool:
    try:
        lanes_of(WEIGHT_FORMATS[w], WEIGHT_FORMATS[u], "layer")
    except BadInput:
        return False
    return True


PAIRS = [pair for pair in product(sorted(WEIGHT_FORMATS), repeat=2) if _has_lanes(*pair)]
"""Formats of W and U that have hardware."""


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
