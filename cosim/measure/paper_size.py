"""A network of the paper's size, made at random: for measurements that ask for nothing but the size."""

import numpy as np

from model.bundle.bits import pack
from model.bundle.bundle import Bundle, Layer, Matrix
from model.reference.front_end import FrontEnd

__all__ = ["paper_sized"]


def paper_sized() -> Bundle:
    """A network of the paper's size (1024 units, 513 bins, rho 0.8) with random weights."""
    random = np.random.default_rng(0)

    def ternary(*shape: int) -> Matrix:
        return Matrix.from_values(random.choice([-1, 0, 1], p=[0.4, 0.2, 0.4], size=shape))

    bins, units = 513, 1024
    limits = np.sort(random.random((bins, 15), dtype=np.float32), axis=1)
    front_end = FrontEnd(16000, 1024, 256, "hann", 1.0, limits)
    state = pack(random.integers(0, 2, units))
    zeros = np.zeros((3, units), dtype=np.int32)
    recurrent = Layer(
        "gru0", "bgru", bins * 4, units, ternary(3, units, bins * 4), zeros, ternary(3, units, units), state
    )
    output = Layer("mask", "dense", units, bins, ternary(bins, units), zeros[0, :bins])
    return Bundle("paper", front_end, (recurrent, output))
