"""How good a denoised recording is; every figure is higher for better.

SDR (BSS Eval v3, Vincent et al. 2006, 512-tap distortion filter) by `fast_bss_eval`, STOI (Taal et al. 2011) by
`pystoi`. Signals have the shape (samples,).
"""

import fast_bss_eval
import numpy as np
import pystoi
from numpy.typing import NDArray

from model.audio import Signal
from model.bits import Bits

METRICS = {"sdr": "SDR (dB)", "si_sdr": "SI-SDR (dB)", "stoi": "STOI"}
"""Key in reports to heading in tables."""

SILENCE = -30.0
"""The SDR and SI-SDR given where a signal is digitally silent and the true one is minus infinity: so means exist."""

LOADING = 1e-8
"""Added to the diagonal of BSS Eval's filter equations (signals have norm 1), which a pure tone leaves singular."""


def sdr(clean: Signal, estimate: Signal) -> float:
    """Signal-to-distortion ratio of BSS Eval, in decibels."""
    if not (np.any(clean) and np.any(estimate)):
        return SILENCE
    reference, signal = clean[None].astype(np.float64), estimate[None].astype(np.float64)
    return float(fast_bss_eval.sdr(reference, signal, load_diag=LOADING)[0])


def si_sdr(clean: Signal, estimate: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio (Le Roux et al. 2019), in decibels."""
    if not (np.any(clean) and np.any(estimate)):
        return SILENCE
    reference, signal = clean.astype(np.float64), estimate.astype(np.float64)
    target = reference * (signal @ reference) / (reference @ reference)
    return float(10.0 * np.log10((target @ target) / np.sum(np.square(signal - target))))


def stoi(clean: Signal, estimate: Signal, sample_rate: int) -> float:
    """Short-time objective intelligibility, 0 to 1."""
    return float(pystoi.stoi(clean, estimate, sample_rate))


def scores(clean: Signal, estimate: Signal, sample_rate: int) -> dict[str, float]:
    """Every metric of `METRICS` for one recording."""
    return {
        "sdr": sdr(clean, estimate),
        "si_sdr": si_sdr(clean, estimate),
        "stoi": stoi(clean, estimate, sample_rate),
    }


def mask_accuracy(expected: Bits | NDArray[np.bool_], mask: Bits | NDArray[np.bool_]) -> float:
    """Fraction of mask bits that agree."""
    return float(np.mean(expected == mask))
