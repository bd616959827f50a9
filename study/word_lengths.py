"""The cost of the audio path's word lengths: `bgru study word-lengths`.

Compares a bundle in integers of several word lengths with its front end in floating point, on the same mixtures. One
flipped feature bit permanently changes a twentieth of all mask bits, so comparing masks says nothing. Scores over many
mixtures do, next to a null experiment: the floating-point path with five feature bits flipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.stats import t

from model.bundle.audio_constants import key_thresholds, threshold_keys
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.corpora.float_front_end import FloatFrontEnd
from model.corpora.mixing import Mixture
from model.evaluation.scoring import Enhanced, Golden, Row, System, masked
from model.reference.golden_model import GoldenModel
from model.reference.recording import to_samples, to_signal
from model.training import run_report
from study import protocol
from study.generalisation import Journal
from study.levels import Turned
from study.run import write

__all__ = ["FLIPPED", "LEVELS", "METRICS", "WORDS", "FloatingPoint", "differences", "in_words", "run"]

WORDS = ((12, 2), (15, 1), (15, 2), (17, 4))
"""T and f: fraction bits of the cosine table and of the windowed samples."""

FLIPPED = 5
"""Feature bits that the null flips, at random places of a recording."""

METRICS = ("sdr", "stoi", "pesq")

RMS_DBFS, LEVELS = -20.0, (0.0, -30.0)
"""Levels of the mixtures and their gains in decibels: unchanged, and near that of a quiet microphone."""

FLOAT, NULL = "floating point", f"{FLIPPED} feature bits flipped"


@dataclass(frozen=True, eq=False)
class FloatingPoint:
    """A bundle's network behind its front end in floating point, with `flipped` feature bits changed.

    It hears the same 16-bit samples as the integers, so both clip at full scale.
    """

    bundle: Bundle
    flipped: int = 0

    def __call__(self, signals: Mixture) -> Enhanced:
        front_end = FloatFrontEnd.of(self.bundle.front_end)
        signals = replace(signals, mixture=to_signal(to_samples(signals.mixture)))
        features = front_end.hear(signals.mixture)
        features.flat[np.random.default_rng(0).choice(features.size, self.flipped, replace=False)] ^= 1
        return masked(front_end, signals, GoldenModel(self.bundle).masks(features))


def in_words(bundle: Bundle, table_bits: int, fraction_bits: int) -> Bundle:
    """A bundle with other word lengths and the same thresholds."""
    it = bundle.front_end
    thresholds = key_thresholds(it.keys, it.fraction_bits, it.mantissa_bits)
    keys = threshold_keys(thresholds, fraction_bits, it.mantissa_bits)
    return replace(bundle, front_end=replace(it, keys=keys, table_bits=table_bits, fraction_bits=fraction_bits))


def differences(rows: Sequence[Row], system: str, metric: str) -> tuple[float, float]:
    """Mean difference of a system's scores from those of `FLOAT` on the same mixtures, and half its 95 % interval."""
    score = {(row.system, row.speaker, row.utterance, row.noise): row.scores[metric] for row in rows}
    pairs = [(score[key], score[(FLOAT, *key[1:])]) for key in score if key[0] == system]
    found = np.array([one - other for one, other in pairs if one is not None and other is not None])
    error = float(np.std(found, ddof=1) / np.sqrt(len(found)) * t.ppf(0.975, len(found) - 1))
    return float(found.mean()), error


def run(data: Path, folder: Path, out: Path, results: Path, processes: int) -> None:
    """Score a bundle in integers against floating point on the same mixtures; a stopped run resumes."""
    network = read_bundle(folder)
    systems: dict[str, System] = {FLOAT: FloatingPoint(network), NULL: FloatingPoint(network, FLIPPED)}
    systems |= {f"T = {words[0]}, f = {words[1]}": Golden(in_words(network, *words)) for words in WORDS}
    trials = protocol.trials(data, "general", network.front_end.sample_rate, network.front_end.rms)
    of = {"networks": {network.name: network.identity.hex()}, "systems": [*systems], "metrics": METRICS}
    journals = {level: Journal(out / f"word-lengths-{network.name}" / f"{level:g}.jsonl", of) for level in LEVELS}
    found: dict[str, dict[str, dict[str, list[float]]]] = {}
    for level, journal in journals.items():
        turned: dict[str, System] = {name: Turned(system, level) for name, system in systems.items()}
        rows = journal.score(turned, trials, METRICS, processes)
        found[f"{RMS_DBFS + level:g}"] = {
            name: {metric: list(differences(rows, name, metric)) for metric in METRICS}
            for name in systems
            if name != FLOAT
        }
    path = results / f"word-lengths-{network.name}.json"
    facts = {"bundle": network.name, "mixtures": len(trials), "environment": run_report.environment()}
    write({**facts, "differences": found}, path)
    for journal in journals.values():
        journal.done()
    for level_dbfs, systems_found in found.items():
        console.print(f"{network.name}, {len(trials)} mixtures at {level_dbfs} dBFS, less {FLOAT}:")
        for name, scores in systems_found.items():
            texts = (f"{metric} {mean:+.4f} ± {error:.4f}" for metric, (mean, error) in scores.items())
            console.print(f"{name:24} {', '.join(texts)}")
    console.print(f"{path}: written")
