"""The tables and the picture of the study, from its results: `bgru study tables`.

Reads every JSON file in the folder of results and writes README.md and the pictures there. No figure is typed by hand.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from matplotlib.figure import Figure

from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.evaluation.metrics import METRICS, OPINIONS, SHOWN
from model.evaluation.scoring import MIXTURE
from model.files import replacing
from model.training import config
from model.training.export import to_bundle
from model.training.network import BINARY
from model.training.trainer import make_network, untrained_front_end
from study.experiments import (
    ABLATIONS,
    CAUSES,
    FORMATS,
    FORMER,
    GENERAL,
    OURS,
    PAPER_BGRU,
    PAPER_ROWS,
    SIZES,
    Experiment,
)
from study.run import UNTRAINED

Result = dict[str, Any]

SHORT = ("sdr", "si_sdr", "stoi", "mask_accuracy", "weighted_mask_accuracy")
"""The metrics for comparing rows with each other."""

HEAD = 2
"""Lines of a table without rows."""

BY_SIZE = (ABLATIONS[0], *SIZES)
OTHER_FRONT_ENDS = tuple(row for row in ABLATIONS if row.name in ("ablation-hop-256", "ablation-fft-1024"))
OTHER_RHO = tuple(row for row in ABLATIONS if row.name in ("ablation-rho-0.2", "ablation-rho-0.8"))

BUNDLES = Path("bundles")


def read(folder: Path) -> dict[str, Result]:
    """All results by the name of their file. Raises `BadInput` if there is none or one is broken."""
    found = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInput(f"{path}: expected a result of study.run, got {error}") from None
    if not found:
        raise BadInput(f"{folder}: expected results of `bgru study run` (*.json), got none")
    return found


def table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table whose first column is text and whose others are figures."""
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return ["| " + " | ".join(line) + " |" for line in lines]


def cell(scores: dict[str, Any], metric: str) -> str:
    """Mean and, if known, the 95 % interval of a metric."""
    mean, interval = scores["mean"].get(metric), scores["interval"].get(metric)
    if mean is None:
        return ""
    digits = SHOWN[metric].digits
    return f"{mean:.{digits}f}" + (f" ±{interval:.{digits}f}" if interval is not None else "")


def headings(metrics: Iterable[str]) -> list[str]:
    """Headings of the metric columns."""
    return [SHOWN[metric].heading for metric in metrics]


def label(row: Experiment, key: str) -> str:
    """The name of a row's network: its scores are under `weights-activations`, or under a name of their own."""
    weights, _, activations = key.partition("-")
    if not activations:
        return key
    if weights == activations:
        return f"{row.label}, {({'0': 'real', '1': 'bitwise'}).get(weights, f'pi = {weights}')}"
    return f"{row.label}, pi {weights} of weights, {activations} of activations"


def paper_table(results: dict[str, Result], rows: Sequence[Experiment]) -> list[str]:
    """Systems next to the paper's Table 1, with all metrics."""
    lines = []
    for row in rows:
        result = results.get(row.name)
        if result is None:
            continue
        theirs = {f"{stage.pi.weights:g}-{stage.pi.activations:g}": stage.paper for stage in row.stages}
        hidden = " x ".join(str(units) for units in result["settings"]["hidden"])
        for key, scores in result["scores"].items():
            paper = theirs.get(key)
            figures = f"{paper[0]:.2f} / {paper[1]:.3f}" if paper else ""
            cells = [cell(scores["all"], metric) for metric in METRICS]
            mixtures, without = str(scores["all"]["mixtures"]), cell(scores["without"], "sdr")
            lines.append([label(row, key), hidden, figures, mixtures, *cells, without])
    return table(["system", "units", "paper: SDR / STOI", "mixtures", *headings(METRICS), "SDR without `sa`"], lines)


