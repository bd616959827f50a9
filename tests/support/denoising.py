"""What tests of denoising share: a small front end, noise, and networks that keep everything or nothing."""

import numpy as np

from model.bundle.bundle import Bundle
from model.bundle.front_end import FrontEnd
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.reference.recording import Samples, to_samples

RATE, BINS = 16000, 17
FRONT_END = FrontEnd(RATE, 32, 0.1, np.full((BINS, 1), 33_000, np.int32))
LATE = FRONT_END.fft_size - FRONT_END.hop


def noise(samples: int = 1600) -> Samples:
    return to_samples((0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32))


def constant_network(keep: bool) -> Bundle:
    """Keeps all bins or none, whatever it hears."""
    theta = np.full(BINS, -BINS if keep else BINS + 1, dtype=np.int32)
    layer = Layer("mask", "dense", BINS, BINS, Matrix.from_values(np.ones((BINS, BINS), dtype=int)), theta)
    return Bundle("constant", FRONT_END, (layer,))


def distance(one: Samples, other: Samples) -> int:
    return int(np.abs(one.astype(int) - other).max(initial=0))
