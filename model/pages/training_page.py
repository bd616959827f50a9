"""The training page: one HTML file with the curves, the scores, and recordings to see and hear.

This module gathers the facts, `training_page.html.jinja` lays them out. Everything comes from the bundle, whose
provenance holds scores and settings, and from the run's epochs; torch is not needed.
"""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.corpora.float_front_end import FloatFrontEnd
from model.corpora.mixing import Mixture, ideal_binary_mask
from model.evaluation.metrics import METRICS
from model.pages import html
from model.reference.denoise import denoise
from model.reference.recording import to_samples, to_signal

SECONDS = 12
"""Limit of the embedded sound of all examples together."""

MASK_COLOURS = {
    "noise, dropped": "#22262c",
    "speech, dropped by mistake": "#4a90d9",
    "noise, kept by mistake": "#e07b39",
    "speech, kept": "#f2ecdc",
}
"""The meaning of a pixel in a mask's picture, by its value (see `_agreement`)."""

TICKS = 4


SHOWN = ("sdr", "si_sdr", "stoi", "pesq")
"""Metrics in the tables, if scored; higher is better for each."""


class Line(NamedTuple):
    """A curve: its name, its colour in CSS, and points from (0, 0) at the bottom left to (100, 100)."""

    name: str
    colour: str
    points: list[tuple[float, float]]


PARTS = {"held_out": "Noise of kinds that it was never trained on", "scores": "Noise of kinds that it knows"}
"""Scores in a bundle's provenance, and the title of each."""


class Tick(NamedTuple):
    """A position on an axis, 0 to 100, and its label."""

    place: float
    text: str


class Chart(NamedTuple):
    """Curves over the epochs; `last` is the text next to the title."""

    title: str
    last: str
    lines: list[Line]
    across: list[Tick]
    up: list[Tick]


def write(
    path: Path, bundle: Bundle, folder: Path, history: Sequence[Mapping[str, Any]], examples: Mapping[str, Mixture]
) -> None:
    """Write the page of the trained and scored bundle in `folder`.

    `history` has a row for each epoch (`model.training.trainer`), `examples` are one to three test mixtures by title;
    the bundle denoises them here.
    """
    origin = bundle.provenance
    scores = origin.get("held_out") or origin["scores"]
    html.write(
        path,
        Path(__file__).parent / "training_page.html.jinja",
        {
            "bundle": bundle,
            "folder": shlex.quote(str(folder)),
            "origin": origin,
            "kept": bundle.kept / bundle.weights,
            "scores": scores,
            "tiles": _tiles(scores),
            "charts": _charts(history, origin["best"]["epoch"]),
            "best": (origin["best"]["epoch"] - 0.5) * 100 / len(history),
            "metrics": {key: METRICS[key] for key in SHOWN if key in scores["denoised"]["all"]["mean"]},
            "parts": [(title, origin[part], _range(origin[part])) for part, title in PARTS.items() if part in origin],
            "examples": _examples(bundle, examples),
            "mask_colours": MASK_COLOURS,
        },
    )


def _tiles(scores: Mapping[str, Any]) -> list[dict[str, str]]:
    """The network's effect on the test mixtures, one figure per tile."""
    mixture, denoised, ideal = (scores[system]["all"] for system in ("mixture", "denoised", "ibm"))
    tiles = []
    for key in SHOWN:
        if key in denoised["mean"]:
            metric = METRICS[key]
            before, after, ceiling = (part["mean"][key] for part in (mixture, denoised, ideal))
            interval = denoised["interval"][key]
            tiles.append(
                {
                    "name": metric.name,
                    "state": "good" if after > before else "bad",
                    "value": f"{html.number(after, metric.digits)}\u00a0{metric.unit}".strip(),
                    "reason": f"{html.number(before, metric.digits)} in the mixture, "
                    f"{html.number(ceiling, metric.digits)} by the ideal mask; 95\u00a0% interval "
                    f"\u00b1\u00a0{html.number(interval, metric.digits)}",
                }
            )
    return tiles


