"""What the word lengths of the audio path cost: `python -m study.word_lengths --bundle bundles/small --data DIR`.

A bundle in integers of several word lengths against its front end in floating point, on the same mixtures. One flipped
feature bit changes a twentieth of all mask bits for good, so masks say nothing: scores do, over many mixtures, next to
those of a null: the floating-point path with five feature bits flipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from scipy.stats import t

from model.bundle.audio_constants import key_thresholds, threshold_keys
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.corpora.float_front_end import FloatFrontEnd
from model.corpora.mixing import Mixture
from model.evaluation import scoring
from model.evaluation.scoring import Estimate, Golden, Row, System, masked
from model.files import write_json
from model.reference.golden_model import GoldenModel
from study import protocol

__all__ = ["FLIPPED", "WORDS", "FloatingPoint", "Quiet", "differences", "in_words"]

WORDS = ((12, 2), (15, 1), (15, 2), (17, 4))
"""T and f: fraction bits of the cosine table and of the windowed samples."""

FLIPPED = 5
"""Feature bits that the null has flipped, at random places of a recording."""

METRICS = ("sdr", "stoi")

FLOAT, NULL = "floating point", f"{FLIPPED} feature bits flipped"


@dataclass(frozen=True, eq=False)
class FloatingPoint:
    """A bundle's network behind its front end in floating point, with `flipped` feature bits changed."""

    bundle: Bundle
    flipped: int = 0

    def __call__(self, signals: Mixture) -> Estimate:
        front_end = FloatFrontEnd.of(self.bundle.front_end)
        features = front_end.hear(signals.mixture)
        features.flat[np.random.default_rng(0).choice(features.size, self.flipped, replace=False)] ^= 1
        return masked(front_end, signals, GoldenModel(self.bundle).masks(features))


@dataclass(frozen=True, eq=False)
class Quiet:
    """A system that is given recordings `decibels` softer; its output is turned up again."""

    system: System
    decibels: float

    def __call__(self, signals: Mixture) -> Estimate:
        gain = np.float32(10.0 ** (-self.decibels / 20.0))
        soft = Mixture(*(gain * signal for signal in (signals.mixture, signals.clean, signals.noise)))
        return Estimate(self.system(soft).signal / gain)


def in_words(bundle: Bundle, table_bits: int, fraction_bits: int) -> Bundle:
    """A bundle with other word lengths and the same thresholds."""
    it = bundle.front_end
    thresholds = key_thresholds(it.keys, it.fraction_bits, it.mantissa_bits)
    keys = threshold_keys(thresholds, fraction_bits, it.mantissa_bits)
    return replace(bundle, front_end=replace(it, keys=keys, table_bits=table_bits, fraction_bits=fraction_bits))


def differences(rows: Sequence[Row], system: str, metric: str) -> tuple[float, float]:
    """Mean of a system's scores less those of `FLOAT` on the same mixtures, and half its 95 % interval (Student's t)."""
    score = {(row.system, row.speaker, row.utterance, row.noise): row.scores[metric] for row in rows}
    pairs = [(score[key], score[(FLOAT, *key[1:])]) for key in score if key[0] == system]
    found = np.array([one - other for one, other in pairs if one is not None and other is not None])
    error = float(np.std(found, ddof=1) / np.sqrt(len(found)) * t.ppf(0.975, len(found) - 1))
    return float(found.mean()), error


def run(
    bundle: Annotated[Path, typer.Option(help="Bundle to score.")],
    data: Annotated[Path, typer.Option(help="Folder of all corpora.", envvar="BGRU_DATA")],
    output: Annotated[Path, typer.Option(help="JSON file for the figures.")],
    softer: Annotated[float, typer.Option(help="Decibels below -20 dBFS.")] = 0.0,
    every: Annotated[int, typer.Option(help="One of so many of the 400 test mixtures.")] = 2,
) -> None:
    """Score a bundle in integers against floating point on the same mixtures."""
    network = read_bundle(bundle)
    systems: dict[str, System] = {FLOAT: FloatingPoint(network), NULL: FloatingPoint(network, FLIPPED)}
    systems |= {f"T = {words[0]}, f = {words[1]}": Golden(in_words(network, *words)) for words in WORDS}
    quiet = {name: Quiet(system, softer) for name, system in systems.items()}
    trials = protocol.trials(data, "disjoint", network.front_end.sample_rate, network.front_end.rms)[::every]
    rows = scoring.score(quiet, trials, METRICS)
    found = {name: {metric: differences(rows, name, metric) for metric in METRICS} for name in systems if name != FLOAT}
    write_json(output, {"bundle": network.name, "softer_db": softer, "mixtures": len(trials), "differences": found})
    console.print(f"{network.name}, {len(trials)} mixtures at {-20 - softer:g} dBFS, less {FLOAT}:")
    for name, scores in found.items():
        (sdr, sdr_error), (stoi, stoi_error) = (scores[metric] for metric in METRICS)
        console.print(f"{name:24} SDR {sdr:+.3f} ± {sdr_error:.3f} dB, STOI {stoi:+.4f} ± {stoi_error:.4f}")


if __name__ == "__main__":
    typer.run(run)
