"""Scores of denoisers on held-out speech and noise: every system on the same trials.

A *system* estimates the speech from a mixture. This module has the unprocessed mixture, the ideal binary mask and a
bundle (by the golden model); any other callable of the same form can be scored next to them.
"""

import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from scipy.signal import fftconvolve
from scipy.stats import t

from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.console import console
from model.corpora import corpus, rooms
from model.corpora.corpus import Corpus
from model.corpora.float_front_end import FloatFrontEnd, power
from model.corpora.mixing import Mixture, mix
from model.evaluation import metrics
from model.evaluation.metrics import METRICS, SHOWN
from model.reference.audio import Signal
from model.reference.denoise import denoise
from model.reference.recording import to_samples, to_signal

CONFIDENCE = 0.95
"""Confidence level of the intervals of means."""

MIXTURE = "mixture"
"""The system that does nothing, the reference for harm: see `summary`."""

ROOMS_SEED = 835
"""Seed of the simulated rooms of reverberant trials; training has its own seeds."""


@dataclass(frozen=True)
class Trial:
    """One utterance in one stretch of a noise (see `corpus.NOISE_PARTS`), mixed on request.

    An `snr_db` of infinity is clean speech. With a `room`, the number of a simulated one, the target is the reverberant
    speech: gains on a spectrum can't undo a room.
    """

    speaker: str
    speech: Path
    noise: str
    noise_file: Path
    stretch: str
    snr_db: float
    sample_rate: int
    rms: float
    room: int | None = None

    @property
    def key(self) -> tuple[str, str, str, float]:
        """Speaker, utterance, noise, SNR, as in the trial's rows."""
        return self.speaker, self.utterance, self.noise, self.snr_db

    @property
    def utterance(self) -> str:
        """Name of the utterance: its file's, without suffix."""
        return self.speech.stem

    def mixture(self) -> Mixture:
        """The signals; the excerpt of noise depends on the three names only, so it is the same for every system.

        Raises `BadInput` if a recording can't be read or is silent.
        """
        utterance = corpus.read_speech(self.speech, self.sample_rate)
        if self.room is not None:
            response = rooms.shoebox(self.room, self.sample_rate, ROOMS_SEED)
            utterance = fftconvolve(utterance, response)[: len(utterance)].astype(np.float32)
        noise = _noise(self.noise_file, self.stretch, self.sample_rate)
        rng = np.random.default_rng(zlib.crc32(f"{self.speaker}/{self.speech.name}/{self.noise}".encode()))
        return mix(utterance, noise, self.snr_db, rng, self.rms)


_noise = lru_cache(maxsize=1)(corpus.read_noise)  # trials come noise by noise


def trials(source: Corpus, snr_db: float, sample_rate: int, rms: float, part: str = "test") -> list[Trial]:
    """Every utterance of a part's speakers in every noise that the part hears."""
    return [
        Trial(speaker, path, noise, source.noises[noise], stretch, snr_db, sample_rate, rms)
        for noise, stretch in source.noise_stretches(part).items()
        for speaker in getattr(source.split, part)
        for path in source.utterances[speaker]
    ]


def sample(
    source: Corpus, snrs_db: Sequence[float], sample_rate: int, rms: float, count: int, held_out: bool
) -> list[Trial]:
    """About `count` of the test's trials in noises of kinds that are held out, or of those that aren't, by noise.

    They are spread evenly over the kinds, and within a kind over the SNRs. The draw from a kind depends on its own
    recordings only. There are fewer if a kind has fewer, and none without such a kind.
    """
    by_kind: dict[str, list[Trial]] = {}
    for trial in trials(source, 0.0, sample_rate, rms):
        if source.is_held_out(trial.noise) == held_out:
            by_kind.setdefault(corpus.kind(trial.noise), []).append(trial)
    drawn = []
    for index, (kind, found) in enumerate(sorted(by_kind.items())):
        share = (index + 1) * count // len(by_kind) - index * count // len(by_kind)
        order = np.random.default_rng(zlib.crc32(kind.encode())).permutation(len(found))[:share]
        snrs = [snrs_db[(index + place) % len(snrs_db)] for place in range(len(order))]
        drawn += [replace(found[chosen], snr_db=snr) for chosen, snr in zip(order, snrs, strict=True)]
    return sorted(drawn, key=lambda trial: (trial.noise, trial.speaker, trial.utterance))


