"""The model card: `README.md` beside a bundle, written from the bundle's own provenance."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from model.bundle.bundle import Bundle
from model.corpora.corpus import NOISE_PARTS
from model.evaluation.metrics import METRICS
from model.files import replacing

SHOWN = ("sdr", "si_sdr", "stoi", "pesq", "mask_accuracy")
"""Metrics of the card: what to score for one."""


def write(bundle: Bundle, folder: Path, notice: str) -> None:
    """Write `folder/README.md`; every figure in it stands in the bundle's provenance, `notice` is copied."""
    with replacing(folder / "README.md") as temporary:
        temporary.write_text(text(bundle, notice), encoding="utf-8")


def text(bundle: Bundle, notice: str) -> str:
    """The card as Markdown."""
    origin, front_end = bundle.provenance, bundle.front_end
    data, best, scores, versions = origin["corpus"], origin["best"], origin["scores"], origin["versions"]
    size = ", ".join(f"`{layer.name}` {layer.kind} {layer.inputs} -> {layer.units}" for layer in bundle.layers)
    kept = sum(
        int(m.values().astype(bool).sum()) for layer in bundle.layers for m in (layer.w, layer.u) if m is not None
    )
    lines = [
        f"# Bundle `{bundle.name}`",
        "",
        "A bitwise network (Kim, Maity and Kim, ICASSP 2019) that keeps the bins of a noisy recording's spectrum in",
        "which speech is louder than noise. This card is written by the command that trained it.",
        "",
        f"- Front end: {front_end.sample_rate} Hz, {front_end.fft_size}-point STFT, hop {front_end.hop}, "
        f"{front_end.bins} bins, {front_end.bits} bits per bin.",
        "- Level: any. A slow gain (docs/exact-meaning.md) brings a recording to an RMS "
        f"of {front_end.rms} as it goes.",
        f"- Layers: {size}.",
        f"- Weights: {bundle.weights:,} ternary ({kept / bundle.weights:.0%} not zero), {2 * bundle.weights:,} bits "
        "as sign and non-zero planes.",
        f"- Trained on: speech `{data['speech']}`, {data['training_speakers']} speakers; noise `{data['noise']}` "
        f"({', '.join(data['noises'])}), the first {corpus_share('training')} of each file.",
        f"- Validated on: {', '.join(data['validation'])}; tested on: {', '.join(data['test'])}, with the last "
        f"{corpus_share('test')} of each noise file. None of them is among the training speakers.",
        f"- Seed {origin['settings']['seed']}; of the epochs at pi = 1 the best was kept (epoch {best['epoch']}, "
        f"validation SDR {best['sdr']:.2f} dB); git revision {origin['revision'] or 'unknown'}; "
        + ", ".join(f"{name} {value}" for name, value in versions.items())
        + ".",
        "",
        "```",
        origin["command"],
        "```",
        "",
        f"## Scores on the test speakers at {origin['settings']['snr_test']:g} dB",
        "",
        f"{scores['denoised']['all']['mixtures']} mixtures: every utterance of every test speaker in every noise. Each "
        "cell is the mixture / **denoised** / by the ideal mask, the ceiling of one-bit masks. SDR is that of BSS "
        "Eval v3, PESQ wide-band.",
        "",
        *table(scores),
        "",
        f"Denoised, with the half-width of the mean's 95 % confidence interval over the mixtures: {means(scores)}.",
        "",
        "## Licence",
        "",
        notice.strip() or "No licence of the recordings was stated when this bundle was trained.",
        "",
    ]
    return "\n".join(lines)


def corpus_share(part: str) -> str:
    """How much of each noise file a part has, as a percentage."""
    first, last = NOISE_PARTS[part]
    return f"{last - first:.0%}"


def table(scores: dict[str, Any]) -> list[str]:
    """Scores (`scoring.summary`) per noise and over all mixtures, as lines of a Markdown table."""
    lines = ["| noise | " + " | ".join(METRICS[key].heading for key in SHOWN) + " |", "|---|" + "---:|" * len(SHOWN)]
    mixture, denoised, ideal = (scores[system] for system in ("mixture", "denoised", "ibm"))
    groups = {name: [part["noises"][name] for part in (mixture, denoised, ideal)] for name in denoised["noises"]}
    for name, parts in {**groups, "**all**": [part["all"] for part in (mixture, denoised, ideal)]}.items():
        lines.append(f"| {name} | " + " | ".join(_cell(key, *(part["mean"] for part in parts)) for key in SHOWN) + " |")
    return lines


def _cell(key: str, mixture: dict[str, float], denoised: dict[str, float], ideal: dict[str, float]) -> str:
    if key not in mixture:  # a mixture has no mask, and the ideal mask's agreement with itself is no news
        return _shown(key, denoised)
    return f"{_shown(key, mixture)} / **{_shown(key, denoised)}** / {_shown(key, ideal)}"


def means(scores: dict[str, Any]) -> str:
    """The denoised recordings' means over all mixtures, each with its interval."""
    found = scores["denoised"]["all"]
    return ", ".join(
        f"{METRICS[key].heading} {_shown(key, found['mean'])} ± {_shown(key, found['interval'])}" for key in SHOWN
    )


def _shown(key: str, figures: Mapping[str, float | None]) -> str:
    """A figure with its metric's digits; a dash where there is none."""
    value = figures.get(key)
    return "-" if value is None else f"{value:.{METRICS[key].digits}f}"
