"""The tables of the study, from its results: `bgru study tables`.

Reads every JSON file in the folder of results and writes README.md and the pictures (`study.pictures`) there. No figure
is typed by hand.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model.bundle.bundle import Bundle
from model.console import console
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
    UNIFORM,
    Experiment,
)
from study.pictures import draw_formats, draw_kinds, draw_limits, draw_rounds, draw_sizes, points, presets
from study.results import Result, on_the_same_mixtures, read
from study.run import UNTRAINED

SHORT = ("sdr", "si_sdr", "stoi", "mask_accuracy", "weighted_mask_accuracy")
"""The metrics for comparing rows with each other."""

HEAD = 2
"""Lines of a table without rows."""

BY_SIZE = (ABLATIONS[0], *SIZES)
OTHER_FRONT_ENDS = tuple(row for row in ABLATIONS if row.name in ("ablation-hop-256", "ablation-fft-1024"))
OTHER_RHO = tuple(row for row in ABLATIONS if row.name in ("ablation-rho-0.2", "ablation-rho-0.8"))

BUNDLES = Path("bundles")


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


def tried_table(result: Result) -> list[str]:
    """Levers that were not kept: validation scores of the last weights and of their average."""
    metrics = ("sdr", "si_sdr", "stoi")
    lines = []
    for run in result["runs"].values():
        figures = [f"{run[of][metric]:.{METRICS[metric].digits}f}" for of in ("last", "averaged") for metric in metrics]
        lines.append([run["change"], f"{run['loss'][-1]:.3f}", *figures])
    of_average = (f"{heading}, averaged weights" for heading in headings(metrics))
    return table(["change", "last loss", *headings(metrics), *of_average], lines)


def tried_any_noise_table(result: Result) -> list[str]:
    """Levers that were not kept, on held-out kinds: scores of the real-valued network and of the int4 one."""
    metrics = ("si_sdr", "sdr", "stoi")
    lines = [
        [run["change"]]
        + [f"{scores[metric]:.{METRICS[metric].digits}f}" for scores in run["scores"].values() for metric in metrics]
        for run in result["runs"].values()
    ]
    titles = (f"{name}: {heading}" for name in ("real-valued", "int4") for heading in headings(metrics))
    return table(["change", *titles], lines)


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
    if "tried-any-noise" in results:
        parts.append(("Tried on any noise, and not kept", tried_any_noise_table(results["tried-any-noise"])))
    formats = format_table(results, FORMATS, costs)
    if any(row.name in results for row in FORMATS):
        formats += ["", "![SI-SDR and STOI by RAM bits](formats.png)"]
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
        draw_formats(found, UNIFORM, costs, results / "formats.png")
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
