"""The model card: `README.md` beside a bundle, written from the bundle's own provenance."""

from pathlib import Path
from typing import Any

from model.bundle import Bundle
from model.corpus import NOISE_PARTS
from model.files import replacing
from model.metrics import METRICS

SYSTEMS = {"mixture": "mixture", "denoised": "**denoised**", "ibm": "ideal mask (ceiling)"}


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
        f"{front_end.bins} bins, {front_end.bits} bits per bin; the recording scaled to an RMS of {front_end.rms}.",
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
        f"{scores['mean']['mixtures']} mixtures: every utterance of every test speaker in every noise. "
        f"{', '.join(METRICS.values())}; SDR is that of BSS Eval v3.",
        "",
        *table(scores),
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
    """Scores per noise and their mean over all mixtures, as lines of a Markdown table."""
    columns = [
        f"{name} {short}" for short in ("SDR", "SI-SDR", "STOI") for name in ("mixture", "denoised", "ideal mask")
    ]
    lines = ["| noise | mask accuracy | " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) + 1)]
    for name, row in [*scores["noises"].items(), ("**mean**", scores["mean"])]:
        cells = [f"{row[system][metric]:.{3 if metric == 'stoi' else 2}f}" for metric in METRICS for system in SYSTEMS]
        lines.append(f"| {name} | {row['mask_accuracy']:.3f} | " + " | ".join(cells) + " |")
    return lines
