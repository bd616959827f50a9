"""The model card: `README.md` of a bundle, written from the bundle's own provenance."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer
from model.corpora.corpus import NOISE_PARTS, kind
from model.evaluation.metrics import METRICS
from model.files import replacing

SHOWN = ("sdr", "si_sdr", "stoi", "pesq", "mask_accuracy")
"""Metrics of the card."""

CLEAN = ("si_sdr", "stoi", "pesq")
"""Metrics of clean speech, which has no noise to measure the distortion against."""


def write(bundle: Bundle, folder: Path, notice: str) -> None:
    """Write `folder/README.md` from the bundle's provenance; `notice` is copied."""
    with replacing(folder / "README.md") as temporary:
        temporary.write_text(text(bundle, notice), encoding="utf-8")


def text(bundle: Bundle, notice: str) -> str:
    """The card as Markdown."""
    origin, front_end = bundle.provenance, bundle.front_end
    data, best, versions = origin["corpus"], origin["best"], origin["versions"]
    size = ", ".join(f"`{layer.name}` {layer.kind} {layer.inputs} -> {layer.units}" for layer in bundle.layers)
    lines = [
        f"# Bundle `{bundle.name}`",
        "",
        f"A {_kind(bundle)} that keeps the bins of a noisy recording's spectrum where",
        "speech is louder than noise. The command that trained it wrote this card.",
        "",
        f"- Front end: {front_end.sample_rate} Hz, {front_end.fft_size}-point STFT, hop {front_end.hop}, "
        f"{front_end.bins} bins, {front_end.bits} bits per bin.",
        "- Level: any. A slow gain (docs/exact-meaning.md) brings a recording to an RMS "
        f"of {front_end.rms} as it goes.",
        f"- Layers: {size}.",
        _weights(bundle),
        f"- Trained on: speech `{data['speech']}`, {data['training_speakers']} speakers; noise `{data['noise']}`, "
        f"the first {corpus_share('training')} of each file ({', '.join(kinds_of(data['noises']))}).",
        *_held_out_line(data),
        f"- Validated on: {', '.join(data['validation'])}; tested on: {', '.join(data['test'])}, with the last "
        f"{corpus_share('test')} of each noise file. None of them is among the training speakers.",
        f"- Seed {origin['settings']['seed']}; of the epochs at pi = 1 the best was kept (epoch {best['epoch']}: "
        f"validation SI-SDR {best['si_sdr']:.2f} dB, STOI {best['stoi']:.3f}); "
        f"git revision {origin['revision'] or 'unknown'}; "
        + ", ".join(f"{name} {value}" for name, value in versions.items())
        + ".",
        "",
        "```",
        origin["command"],
        "```",
        "",
        "## Scores on the test speakers",
        "",
        f"Mixtures at {', '.join(f'{snr:g}' for snr in origin['settings']['snr_test'])} dB. Each cell is the mixture / "
        "**denoised** / by the ideal mask, the ceiling of one-bit masks. SDR is that of BSS Eval v3, PESQ wide-band; "
        "*harmed* is the share of the mixtures whose STOI the network lowers.",
        "",
        *tables(origin),
        "## Licence",
        "",
        notice.strip() or "No licence of the recordings was stated when this bundle was trained.",
        "",
    ]
    return "\n".join(lines)


def _kind(bundle: Bundle) -> str:
    if all(isinstance(layer, Layer) for layer in bundle.layers):
        return "bitwise network (Kim, Maity and Kim, ICASSP 2019)"
    return "network of integers (docs/exact-meaning.md, rule 14)"


def _weights(bundle: Bundle) -> str:
    kept = f"({bundle.kept / bundle.weights:.0%} not zero)"
    integers = [layer for layer in bundle.layers if isinstance(layer, IntegerLayer)]
    if not integers:
        return f"- Weights: {bundle.weights:,} ternary {kept}, {bundle.weight_bits:,} bits as sign and non-zero planes."
    parts = [f"`{layer.name}` {layer.format}" for layer in integers]
    return f"- Weights: {bundle.weights:,} {kept}, {bundle.weight_bits:,} bits. Formats: {'; '.join(parts)}."


def kinds_of(noises: Iterable[str]) -> list[str]:
    """The kinds of noises, sorted."""
    return sorted({kind(name) for name in noises})


def _held_out_line(data: Mapping[str, Any]) -> list[str]:
    kinds = ", ".join(data["held_out"])
    return [f"- Never trained on, to choose and score by: noise of the kinds {kinds}."] if kinds else []


def tables(origin: Mapping[str, Any]) -> list[str]:
    """The scores in a bundle's provenance, as Markdown: held-out kinds of noise, known kinds, clean speech."""
    lines = []
    parts = (("held_out", "Kinds of noise that it was never trained on"), ("scores", "Kinds of noise that it knows"))
    for part, title in parts:
        if part in origin:
            scores = origin[part]
            count = scores["denoised"]["all"]["mixtures"]
            lines += [f"### {title}: {count} mixtures", "", *table(scores, "kind"), "", *table(scores, "snr"), ""]
            lines += [f"With the half-width of the mean's 95 % confidence interval: {means(scores)}.", ""]
    if "clean" in origin:
        found = origin["clean"]["denoised"]["all"]
        text = ", ".join(f"{METRICS[key].heading} {_shown(key, found['mean'])}" for key in CLEAN)
        lines += ["### Clean speech", "", f"{found['mixtures']} utterances without noise: {text}.", ""]
    return lines


def corpus_share(part: str) -> str:
    """A part's share of each noise file, as a percentage."""
    first, last = NOISE_PARTS[part]
    return f"{last - first:.0%}"


def table(scores: Mapping[str, Any], part: str) -> list[str]:
    """Scores (`scoring.summary`) for each kind or SNR (`part`) and over all mixtures, as lines of a Markdown table."""
    headings = [part, *(METRICS[key].heading for key in SHOWN), "harmed"]
    lines = ["| " + " | ".join(headings) + " |", "|---|" + "---:|" * (len(headings) - 1)]
    mixture, denoised, ideal = (scores[system] for system in ("mixture", "denoised", "ibm"))
    names = sorted(denoised[f"{part}s"], key=float if part == "snr" else str)
    groups = {name: [system[f"{part}s"][name] for system in (mixture, denoised, ideal)] for name in names}
    for name, parts in {**groups, "**all**": [system["all"] for system in (mixture, denoised, ideal)]}.items():
        cells = [_cell(key, *(one["mean"] for one in parts)) for key in SHOWN]
        lines.append("| " + " | ".join([name, *cells, f"{parts[1]['harmed']:.0%}"]) + " |")
    return lines


def _cell(key: str, mixture: dict[str, float], denoised: dict[str, float], ideal: dict[str, float]) -> str:
    if key not in mixture:  # a mixture has no mask, and the ideal mask agrees with itself
        return _shown(key, denoised)
    return f"{_shown(key, mixture)} / **{_shown(key, denoised)}** / {_shown(key, ideal)}"


def means(scores: dict[str, Any]) -> str:
    """Means over all denoised recordings, each with its interval."""
    found = scores["denoised"]["all"]
    return ", ".join(
        f"{METRICS[key].heading} {_shown(key, found['mean'])} ± {_shown(key, found['interval'])}" for key in SHOWN
    )


def _shown(key: str, figures: Mapping[str, float | None]) -> str:
    """A figure with its metric's digits; a dash if there is none."""
    value = figures.get(key)
    return "-" if value is None else f"{value:.{METRICS[key].digits}f}"
