"""What an attenuation limit costs and saves: `bgru study limits`.

A bundle with several limits on the 200 mixtures of held-out kinds of noise, the same for each, and on clean speech.
"""

from pathlib import Path

from model.bundle.read import read_bundle
from model.console import console
from model.evaluation import scoring
from model.evaluation.scoring import MIXTURE, Golden, System, unprocessed
from model.training import run_report
from study import generalisation, protocol
from study.run import write

LIMITS = (None, 24.0, 18.0, 12.0, 6.0)
"""Decibels by which a bin is attenuated at most; None is no limit."""

METRICS = ("si_sdr", "sdr", "stoi")


def run(data: Path, folder: Path, count: int, results: Path, processes: int) -> None:
    """Score a bundle with each of `LIMITS`."""
    network = read_bundle(folder)
    systems: dict[str, System] = {MIXTURE: unprocessed}
    systems |= {"none" if limit is None else f"{limit:g} dB": Golden(network, limit) for limit in LIMITS}
    trials = generalisation.trials(data, count, protocol.SNRS_DB)
    found = {
        "held out": scoring.summary(scoring.score(systems, trials["held out"], METRICS, processes)),
        "clean": scoring.summary(scoring.score(systems, trials["clean"], ("si_sdr", "stoi"), processes)),
    }
    path = results / f"limits-{network.name}.json"
    write({"bundle": network.name, "environment": run_report.environment(), "scores": found}, path)
    for limit, scores in found["held out"].items():
        mean, clean = scores["all"]["mean"], found["clean"][limit]["all"]["mean"]
        console.print(
            f"limit {limit}: SI-SDR {mean['si_sdr']:.2f} dB, STOI {mean['stoi']:.3f}, clean STOI {clean['stoi']:.3f}"
        )
    console.print(f"{path}: written")