def reference_table(result: Result) -> list[str]:
    """The systems that need no training."""
    lines = [
        [name, *(cell(scores["all"], metric) for metric in METRICS), cell(scores["without"], "sdr")]
        for name, scores in result["scores"].items()
    ]
    return table(["system", *headings(METRICS), "SDR without `sa`"], lines)


def ablation_table(results: dict[str, Result], rows: Sequence[Experiment]) -> list[str]:
    """One change per row, with the difference in SDR to the first row."""
    lines, base = [], None
    for row in rows:
        result = results.get(row.name)
        if result is None:
            continue
        scores = list(result["scores"].values())[-1]["all"]
        base = base or scores
        change = scores["mean"]["sdr"] - base["mean"]["sdr"]
        difference = f"{change:+.2f}" if scores is not base else ""
        bits, mixtures = f"{result['weight_bits']:,}", str(scores["mixtures"])
        lines.append([row.label, bits, mixtures, *(cell(scores, metric) for metric in SHORT), difference])
    return table(["change", "weight bits", "mixtures", *headings(SHORT), "SDR, difference"], lines)


Plan = Callable[[Bundle], Mapping[str, int]]
"""What a network costs on a board, by the headings of the table."""


def planned(results: dict[str, Result], rows: Iterable[Experiment], plan: Plan) -> dict[str, Mapping[str, int]]:
    """What each row costs on a board, from its shape alone: rows need no result, unless that has their formats."""
    costs: dict[tuple[Any, ...], Mapping[str, int]] = {}
    found = {}
    for row in rows:
        settings = config.with_settings("small", row.with_sizes(1, 1.0))
        if row.fit:
            if row.name not in results:
                continue
            settings = replace(settings, format=tuple(results[row.name]["settings"]["format"]))
        if settings.stages[-1][1:3] != BINARY:
            continue  # real-valued
        key = (settings.hidden, settings.kind, settings.format, settings.state_bits)
        if key not in costs:
            front_end = untrained_front_end(settings)
            costs[key] = plan(to_bundle(make_network(front_end, settings), front_end, "row", {}))
        found[row.name] = costs[key]
    return found


def format_table(
    results: dict[str, Result], rows: Sequence[Experiment], costs: Mapping[str, Mapping[str, int]]
) -> list[str]:
    """Networks in each number format: what they cost, their scores, and those of the real-valued one rounded to it.

    A row without a result has its cost alone.
    """
    lines, metrics = [], ("sdr", "si_sdr", "stoi")
    kinds = list(next(iter(costs.values()), {}))
    for row in rows:
        result, cost = results.get(row.name), costs.get(row.name, {})
        if result is None and not cost:
            continue
        scores = {} if result is None else result["scores"]
        trained, rounded = (
            scores[name]["all"] if name in scores else None for name in (next(iter(scores), ""), UNTRAINED)
        )
        figures = [cell(one, metric) if one else "" for one in (trained, rounded) for metric in metrics]
        formats = ", ".join(result["settings"]["format"]) if result and row.fit else ""
        label, units = f"{row.label}: {formats}" if formats else row.label, row.settings[0].removeprefix("hidden=")
        lines.append([label, units, *(f"{cost[kind]:,}" if cost else "" for kind in kinds), *figures])
    of_rounded = (f"{heading}, {UNTRAINED}" for heading in headings(metrics))
    return table(["format", "units", *kinds, *headings(metrics), *of_rounded], lines)


