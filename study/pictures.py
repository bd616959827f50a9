"""The pictures of the study, from its results."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from model.bundle.integer_layers import IntegerLayer
from model.bundle.read import read_bundle
from model.evaluation.metrics import SHOWN
from model.evaluation.scoring import MIXTURE
from model.files import replacing
from study.experiments import PAPER_BGRU, Experiment
from study.results import Result, on_the_same_mixtures

__all__ = [
    *("Point", "draw_formats", "draw_kinds", "draw_limits", "draw_rounds", "draw_sizes"),
    *("points", "presets"),
]

Point = tuple[str, int, float]
"""Name, weight bits and SDR of a network."""


def points(results: dict[str, Result], rows: Iterable[Experiment]) -> list[Point]:
    """The points of the rows that have results."""
    found = ((row, results.get(row.name)) for row in rows)
    return [
        (
            row.name.removeprefix("ablation-"),
            result["weight_bits"],
            list(result["scores"].values())[-1]["all"]["mean"]["sdr"],
        )
        for row, result in found
        if result
    ]


def presets(folders: Iterable[Path], integers: bool) -> list[Point]:
    """The points of bundles, bitwise or of integers, from their own scores: on each one's test speakers and noises."""
    read = (read_bundle(folder) for folder in folders)
    made = [one for one in read if integers == any(isinstance(layer, IntegerLayer) for layer in one.layers)]
    return [
        (
            one.name,
            one.weight_bits,
            one.provenance["scores"]["denoised"]["all"]["mean"]["sdr"],
        )
        for one in made
        if "denoised" in one.provenance.get("scores", {})
    ]


