"""DNSMOS P.835 (Reddy, Gopal and Cutler, ICASSP 2022): opinions of a recording without its clean speech.

A network estimates three mean opinion scores from 1 to 5: of the speech (SIG), of the background (BAK), of both
(OVRL). The network comes with the package `speechmos` (extra `study`).
"""

from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
import soxr

from model.errors import BadInput
from model.reference.audio import Signal

__all__ = ["SCORES", "dnsmos"]

SCORES = ("dnsmos_sig", "dnsmos_bak", "dnsmos_ovrl")

SAMPLE_RATE = 16000
SEGMENT = round(9.01 * SAMPLE_RATE)
"""Samples of a segment for the network; segments are a second apart."""

TO_OPINION = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)
"""The authors' polynomials from the network's three outputs to opinions, highest power first."""


def dnsmos(recording: Signal, sample_rate: int) -> dict[str, float]:
    """`SCORES` of a recording (samples,), the mean over its segments; a short one is repeated to fill a segment.

    Raises `BadInput` if the packages aren't installed.
    """
    if sample_rate != SAMPLE_RATE:
        recording = soxr.resample(recording, sample_rate, SAMPLE_RATE)
    heard = np.clip(recording, -1, 1).astype(np.float32)
    if len(heard) < SEGMENT:
        heard = np.resize(heard, SEGMENT)
    begins = range(0, len(heard) - SEGMENT + 1, SAMPLE_RATE)
    raw = [_network().run(None, {"input_1": heard[None, begin : begin + SEGMENT]})[0][0] for begin in begins]
    opinions = [[np.polyval(curve, one) for curve, one in zip(TO_OPINION, segment, strict=True)] for segment in raw]
    return dict(zip(SCORES, map(float, np.mean(opinions, axis=0)), strict=True))


@lru_cache(maxsize=1)
def _network() -> Any:
    try:
        import onnxruntime

        model = files("speechmos") / "dnsmos_models" / "sig_bak_ovr.onnx"
    except ModuleNotFoundError as error:
        raise BadInput(f"DNSMOS: expected the package {error.name}, found none; `pip install {error.name}`") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