def _range(scores: Mapping[str, Any]) -> tuple[float, float]:
    """The SDR range over kinds of noise, before, after and by the ideal mask, including 0."""
    found = [part["mean"]["sdr"] for system in scores.values() for part in system["kinds"].values()]
    return min(0.0, *found), max(0.0, *found)


def _charts(history: Sequence[Mapping[str, Any]], best: int) -> list[Chart]:
    """Loss, SDR, mask accuracy and pi over the epochs."""
    shown = history[best - 1]
    return [
        _chart("Training loss", f"{history[-1]['loss']:.4f} at the end", history, {"loss": "loss"}),
        _chart(
            "Validation SDR, dB",
            f"{shown['sdr']:.2f} and {shown['si_sdr']:.2f} at the mark",
            history,
            {"sdr": "SDR", "si_sdr": "SI-SDR"},
        ),
        _chart(
            "Validation mask accuracy", f"{shown['mask_accuracy']:.3f} at the mark", history, {"mask_accuracy": "mask"}
        ),
        _chart("Bitwise share \u03c0", "", history, {"weights": "of the weights", "activations": "of the activations"}),
    ]


def _chart(title: str, last: str, history: Sequence[Mapping[str, Any]], keys: Mapping[str, str]) -> Chart:
    values = np.array([[row[key] for row in history] for key in keys], dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) if high - low > 1e-3 else 0.5  # a constant is a line in the middle
    low, high = low - margin, high + margin
    places = (np.arange(len(history)) + 0.5) * 100 / len(history)
    return Chart(
        title,
        last,
        [
            Line(name, f"var(--layer{index})", list(zip(places, 100 * (row - low) / (high - low), strict=True)))
            for index, (name, row) in enumerate(zip(keys.values(), values, strict=True))
        ],
        [
            Tick((epoch - 0.5) * 100 / len(history), f"{epoch:.0f}")
            for epoch in _ticks(1, len(history))
            if epoch == round(epoch)
        ],
        [Tick(100 * (value - low) / (high - low), f"{value:g}") for value in _ticks(low, high)],
    )


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`."""
    values = MaxNLocator(TICKS, steps=[1, 2, 5, 10]).tick_values(low, high)
    return [round(float(value), 9) for value in values if low <= value <= high]


def _examples(bundle: Bundle, examples: Mapping[str, Mixture]) -> list[dict[str, Any]]:
    """For each example, four recordings to see and hear, and the mask."""
    front_end, made = FloatFrontEnd.of(bundle.front_end), []
    samples = SECONDS * front_end.sample_rate // len(examples)
    for name, signals in examples.items():
        mixture, clean, noise = (signal[:samples] for signal in (signals.mixture, signals.clean, signals.noise))
        denoised, mask = denoise(bundle, to_samples(mixture))
        speech, noisy = front_end.stft(clean), front_end.stft(noise)
        ideal = ideal_binary_mask(speech, noisy)
        recordings = {
            "mixture": ("what goes in", mixture),
            "clean": ("the speech alone", clean),
            "denoised": ("what the network leaves", to_signal(denoised)),
            "by the ideal mask": (
                "which knows the speech",
                front_end.istft(front_end.stft(mixture) * ideal, len(mixture)),
            ),
        }
        loudest = html.loudest(bundle.front_end, mixture)
        right = _agreement(front_end, mask[: len(ideal)], ideal)
        made.append(
            {
                "name": name,
                "seconds": len(mixture) / front_end.sample_rate,
                "recordings": [
                    {
                        "name": what,
                        "note": note,
                        "picture": html.spectrogram(bundle.front_end, signal, loudest),
                        "sound": html.sound(signal, front_end.sample_rate),
                    }
                    for what, (note, signal) in recordings.items()
                ],
                "mask": html.picture(right, MASK_COLOURS.values()),
                "agreement": float(np.mean((right == 0) | (right == 3))),
            }
        )
    return made


def _agreement(front_end: FloatFrontEnd, mask: Bits, ideal: Bits) -> NDArray[np.uint8]:
    """For each bin, (frames, bins): 2 if its gain is above one half, plus 1 if it is speech."""
    return 2 * (front_end.gains(mask) > 0.5).astype(np.uint8) + ideal
