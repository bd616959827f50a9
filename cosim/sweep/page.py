"""The page of a sweep: the table, the Pareto picture, and the errors of the estimates."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from boards.flow.folding_search import front
from model.files import replacing
from model.pages import html

__all__ = ["draw", "optimal", "write_page"]


def write_page(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write `index.html` and `pareto.svg` of a sweep's figures (`sweep.json`) into a folder."""
    placed = [one for one in facts["designs"] if not one["refusal"]]
    buffer = io.BytesIO()
    # The same figures are the same file.
    with rc_context({"svg.hashsalt": "sweep"}):
        draw(placed, facts["bundle"]).savefig(buffer, format="svg", metadata={"Date": None})
    with replacing(folder / "pareto.svg") as temporary:
        temporary.write_bytes(buffer.getvalue())
    picture = f"data:image/svg+xml;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    shown = {**facts, "placed": placed, "optimal": optimal(placed), "picture": picture, "errors": errors(placed)}
    html.write(folder / "index.html", Path(__file__).parent / "sweep.html.jinja", shown)


def optimal(placed: Sequence[Mapping[str, Any]]) -> set[int]:
    """Indices of the designs of which no other on the same board has less of each: latency, LUT4 and block RAM."""
    found: set[int] = set()
    for board in {one["board"] for one in placed}:
        indices = [index for index, one in enumerate(placed) if one["board"] == board]
        points = [
            (one["latency_ms"], one["placed"]["lut4"], one["placed"]["block_ram"])
            for one in placed
            if one["board"] == board
        ]
        found |= {indices[index] for index in front(points)}
    return found


def errors(placed: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Relative errors of the plan's LUT4, and how many counts of block RAM are exact."""
    lut4 = [one["estimate"]["lut4"] / one["synthesised"]["lut4"] - 1 for one in placed]
    exact = sum(one["estimate"]["block_ram"] == one["synthesised"]["block_ram"] for one in placed)
    mean = sum(map(abs, lut4)) / len(lut4) if lut4 else None
    return {"lut4": lut4, "mean": mean, "largest": max(map(abs, lut4), default=None), "exact": exact}


def draw(placed: Sequence[Mapping[str, Any]], name: str) -> Figure:
    """Latency at the placed clock against LUT4 as placed, and against toggles per frame, a colour per board.

    The Pareto-optimal designs are filled.
    """
    figure = Figure(figsize=(10, 5), layout="constrained")
    area, energy = figure.subplots(1, 2, sharey=True)
    best = optimal(placed)
    for number, board in enumerate(sorted({one["board"] for one in placed})):
        designs = [(index, one) for index, one in enumerate(placed) if one["board"] == board]
        _scatter(area, [(index, one["placed"]["lut4"], one) for index, one in designs], best, f"C{number}")
        counted = [(index, one["toggles"]["frame"], one) for index, one in designs if one["toggles"]]
        _scatter(energy, counted, best, f"C{number}")
    for axes in (area, energy):
        axes.set_xscale("log")
        axes.grid(which="major", color="0.9")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    area.set_yscale("log")
    for axis, scale in ((area.xaxis, 1), (energy.xaxis, 1e-6), (area.yaxis, 1)):
        axis.set_major_locator(MaxNLocator(5))
        axis.set_major_formatter(FuncFormatter(lambda value, _, scale=scale: f"{scale * value:,.4g}"))
        axis.set_minor_locator(NullLocator())
    if placed:
        area.legend(edgecolor="0.9")  # a frame, so that its dots are no designs
    area.set_xlabel("LUT4 of the whole top, placed")
    energy.set_xlabel("toggles of the network's LUT outputs per frame, millions")
    area.set_ylabel("latency of a frame at the placed clock, ms")
    area.set_title(f"{name}: placed and routed designs", loc="left", fontsize="medium")
    return figure


def _scatter(axes: Axes, points: Sequence[tuple[int, float, Mapping[str, Any]]], best: set[int], colour: str) -> None:
    """Designs as (index, x, figures), with the latency as y."""
    if points:
        axes.scatter(
            [x for _, x, _ in points],
            [one["latency_ms"] for _, _, one in points],
            facecolor=[colour if index in best else "none" for index, _, _ in points],
            edgecolor=colour,
            label=points[0][2]["board"],
        )
