"""The page of a sweep: the table, the Pareto picture, and the errors of the estimates."""

import base64
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

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
    """LUT4 as placed and latency at the placed clock, a colour per board; the Pareto-optimal designs are filled."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    axes.set_xscale("log")
    axes.set_yscale("log")
    best = optimal(placed)
    for number, board in enumerate(sorted({one["board"] for one in placed})):
        colour = f"C{number}"
        points = [
            (one["placed"]["lut4"], one["latency_ms"], index in best)
            for index, one in enumerate(placed)
            if one["board"] == board
        ]
        axes.scatter(
            [lut4 for lut4, _, _ in points],
            [latency for _, latency, _ in points],
            facecolor=[colour if filled else "none" for _, _, filled in points],
            edgecolor=colour,
            label=board,
        )
    if placed:
        axes.legend(frameon=False)
    axes.grid(which="major", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("LUT4 of the whole top, placed")
    axes.set_ylabel("latency of a frame at the placed clock, ms")
    axes.set_title(f"{name}: placed and routed designs", loc="left", fontsize="medium")
    return figure
