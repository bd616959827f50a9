"""A random network of the paper's size, for measurements in which only the size counts."""

import numpy as np

from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_bundle

__all__ = ["paper_sized"]


def paper_sized() -> Bundle:
    """1024 units, 513 bins of four bits, a hop of 16 ms, rho 0.8; its name is not that of the shipped `paper`."""
    return random_bundle(np.random.default_rng(0), [("bgru", 1024)], bins=513, qad_bits=4, name="random-paper-size")
