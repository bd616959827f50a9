"""Scores at several levels of a recording: `bgru study levels --bundle bundles/small --data DIR`."""

import dataclasses
import os
from pathlib import Path

import numpy as np

from model.bundle.read import read_bundle
from model.console import console
from model.corpora.mixing import Mixture
from model.evaluation import scoring
from model.evaluation.scoring import Enhanced, Golden, System
from model.training import run_report
from study import protocol
from study.run import write

LEVELS = (-40.0, -15.0, -10.0, -5.0, -1.5, 0.0, 1.5, 5.0, 10.0, 15.0)
"""Gains in dB on the mixture before the network hears it."""

METRICS = ("sdr", "si_sdr", "stoi")

EVERY = 8
"""Every 8th of the 400 test mixtures is enough to see a fall; the same ones at every level."""


@dataclasses.dataclass(frozen=True)
class Turned:
    """A system that hears recordings `decibels` louder; its output is turned down again."""

    system: System
    decibels: float

    def __call__(self, signals: Mixture) -> Enhanced:
        gain = np.float32(10.0 ** (self.decibels / 20.0))
        loud = Mixture(*(gain * signal for signal in (signals.mixture, signals.clean, signals.noise)))
        return Enhanced(self.system(loud).signal / gain)


def run(data: Path, folder: Path, results: Path) -> None:
    """Score a bundle on test mixtures that are louder or softer than it was trained on: `bgru study levels`."""
    network = read_bundle(folder)
    front_end = network.front_end
    trials = protocol.trials(data, "disjoint", front_end.sample_rate, front_end.rms)[::EVERY]
    systems = {f"{level:+g}": Turned(Golden(network), level) for level in LEVELS}
    rows = scoring.score(systems, trials, METRICS, processes=os.cpu_count() or 1)
    summary = scoring.summary(rows)
    path = results / f"levels-{network.name}.json"
    write({"bundle": network.name, "environment": run_report.environment(), "scores": summary}, path)
    for level, scores in summary.items():
        mean = scores["all"]["mean"]
        console.print(f"{level} dB: SDR {mean['sdr']:.2f} dB, STOI {mean['stoi']:.3f}")
    console.print(f"{path}: written")