@dataclass(frozen=True, eq=False)
class Enhanced:
    """A system's estimate of the speech (samples,) and, if it uses a mask, its mask and front end."""

    signal: Signal
    mask: Bits | None = None
    front_end: FloatFrontEnd | None = None


System = Callable[[Mixture], Enhanced]


def masked(front_end: FloatFrontEnd, signals: Mixture, mask: Bits) -> Enhanced:
    """The estimate of a mask (frames, bins) on a mixture."""
    spectrum = front_end.stft(signals.mixture) * front_end.gains(mask)
    return Enhanced(front_end.istft(spectrum, len(signals.mixture)), mask, front_end)


@lru_cache(maxsize=4)
def dominance(front_end: FloatFrontEnd, signals: Mixture) -> NDArray[np.float32]:
    """|S|^2 - |N|^2 of every bin, (frames, bins); the ideal binary mask is 1 where it is above 0.

    Cached for the latest mixtures, since every system uses it.
    """
    return power(front_end.stft(signals.clean)) - power(front_end.stft(signals.noise))


def unprocessed(signals: Mixture) -> Enhanced:
    """The system that does nothing."""
    return Enhanced(signals.mixture)


@dataclass(frozen=True, eq=False)
class IdealMask:
    """The ideal binary mask, which knows speech and noise: the ceiling of every mask of this front end."""

    front_end: FloatFrontEnd

    def __call__(self, signals: Mixture) -> Enhanced:
        return masked(self.front_end, signals, (dominance(self.front_end, signals) > 0).astype(np.uint8))


@dataclass(frozen=True, eq=False)
class Golden:
    """A bundle, by the golden model: the bits that the hardware computes."""

    bundle: Bundle

    @cached_property
    def front_end(self) -> FloatFrontEnd:
        """The STFT that its mask is scored in."""
        return FloatFrontEnd.of(self.bundle.front_end)

    def __call__(self, signals: Mixture) -> Enhanced:
        samples, mask = denoise(self.bundle, to_samples(signals.mixture))
        return Enhanced(to_signal(samples), mask[: self.front_end.frames(len(samples))], self.front_end)


def of_bundle(bundle: Bundle) -> dict[str, System]:
    """The systems of a model card: the mixture, the bundle's output, and the ceiling of one-bit masks."""
    one_bit = replace(FloatFrontEnd.of(bundle.front_end), mask_bits=1, gain_bits=1)
    return {MIXTURE: unprocessed, "denoised": Golden(bundle), "ibm": IdealMask(one_bit)}


@dataclass(frozen=True)
class Row:
    """One system's scores on one trial; None if a metric has no value there, absent if the system has no mask."""

    system: str
    speaker: str
    utterance: str
    noise: str
    scores: dict[str, float | None]
    snr_db: float = 0.0

    @property
    def kind(self) -> str:
        """The kind of the noise."""
        return corpus.kind(self.noise)

    @property
    def snr(self) -> str:
        """The signal-to-noise ratio as text, for JSON: 5, -2.5, inf."""
        return f"{self.snr_db:g}"

    @property
    def trial(self) -> tuple[str, str, str, float]:
        """The trial, as in `Trial.key`: the same for the rows of all systems."""
        return self.speaker, self.utterance, self.noise, self.snr_db


def score(
    systems: Mapping[str, System], trials: Sequence[Trial], chosen: Collection[str] = tuple(METRICS), processes: int = 1
) -> list[Row]:
    """The chosen metrics of `SHOWN` for every trial and system, in that order, with a progress bar.

    Processes as in `scored`.
    """
    return [row for rows in scored(systems, trials, chosen, processes) for row in rows]


