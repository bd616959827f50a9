"""Quality metrics of a denoised recording; higher is better.

SDR, SIR and SAR (BSS Eval v3, Vincent et al. 2006, 512-tap distortion filter) by `fast_bss_eval`, STOI (Taal et al.
2011) by `pystoi`, wide-band PESQ (ITU-T P.862.2) by `pesq`, DNSMOS by `model.evaluation.dnsmos`. Signals have the shape
(samples,).
"""

from collections.abc import Collection
from typing import NamedTuple

import fast_bss_eval
import numpy as np
import pesq as itu
import pystoi
import soxr
from numpy.typing import NDArray

from model.bundle.bits import Bits
from model.evaluation.dnsmos import dnsmos
from model.reference.audio import Signal


class Metric(NamedTuple):
    """How a figure is shown in tables."""

    name: str
    digits: int
    unit: str = ""

    @property
    def heading(self) -> str:
        """The heading of a column: the name with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


METRICS = {
    "sdr": Metric("SDR", 2, "dB"),
    "sir": Metric("SIR", 2, "dB"),
    "sar": Metric("SAR", 2, "dB"),
    "si_sdr": Metric("SI-SDR", 2, "dB"),
    "stoi": Metric("STOI", 3),
    "pesq": Metric("PESQ", 2),
    "mask_accuracy": Metric("mask accuracy", 3),
    "weighted_mask_accuracy": Metric("energy-weighted mask accuracy", 3),
}
"""Key in reports to how it is shown: the metrics scored by default."""

OPINIONS = {
    "dnsmos_sig": Metric("DNSMOS SIG", 2),
    "dnsmos_bak": Metric("DNSMOS BAK", 2),
    "dnsmos_ovrl": Metric("DNSMOS OVRL", 2),
}
"""Metrics that need no clean speech; they take a second of a core per recording."""

SHOWN = METRICS | OPINIONS

SILENCE = -30.0
"""Replaces minus infinity decibels for a digitally silent signal, so means exist."""

WORST_PESQ = 1.0
"""PESQ of a digitally silent estimate, for which P.862.2 has no value: the bottom of the scale."""

LOADING = 1e-8
"""Added to the diagonal of BSS Eval's filter equations (signals have norm 1), which a pure tone leaves singular.

It limits ratios to 80 dB and -80 dB: an estimate without interference, or without artefacts, gets 80 dB.
"""

WIDE_BAND = 16000
"""The sample rate of wide-band PESQ."""


def sdr(clean: Signal, estimate: Signal) -> float:
    """Signal-to-distortion ratio of BSS Eval, in decibels: all that is not the speech, filtered, is distortion."""
    if not (np.any(clean) and np.any(estimate)):
        return SILENCE
    reference, signal = clean[None].astype(np.float64), estimate[None].astype(np.float64)
    return float(fast_bss_eval.sdr(reference, signal, load_diag=LOADING)[0])


def bss_eval(clean: Signal, noise: Signal, estimate: Signal) -> dict[str, float]:
    """SDR, SIR and SAR of BSS Eval, in decibels, with the mixture's two sources as references.

    The estimate is split into the speech through its best filter of 512 taps, what filters on speech *and* noise
    explain in addition (the interference), and the rest (the artefacts). SDR is the ratio of the first to the
    other two together, and equals `sdr`. SIR is the ratio of the first to the interference: about the SNR for the
    mixture, and it rises as noise is removed. SAR is the ratio of the first two to the artefacts: the mixture has none
    (80 dB, see `LOADING`), every mask adds some. The removed noise, `mixture - estimate`, would be the estimate of the
    second source. As the assignment is known, no permutation is searched, and as its figures are not needed, neither is
    the estimate.
    """
    if not (np.any(clean) and np.any(noise) and np.any(estimate)):
        return dict.fromkeys(("sdr", "sir", "sar"), SILENCE)
    references, signal = np.stack([clean, noise]).astype(np.float64), estimate[None].astype(np.float64)
    # `bss_eval_sources` without a permutation does this as well, but in 0.1.4 not with NumPy 2.
    explained = fast_bss_eval.numpy.square_cosine_metrics(references, signal, load_diag=LOADING)
    by_speech, by_both = (float(share[0, 0]) for share in explained)  # of the estimate's energy
    return {"sdr": _decibels(by_speech), "sir": _decibels(by_speech / by_both), "sar": _decibels(by_both)}


def _decibels(share: float) -> float:
    """The ratio of a share of the energy to the rest, in decibels."""
    within = np.clip(share, LOADING, 1.0 - LOADING)
    return float(10.0 * np.log10(within / (1.0 - within)))


def si_sdr(clean: Signal, estimate: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), in decibels."""
    if not (np.any(clean) and np.any(estimate)):
        return SILENCE
    reference, signal = clean.astype(np.float64), estimate.astype(np.float64)
    return _decibels(float((signal @ reference) ** 2 / ((reference @ reference) * (signal @ signal))))


