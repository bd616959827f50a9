"""References for the study's networks, on the same test mixtures: `bgru study references --data DIR`.

The references are the unprocessed mixture, the ideal binary mask of several front ends (the ceiling of every one-bit
mask), the shipped bundles, and denoisers in use today, which were trained on other data.
"""

import os
from pathlib import Path

import numpy as np

from model.bundle.read import read_bundle
from model.console import console
from model.corpora.float_front_end import FloatFrontEnd
from model.evaluation import scoring
from model.evaluation.scoring import Golden, IdealMask, System, unprocessed
from model.training import run_report
from study import protocol
from study.denoisers import RNNoise
from study.run import write

FRONT_ENDS = ((512, 256), (512, 128), (1024, 256))
"""FFT size and hop of the ideal masks."""

RATE, RMS = 16000, 0.1


def run(data: Path, bundles: list[Path] | None, results: Path, protocol_name: str) -> None:
    """Score the systems that need no training on the 400 test mixtures: `bgru study references`."""
    systems: dict[str, System] = {"unprocessed mixture": unprocessed}
    for size, hop in FRONT_ENDS:
        front_end = FloatFrontEnd(RATE, size, hop, "hann", RMS, np.zeros((size // 2 + 1, 1), np.float32))
        systems[f"ideal binary mask, {size}-point STFT, hop {hop}"] = IdealMask(front_end)
    systems["RNNoise (trained on other data)"] = RNNoise(RATE)
    for folder in bundles or ():
        systems[f"bundle {folder.name}"] = Golden(read_bundle(folder))
    trials = protocol.trials(data, protocol_name, RATE, RMS)
    rows = scoring.score(systems, trials, processes=os.cpu_count() or 1)
    path = results / f"references-{protocol_name}.json"
    summary = scoring.summary(rows, protocol.SHARED_SENTENCES)
    write({"protocol": protocol_name, "environment": run_report.environment(), "scores": summary}, path)
    for name, scores in summary.items():
        mean = scores["all"]["mean"]
        console.print(f"{name}: SDR {mean['sdr']:.2f} dB, SI-SDR {mean['si_sdr']:.2f} dB, STOI {mean['stoi']:.3f}")
    console.print(f"{path}: written")
