"""The cost and the benefit of an attenuation limit: `bgru study limits`.

Scores a bundle with several limits on the same 200 mixtures of held-out kinds of noise, and on clean speech.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from model.bundle.audio_constants import attenuation_floor
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.corpora.mixing import Mixture
from model.evaluation import scoring
from model.evaluation.scoring import MIXTURE, Enhanced, System, unprocessed
from model.reference.denoise import analyse
from model.reference.fixed_point import Complex
from model.reference.golden_model import GoldenModel
from model.reference.recording import to_samples, to_signal
from model.reference.synthesis import Mask, Synthesis
from model.training import run_report
from study import generalisation, protocol
from study.generalisation import Journal
from study.run import write

LIMITS = (None, 24.0, 18.0, 12.0, 6.0)
"""Largest attenuation of a bin in decibels; None is no limit."""

METRICS = ("si_sdr", "stoi")


@dataclass(frozen=True, eq=False)
class Masked:
    """A bundle that caches the latest mixture's spectrum and mask, which every limit uses."""

    bundle: Bundle

    @lru_cache(maxsize=1)  # noqa: B019, one network lives as long as the program
    def hear(self, signals: Mixture) -> tuple[Complex, Mask]:
        """Spectrum (frames, bins) and mask (frames, units) of a mixture."""
        spectrum, features = analyse(self.bundle.front_end, to_samples(signals.mixture))
        return spectrum, GoldenModel(self.bundle).masks(features)


@dataclass(frozen=True, eq=False)
class Limited:
    """A bundle that attenuates no bin by more than `limit` decibels; None is no limit."""

    network: Masked
    limit: float | None

    def __call__(self, signals: Mixture) -> Enhanced:
        front_end = self.network.bundle.front_end
        samples = Synthesis(front_end, attenuation_floor(self.limit, front_end))(*self.network.hear(signals))
        return Enhanced(to_signal(samples[front_end.fft_size - front_end.hop :][: len(signals.mixture)]))


def run(data: Path, folder: Path, count: int, out: Path, results: Path, processes: int) -> None:
    """Score a bundle with each of `LIMITS`; a stopped run resumes."""
    network = Masked(read_bundle(folder))
    name = network.bundle.name
    systems: dict[str, System] = {MIXTURE: unprocessed}
    systems |= {"none" if limit is None else f"{limit:g} dB": Limited(network, limit) for limit in LIMITS}
    trials = generalisation.trials(data, count, protocol.SNRS_DB)
    of = {"networks": {name: network.bundle.identity.hex()}, "systems": [*systems], "metrics": METRICS}
    journals = {part: Journal(out / f"limits-{name}" / f"{part}.jsonl", of) for part in ("held out", "clean")}
    found = {
        part: scoring.summary(journal.score(systems, trials[part], METRICS, processes))
        for part, journal in journals.items()
    }
    path = results / f"limits-{name}.json"
    write({"bundle": name, "environment": run_report.environment(), "scores": found}, path)
    for journal in journals.values():
        journal.done()
    for limit, scores in found["held out"].items():
        mean, clean = scores["all"]["mean"], found["clean"][limit]["all"]["mean"]
        console.print(
            f"limit {limit}: SI-SDR {mean['si_sdr']:.2f} dB, STOI {mean['stoi']:.3f}, clean STOI {clean['stoi']:.3f}"
        )
    console.print(f"{path}: written")