def draw_formats(
    results: dict[str, Result], rows: Sequence[Experiment], costs: Mapping[str, Mapping[str, int]], path: Path
) -> None:
    """SDR against RAM bits, a line for each format through its sizes; real-valued networks and RNNoise as levels."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axis = figure.subplots()
    series: dict[str, list[tuple[int, float]]] = {}
    for row in rows:
        if row.name not in results:
            continue
        sdr = next(iter(results[row.name]["scores"].values()))["all"]["mean"]["sdr"]
        if row.name in costs:
            series.setdefault(row.label, []).append((costs[row.name]["RAM bits"], sdr))
        else:
            size = row.settings[0].removeprefix("hidden=")
            axis.axhline(sdr, color="0.6", linewidth=0.8)
            axis.annotate(f"{row.label}, {size} units", (0, sdr), xycoords=("axes fraction", "data"), fontsize=7)
    if (rnnoise := on_the_same_mixtures(results, "held out").get("RNNoise")) is not None:
        axis.axhline(rnnoise["all"]["mean"]["sdr"], color="black", linestyle=":", label="RNNoise")
    for index, (label, points) in enumerate(series.items()):
        marker = "osD^v<>P*X"[index // 10 % 10]
        axis.plot(*zip(*sorted(points), strict=True), f"{marker}-", label=label)
    axis.set(xscale="log", xlabel="RAM bits: weights, constants, tables and vectors", ylabel="SDR (dB)")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=7)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def tried_table(result: Result) -> list[str]:
    """Levers that were not kept: validation scores of the last weights and of their average."""
    metrics = ("sdr", "si_sdr", "stoi")
    lines = []
    for run in result["runs"].values():
        figures = [f"{run[of][metric]:.{METRICS[metric].digits}f}" for of in ("last", "averaged") for metric in metrics]
        lines.append([run["change"], f"{run['loss'][-1]:.3f}", *figures])
    of_average = (f"{heading}, averaged weights" for heading in headings(metrics))
    return table(["change", "last loss", *headings(metrics), *of_average], lines)


GENERAL_PARTS = {
    "held out": "Noise of kinds that no network here was trained on",
    "known": "Noise of kinds that the networks for any noise know",
    "snr": "Noise of held-out kinds from -5 to 20 dB",
    "reverberant": "Reverberant speech in noise of held-out kinds",
    "clean": "Clean speech",
}
"""The parts of `study.generalisation` and their titles."""

GENERAL_METRICS = ("si_sdr", "sdr", "stoi", "pesq", *OPINIONS)

BY_SNR = ("si_sdr", "stoi", "pesq", "dnsmos_ovrl")


def on_the_same_mixtures(results: dict[str, Result], part: str) -> dict[str, Any]:
    """The scores of every system of the results of `study.generalisation`; nothing if there are none.

    Raises `BadInput` if two results are of different mixtures.
    """
    found: dict[str, Any] = {}
    for name, result in results.items():
        if name.startswith("generalisation"):
            scores = result["scores"].get(part, {})
            if not scores:
                continue
            if found.get(MIXTURE, scores[MIXTURE]) != scores[MIXTURE]:
                raise BadInput(f"{name}: expected the mixtures of the other results, got others; score them together")
            found |= scores
    return found


def general_table(scores: dict[str, Any]) -> list[str]:
    """Every system on the same mixtures: means, and the share of the mixtures whose STOI it lowers."""
    metrics = [metric for metric in GENERAL_METRICS if any(metric in one["all"]["mean"] for one in scores.values())]
    lines = [
        [name, str(one["all"]["mixtures"]), *(cell(one["all"], metric) for metric in metrics), harmed(one["all"])]
        for name, one in scores.items()
    ]
    return table(["system", "mixtures", *headings(metrics), "STOI lowered in"], lines)


def harmed(scores: dict[str, Any]) -> str:
    """The share of the mixtures whose STOI a system lowers."""
    return f"{scores['harmed']:.0%}" if "harmed" in scores else ""


def general_parts(scores: dict[str, Any], part: str) -> list[str]:
    """SI-SDR / STOI of every system for each kind or snr."""
    systems = list(scores)
    names = sorted(scores[systems[0]][f"{part}s"], key=float if part == "snr" else str)
    lines = []
    for name in names:
        means = [scores[system][f"{part}s"][name]["mean"] for system in systems]
        lines.append([name, *(f"{mean['si_sdr']:.1f} / {mean['stoi']:.3f}" for mean in means)])
    return table([f"{part}: SI-SDR (dB) / STOI", *systems], lines)


def by_snr_table(scores: dict[str, Any], metric: str) -> list[str]:
    """One metric of every system at each SNR, with its interval."""
    systems = list(scores)
    snrs = sorted(scores[systems[0]]["snrs"], key=float)
    lines = [[f"{snr} dB", *(cell(scores[system]["snrs"][snr], metric) for system in systems)] for snr in snrs]
    return table([SHOWN[metric].heading, *systems], lines)


def harmed_by_snr_table(scores: dict[str, Any]) -> list[str]:
    """The share of the mixtures whose STOI each system lowers, at each SNR."""
    systems = [system for system in scores if system != MIXTURE]
    snrs = sorted(scores[MIXTURE]["snrs"], key=float)
    lines = [[f"{snr} dB", *(harmed(scores[system]["snrs"][snr]) for system in systems)] for snr in snrs]
    return table(["STOI lowered in", *systems], lines)


def limit_table(result: Result) -> list[str]:
    """One bundle's scores by its attenuation limit, on noisy and on clean speech."""
    metrics = ("si_sdr", "stoi")
    noisy, clean = result["scores"]["held out"], result["scores"]["clean"]
    lines = [
        [
            limit,
            *(cell(scores["all"], metric) for metric in metrics),
            harmed(scores["all"]),
            *(cell(clean[limit]["all"], metric) for metric in metrics),
        ]
        for limit, scores in noisy.items()
    ]
    return table(["limit", *headings(metrics), "STOI lowered in", "clean: SI-SDR (dB)", "clean: STOI"], lines)


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