def scored(
    systems: Mapping[str, System], trials: Sequence[Trial], chosen: Collection[str], processes: int = 1
) -> Iterator[list[Row]]:
    """The rows of each trial, one per system, as soon as they are ready.

    With more than one process, systems are pickled; OMP_NUM_THREADS=1 in the environment then limits NumPy and
    PyTorch of each to one core, which is fastest.
    """
    work = partial(_score, systems, chosen)
    shown = partial(track, description="scoring", total=len(trials), console=console)
    if processes == 1:
        yield from shown(map(work, trials))
        return
    chunk = max(1, len(trials) // (8 * processes))  # each sends the systems once more
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:  # a fork of PyTorch's threads may hang
        yield from shown(pool.map(work, trials, chunksize=chunk))


def _score(systems: Mapping[str, System], chosen: Collection[str], trial: Trial) -> list[Row]:
    signals = trial.mixture()
    rows = []
    for name, system in systems.items():
        estimate = system(signals)
        scores = metrics.scores(signals.clean, signals.noise, estimate.signal, trial.sample_rate, chosen)
        if estimate.mask is not None and estimate.front_end is not None:
            kept = (estimate.front_end.gains(estimate.mask) > 0.5).astype(np.uint8)
            scores |= metrics.mask_scores(dominance(estimate.front_end, signals), kept, chosen)
        rows.append(Row(name, trial.speaker, trial.utterance, trial.noise, scores, trial.snr_db))
    return rows


def summary(rows: Sequence[Row], without: Collection[str] = ()) -> dict[str, Any]:
    """Scores per system, ready for JSON: {"all": ..., "noises": {name: ...}, "kinds", "speakers", "snrs" alike}.

    Each ... is {"mixtures": n, "mean": {metric: m}, "interval": {metric: h}}. h is half the width of the mean's 95 %
    confidence interval by Student's t over the mixtures, as if they were drawn independently: it does not cover other
    speakers, noises or training seeds, and is None for one mixture. If a metric has no value for k of the mixtures,
    they are not in its mean, and "missing": {metric: k} says so. If `MIXTURE` is among the systems and STOI was scored,
    "harmed" is the share of the mixtures whose STOI a system lowers. With `without`, "without" is the same for all
    utterances except those named there, such as sentences that all speakers share.
    """
    before = {row.trial: row.scores.get("stoi") for row in rows if row.system == MIXTURE}
    return {
        name: _of_system([row for row in rows if row.system == name], without, before)
        for name in _values(rows, "system")
    }


Before = Mapping[tuple[str, str, str, float], float | None]
"""STOI of the mixtures, by trial."""


def _of_system(rows: Sequence[Row], without: Collection[str], before: Before) -> dict[str, Any]:
    others = [row for row in rows if row.utterance not in without]
    return {
        "all": _figures(rows, before),
        **({"without": _figures(others, before)} if without else {}),
        **{
            f"{part}s": {
                name: _figures([row for row in rows if getattr(row, part) == name], before)
                for name in sorted(_values(rows, part))
            }
            for part in ("noise", "kind", "speaker", "snr")
        },
    }


def _values(rows: Sequence[Row], part: str) -> list[str]:
    return list(dict.fromkeys(getattr(row, part) for row in rows))


def _figures(rows: Sequence[Row], before: Before) -> dict[str, Any]:
    scores = {key: [row.scores[key] for row in rows if key in row.scores] for key in SHOWN}
    known = {key: [value for value in values if value is not None] for key, values in scores.items()}
    missing = {key: count for key, values in scores.items() if (count := len(values) - len(known[key]))}
    pairs = [(row.scores.get("stoi"), before.get(row.trial)) for row in rows if row.system != MIXTURE]
    lowered = [after < unprocessed for after, unprocessed in pairs if after is not None and unprocessed is not None]
    return {
        "mixtures": len(rows),
        "mean": {key: round(float(np.mean(values)), 4) for key, values in known.items() if values},
        "interval": {key: _interval(values) for key, values in known.items() if values},
        **({"missing": missing} if missing else {}),
        **({"harmed": round(float(np.mean(lowered)), 4)} if lowered else {}),
    }


def _interval(values: list[float]) -> float | None:
    if len(values) == 1:
        return None
    error = np.std(values, ddof=1) / np.sqrt(len(values))
    return round(float(error * t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)), 4)