def stoi(clean: Signal, estimate: Signal, sample_rate: int) -> float:
    """Short-time objective intelligibility, 0 to 1."""
    return float(pystoi.stoi(clean, estimate, sample_rate))


def pesq(clean: Signal, estimate: Signal, sample_rate: int) -> float | None:
    """Perceived quality of wide-band speech as a mean opinion score, about 1 to 4.64; other rates are resampled.

    None, left out of means, if PESQ finds no speech in the clean recording or it is shorter than 1/4 s;
    `WORST_PESQ` if the estimate is silent.
    """
    if sample_rate != WIDE_BAND:
        clean, estimate = (soxr.resample(signal, sample_rate, WIDE_BAND) for signal in (clean, estimate))
    try:
        return float(itu.pesq(WIDE_BAND, clean, estimate, "wb")) if np.any(estimate) else WORST_PESQ
    except (itu.NoUtterancesError, itu.BufferTooShortError):
        return None


def scores(
    clean: Signal, noise: Signal, estimate: Signal, sample_rate: int, chosen: Collection[str] = tuple(METRICS)
) -> dict[str, float | None]:
    """The `chosen` metrics of signals in `SHOWN`, for one recording; `noise` is the mixture's.

    SIR or SAR take five times as long as SDR alone.
    """
    found: dict[str, float | None] = {}
    if {"sir", "sar"} & set(chosen):
        found |= bss_eval(clean, noise, estimate)
    elif "sdr" in chosen:
        found["sdr"] = sdr(clean, estimate)
    if "si_sdr" in chosen:
        found["si_sdr"] = si_sdr(clean, estimate)
    if "stoi" in chosen:
        found["stoi"] = stoi(clean, estimate, sample_rate)
    if "pesq" in chosen:
        found["pesq"] = pesq(clean, estimate, sample_rate)
    if OPINIONS.keys() & set(chosen):
        found |= dnsmos(estimate, sample_rate)
    return {key: value for key, value in found.items() if key in chosen}


def mask_scores(
    dominance: NDArray[np.float32], mask: Bits, chosen: Collection[str] = tuple(METRICS)
) -> dict[str, float]:
    """The `chosen` metrics of masks in `METRICS`; `dominance` as in `weighted_mask_accuracy`."""
    found = {
        "mask_accuracy": mask_accuracy(dominance > 0, mask),
        "weighted_mask_accuracy": weighted_mask_accuracy(dominance, mask),
    }
    return {key: value for key, value in found.items() if key in chosen}


def mask_accuracy(expected: Bits | NDArray[np.bool_], mask: Bits | NDArray[np.bool_]) -> float:
    """Fraction of mask bits that agree."""
    return float(np.mean(expected == mask))


def weighted_mask_accuracy(dominance: NDArray[np.float32], mask: Bits | NDArray[np.bool_]) -> float:
    """Share of mask bits that agree with the ideal mask, each weighted by the error energy of a wrong one.

    `dominance` is |S|^2 - |N|^2 of every bin, in the mask's shape: the ideal mask is 1 where it is above 0, and a
    wrong bit adds its magnitude to the error energy.
    """
    cost = np.abs(dominance, dtype=np.float64)
    return float(np.sum(cost[(dominance > 0) == mask.astype(bool)]) / np.sum(cost))