def level_table(result: Result) -> list[str]:
    """One bundle's scores by how many decibels louder a mixture is."""
    metrics = ("sdr", "si_sdr", "stoi")
    lines = [
        [f"{level} dB", str(scores["all"]["mixtures"]), *(cell(scores["all"], metric) for metric in metrics)]
        for level, scores in result["scores"].items()
    ]
    return table(["level", "mixtures", *headings(metrics)], lines)


def by_part_table(scores: dict[str, Any], part: str) -> list[str]:
    """One system's scores for each noise or speaker."""
    groups = scores[f"{part}s"]
    metrics = [metric for metric in METRICS if metric in scores["all"]["mean"]]
    lines = [[name, *(cell(group, metric) for metric in metrics)] for name, group in groups.items()]
    return table([part, *headings(metrics)], lines)


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


def word_length_table(result: Result) -> list[str]:
    """Score differences of each word length from floating point, with 95 % intervals, at each level."""
    rows = []
    for level, systems in result["differences"].items():
        for name, scores in systems.items():
            cells = (
                f"{mean:+.{METRICS[metric].digits + 1}f} ±{error:.{METRICS[metric].digits + 1}f}"
                for metric, (mean, error) in scores.items()
            )
            rows.append([name, level, *cells])
    metrics = next(iter(next(iter(result["differences"].values())).values()))
    return table(["audio path, less floating point", "level, dBFS", *headings(metrics)], rows)


