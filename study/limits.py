"""What an attenuation limit costs and saves: `bgru study limits`.

A bundle with several limits on the 200 mixtures of held-out kinds of noise, the same for each, and on clean speech.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.corpora.mixing import Mixture
from model.evaluation import scoring
from model.evaluation.scoring import MIXTURE, Enhanced, System, unprocessed
from model.reference.denoise import apply_mask, hear
from model.reference.golden_model import GoldenModel
from model.reference.recording import to_samples, to_signal
from model.training import run_report
from study import generalisation, protocol
from study.run import write

LIMITS = (None, 24.0, 18.0, 12.0, 6.0)
"""Decibels by which a bin is attenuated at most; None is no limit."""

METRICS = ("si_sdr", "stoi")


@dataclass(frozen=True, eq=False)
class Masked:
    """A bundle that remembers its mask for the latest mixture, as every limit asks for it."""

    bundle: Bundle

    @lru_cache(maxsize=1)  # noqa: B019, one network lives as long as the program
    def mask(self, signals: Mixture) -> Bits:
        """Of a whole mixture."""
        return GoldenModel(self.bundle).masks(hear(self.bundle.front_end, to_samples(signals.mixture)))


@dataclass(frozen=True, eq=False)
class Limited:
    """A bundle that attenuates no bin by more than `limit` decibels; None is no limit."""

    network: Masked
    limit: float | None

    def __call__(self, signals: Mixture) -> Enhanced:
        front_end, mask = self.network.bundle.front_end, self.network.mask(signals)
        return Enhanced(to_signal(apply_mask(front_end, to_samples(signals.mixture), mask, self.limit)))


def run(data: Path, folder: Path, count: int, results: Path, processes: int) -> None:
    """Score a bundle with each of `LIMITS`."""
    network = Masked(read_bundle(folder))
    systems: dict[str, System] = {MIXTURE: unprocessed}
    systems |= {"none" if limit is None else f"{limit:g} dB": Limited(network, limit) for limit in LIMITS}
    trials = generalisation.trials(data, count, protocol.SNRS_DB)
    found = {
        "held out": scoring.summary(scoring.score(systems, trials["held out"], METRICS, processes)),
        "clean": scoring.summary(scoring.score(systems, trials["clean"], METRICS, processes)),
    }
    path = results / f"limits-{network.bundle.name}.json"
    write({"bundle": network.bundle.name, "environment": run_report.environment(), "scores": found}, path)
    for limit, scores in found["held out"].items():
        mean, clean = scores["all"]["mean"], found["clean"][limit]["all"]["mean"]
        console.print(
            f"limit {limit}: SI-SDR {mean['si_sdr']:.2f} dB, STOI {mean['stoi']:.3f}, clean STOI {clean['stoi']:.3f}"
        )
    console.print(f"{path}: written")