def draw_formats(
    results: dict[str, Result], rows: Sequence[Experiment], costs: Mapping[str, Mapping[str, int]], path: Path
) -> None:
    """SI-SDR and STOI against RAM bits: a line for each format through its sizes; real values and RNNoise as levels."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    shared, rnnoise = {row.start for row in rows}, on_the_same_mixtures(results, "held out").get("RNNoise")
    for axis, metric in zip(figure.subplots(1, 2), ("si_sdr", "stoi"), strict=True):
        series: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if row.name not in results or row.name in shared:
                continue
            score = next(iter(results[row.name]["scores"].values()))["all"]["mean"][metric]
            if row.name in costs:
                series.setdefault(row.label, []).append((costs[row.name]["RAM bits"], score))
            else:
                axis.axhline(score, color="0.6", linewidth=0.8)
                label = f"real, {row.settings[0].removeprefix('hidden=')}"
                axis.annotate(label, (1.01, score), xycoords=("axes fraction", "data"), fontsize=7, va="center")
        if rnnoise is not None:
            axis.axhline(rnnoise["all"]["mean"][metric], color="black", linestyle=":", label="RNNoise")
        for index, (label, found) in enumerate(series.items()):
            axis.plot(*zip(*sorted(found), strict=True), f"{'osD^v<>P*X'[index % 10]}-", label=label, markersize=5)
        axis.set(xscale="log", xlabel="RAM bits: weights, constants, tables and vectors", ylabel=SHOWN[metric].heading)
        axis.grid(alpha=0.3)
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_limits(result: Result, path: Path) -> None:
    """SI-SDR gained, STOI gained and mixtures harmed, by attenuation limit."""
    noisy, clean = result["scores"]["held out"], result["scores"]["clean"]
    before = noisy[MIXTURE]["all"]["mean"]
    limits = [limit for limit in noisy if limit != MIXTURE]
    curves = {
        "SI-SDR gained (dB)": [noisy[limit]["all"]["mean"]["si_sdr"] - before["si_sdr"] for limit in limits],
        "STOI gained": [noisy[limit]["all"]["mean"]["stoi"] - before["stoi"] for limit in limits],
        "mixtures whose STOI falls (%)": [100 * noisy[limit]["all"]["harmed"] for limit in limits],
        "STOI of clean speech": [clean[limit]["all"]["mean"]["stoi"] for limit in limits],
    }
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    for axis, (title, values) in zip(figure.subplots(1, len(curves)), curves.items(), strict=True):
        axis.plot(limits, values, "o-")
        axis.set_title(title, fontsize=9)
        axis.tick_params(labelsize=8)
        axis.margins(y=0.15)
        axis.grid(alpha=0.3)
    figure.supxlabel(f"attenuation limit of `{result['bundle']}`", fontsize=9)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_kinds(scores: dict[str, Any], path: Path) -> None:
    """Gain of each system in SI-SDR and STOI over the mixture, by kind; a large loss is cut off and printed."""
    kinds = sorted(scores[MIXTURE]["kinds"])
    systems = [system for system in scores if system != MIXTURE]
    figure = Figure(figsize=(9, 5.5), layout="constrained")
    axes = figure.subplots(2, 1, sharex=True)
    for axis, metric in zip(axes, ("si_sdr", "stoi"), strict=True):
        before, most = [scores[MIXTURE]["kinds"][kind]["mean"][metric] for kind in kinds], 0.0
        for place, system in enumerate(systems):
            after = [scores[system]["kinds"][kind]["mean"][metric] for kind in kinds]
            gained = [now - then for now, then in zip(after, before, strict=True)]
            across = [kind + (place - (len(systems) - 1) / 2) * 0.8 / len(systems) for kind in range(len(kinds))]
            axis.bar(across, gained, 0.8 / len(systems), label=system.strip("`"))
            most = max(most, *gained)
            for at, gain in zip(across, gained, strict=True):
                if gain < -most / 2:
                    axis.annotate(f"{gain:.{SHOWN[metric].digits}f}", (at + 0.12, -0.45 * most), fontsize=8)
        axis.set_ylim(-most / 2, 1.1 * most)
        axis.set_ylabel(f"{SHOWN[metric].heading} gained", fontsize=9)
        axis.axhline(0, color="black", linewidth=0.8)
        axis.grid(axis="y", alpha=0.3)
    axes[1].set_xticks(range(len(kinds)), kinds)
    handles, names = axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside upper center", ncols=-(-len(systems) // 2), fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_rounds(results: dict[str, Result], rows: Iterable[Experiment], path: Path) -> None:
    """SDR as pi rises from 0 to 1, of the rows that have results and of the paper."""
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axis = figure.subplots()
    theirs = [(stage.pi.weights, stage.paper[0]) for stage in PAPER_BGRU.stages if stage.paper]
    axis.plot(*zip(*theirs, strict=True), "o--", color="grey", label="the paper, 1024 units")
    for row in rows:
        if row.name in results:
            scores = results[row.name]["scores"]
            figures = [(float(key.split("-")[0]), one["all"]) for key, one in scores.items() if key[0].isdigit()]
            title = f"{row.label}, {results[row.name]['settings']['hidden'][0]} units"
            axis.plot(*zip(*((pi, one["mean"]["sdr"]) for pi, one in figures), strict=True), "o-", label=title)
    for name, one in results.get("references-disjoint", {"scores": {}})["scores"].items():
        if name.endswith("1024-point STFT, hop 256"):
            axis.axhline(one["all"]["mean"]["sdr"], color="black", linestyle=":", label=name)
    axis.set(xlabel="pi: share of weights and activations that is bitwise", ylabel="SDR (dB)")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, fontsize=7.5)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def draw_sizes(series: dict[str, list[Point]], alone: dict[str, list[Point]], path: Path) -> None:
    """SDR against weight bits, a point for each network: series as lines, others without."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axis = figure.subplots()
    for title, found in (series | alone).items():
        if found:
            ordered = sorted(found, key=lambda point: point[1])
            style = "o-" if title in series else "s"
            axis.plot([bits for _, bits, _ in ordered], [sdr for _, _, sdr in ordered], style, label=title)
        side, apart = ("left", (4, -11)) if title in series else ("right", (-6, -3))
        for name, bits, sdr in found:
            axis.annotate(name, (bits, sdr), xytext=apart, textcoords="offset points", fontsize=8, ha=side)
    axis.set(xscale="log", xlabel="weight bits (sign and non-zero planes of bitwise layers)", ylabel="SDR (dB)")
    axis.margins(x=0.35, y=0.2)
    axis.grid(alpha=0.3)
    axis.legend(loc="lower right", fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