def page(results: dict[str, Result], costs: Mapping[str, Mapping[str, int]] = MappingProxyType({})) -> str:
    """docs/study/README.md: every part that has results, and what the formats cost."""
    parts = [
        (f"Without training, protocol {result['protocol']}", reference_table(result))
        for name, result in results.items()
        if name.startswith("references")
    ]
    for title, rows in (("Our recipe", OURS), ("The paper's Table 1", PAPER_ROWS), ("Why its figures differ", CAUSES)):
        parts.append((title, paper_table(results, rows)))
        if rows is PAPER_ROWS and PAPER_BGRU.name in results:
            parts[-1][1].extend(["", "![SDR by pi, next to the paper's](pi.png)"])
    parts.append(("One change at a time", ablation_table(results, ABLATIONS)))
    if "tried" in results:
        parts.append(("Tried and not kept", tried_table(results["tried"])))
    sizes = ablation_table(results, (*BY_SIZE, *OTHER_RHO, *OTHER_FRONT_ENDS))
    parts.append(("Size", [*sizes, "", "![SDR by weight bits](sizes.png)"]))
    for part, title in GENERAL_PARTS.items():
        if scores := on_the_same_mixtures(results, part):
            tables = [general_table(scores)]
            if part == "snr":
                tables += [*(by_snr_table(scores, metric) for metric in BY_SNR), harmed_by_snr_table(scores)]
            elif part != "clean":
                tables += [general_parts(scores, "snr"), general_parts(scores, "kind")]
            if part == "held out":
                tables.append(["![What each system adds, kind by kind](kinds.png)"])
            parts.append((title, [line for lines in tables for line in [*lines, ""]][:-1]))
    parts.append(("Networks for any noise, one change at a time", ablation_table(results, GENERAL)))
    formats = format_table(results, FORMATS, costs)
    if any(row.name in results for row in FORMATS):
        formats += ["", "![SDR by RAM bits](formats.png)"]
    parts.append(("Number formats, noise of held-out kinds", formats))
    for name, result in results.items():
        if name.startswith("levels"):
            parts.append((f"Level, bundle {result['bundle']}", level_table(result)))
        if name == "fine-tuning":
            scores = result["scores"]["held out"]
            lines = [*general_table(scores), "", *general_parts(scores, "kind")]
            parts.append(("Fine-tuning to one device", lines))
        if name.startswith("limits"):
            picture = f"![Scores by attenuation limit]({name}.png)"
            lines = [*limit_table(result), "", picture]
            parts.append((f"Attenuation limit, bundle {result['bundle']}, noise of held-out kinds", lines))
        if name.startswith("word-lengths"):
            title = f"Word lengths of the audio path, bundle {result['bundle']}, {result['mixtures']} mixtures"
            parts.append((title, word_length_table(result)))
    for row in OURS:
        for key, scores in results.get(row.name, {"scores": {}})["scores"].items():
            for part in ("noise", "speaker"):
                parts.append((f"{label(row, key)}, per {part}", by_part_table(scores, part)))
    lines = ["# Results of the study", "", "Written by `bgru study tables`; [what they mean](../study.md).", ""]
    for title, table_lines in parts:
        if len(table_lines) > HEAD:
            lines += [f"## {title}", "", *table_lines, ""]
    return "\n".join(lines)


def run(results: Path, bundles: Path, plan: Plan) -> None:
    """Write the tables and the pictures of the study from the available results: `bgru study tables`.

    `plan` says what a network costs on a board.
    """
    found = read(results)
    costs = planned(found, FORMATS, plan)
    with replacing(results / "README.md") as temporary:
        temporary.write_text(page(found, costs), encoding="utf-8")
    if any(row.name in found for row in FORMATS):
        draw_formats(found, FORMATS, costs, results / "formats.png")
    bitwise = [row for row in OURS if row.stages[-1].pi == BINARY]
    series = {
        "our recipe, on the study's mixtures": points(found, (row for row in bitwise if FORMER not in row.settings)),
        "with the speech of open/, without the envelopes": points(found, (row for row in bitwise if row.open_speech)),
        "short runs, on the study's mixtures": points(found, BY_SIZE),
    }
    alone = {
        "the same with 256 units, other front ends": points(found, OTHER_FRONT_ENDS),
        "bitwise presets, on the test speakers and noises of open/": presets(sorted(bundles.glob("*/")), False),
        "presets of integers, on the same": presets(sorted(bundles.glob("*/")), True),
    }
    draw_sizes(series, alone, results / "sizes.png")
    draw_rounds(found, (PAPER_BGRU, *(row for row in CAUSES if not row.run_of)), results / "pi.png")
    if scores := on_the_same_mixtures(found, "held out"):
        draw_kinds(scores, results / "kinds.png")
    for name, result in found.items():
        if name.startswith("limits"):
            draw_limits(result, results / f"{name}.png")
    console.print(f"{results / 'README.md'} and its pictures: from {len(found)} results")
