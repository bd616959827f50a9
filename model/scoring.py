"""Scores of a bundle on held-out speech and noise, by the golden model: what a report and a model card say."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from model import metrics
from model.audio import Signal
from model.bundle import Bundle
from model.corpus import read_noise, read_speech
from model.denoise import apply_mask
from model.golden import GoldenModel
from model.mixing import Mixture, ideal_binary_mask, mix

SYSTEMS = ("mixture", "denoised", "ibm")
"""What is scored: the unprocessed mixture, the bundle's output, and the ideal binary mask, the ceiling of any mask."""


@dataclass(frozen=True)
class Trial:
    """One utterance in one noise."""

    speaker: str
    noise: str
    signals: Mixture


def trials(
    speech: Mapping[str, Sequence[Path]], noises: Mapping[str, Path], snr_db: float, sample_rate: int, rms: float
) -> Iterator[Trial]:
    """Every utterance of `speech` in the test part of every noise.

    The excerpt of noise depends on the names only, so that every network is tested on the same mixtures.
    """
    parts = {name: read_noise(path, "test", sample_rate) for name, path in noises.items()}
    for speaker, paths in speech.items():
        for path in paths:
            utterance = read_speech(path, sample_rate)
            for name, noise in parts.items():
                rng = np.random.default_rng(zlib.crc32(f"{speaker}/{path.name}/{name}".encode()))
                yield Trial(speaker, name, mix(utterance, noise, snr_db, rng, rms))


def score(bundle: Bundle, mixtures: Iterator[Trial]) -> dict[str, Any]:
    """Means over the mixtures: {"mean": {...}, "noises": {name: {...}}}.

    Each entry has the number of mixtures, the mask accuracy and, for each of `SYSTEMS`, `metrics.METRICS`.
    """
    front_end, model = bundle.front_end, GoldenModel(bundle)
    rows: list[tuple[str, dict[str, Any]]] = []
    for item in mixtures:
        signals = item.signals
        mask = model.masks(front_end.hear(signals.mixture))
        ideal = ideal_binary_mask(front_end.stft(signals.clean), front_end.stft(signals.noise))
        outputs: dict[str, Signal] = {
            "mixture": signals.mixture,
            "denoised": apply_mask(front_end, signals.mixture, mask),
            "ibm": apply_mask(front_end, signals.mixture, ideal),
        }
        row: dict[str, Any] = {
            system: metrics.scores(signals.clean, output, front_end.sample_rate) for system, output in outputs.items()
        }
        rows.append((item.noise, {"mask_accuracy": metrics.mask_accuracy(ideal, mask), **row}))
    noises = sorted({noise for noise, _ in rows})
    return {
        "mean": _mean([row for _, row in rows]),
        "noises": {name: _mean([row for noise, row in rows if noise == name]) for name in noises},
    }


def _mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "mixtures": len(rows),
        "mask_accuracy": round(float(np.mean([row["mask_accuracy"] for row in rows])), 4),
        **{
            system: {key: round(float(np.mean([row[system][key] for row in rows])), 4) for key in metrics.METRICS}
            for system in SYSTEMS
        },
    }
