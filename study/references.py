"""What the study's networks are held against, on the same test mixtures: `python -m study.references --data DIR`.

The unprocessed mixture, the ideal binary mask of several front ends (the ceiling of every one-bit mask), the shipped
bundles, and denoisers in use today, which were trained on other data.
"""

import os
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from model import cli
from model.bundle import bundle
from model.evaluation import scoring
from model.evaluation.scoring import Golden, IdealMask, System, unprocessed
from model.reference.front_end import FrontEnd
from model.training import run_report
from study import protocol
from study.denoisers import RNNoise
from study.run import RESULTS, write

FRONT_ENDS = ((512, 256), (512, 128), (1024, 256))
"""FFT size and hop of the ideal masks."""

RATE, RMS = 16000, 0.1


def main(
    data: Annotated[Path, typer.Option(help="The folder with paper/ and open/.", envvar="BGRU_DATA")],
    bundles: Annotated[list[Path] | None, typer.Option("--bundle", help="Bundles to score as well.")] = None,
    results: Annotated[Path, typer.Option(help="Where the JSON goes.")] = RESULTS,
    protocol_name: Annotated[str, typer.Option("--protocol", help="disjoint or paper.")] = "disjoint",
) -> None:
    """Score what needs no training on the 400 test mixtures."""
    systems: dict[str, System] = {"unprocessed mixture": unprocessed}
    for size, hop in FRONT_ENDS:
        front_end = FrontEnd(RATE, size, hop, "hann", RMS, np.zeros((size // 2 + 1, 1), np.float32))
        systems[f"ideal binary mask, {size}-point STFT, hop {hop}"] = IdealMask(front_end)
    systems["RNNoise (trained on other data)"] = RNNoise(RATE)
    for folder in bundles or ():
        systems[f"bundle {folder.name}"] = Golden(bundle.read(folder))
    trials = protocol.trials(data, protocol_name, RATE, RMS)
    rows = scoring.score(systems, trials, processes=os.cpu_count() or 1)
    path = results / f"references-{protocol_name}.json"
    summary = scoring.summary(rows, protocol.SHARED_SENTENCES)
    write({"protocol": protocol_name, "environment": run_report.environment(), "scores": summary}, path)
    for name, scores in summary.items():
        mean = scores["all"]["mean"]
        cli.console.print(f"{name}: SDR {mean['sdr']:.2f} dB, SI-SDR {mean['si_sdr']:.2f} dB, STOI {mean['stoi']:.3f}")
    cli.console.print(f"{path}: written")


if __name__ == "__main__":
    cli.run(main)
