"""Small random networks, what they are fed, and Hypothesis strategies for them.

Sizes are given, the rest is drawn (`model.bundle.random_bundle`).
"""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from hw.shape.folding import Folding
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.layers import Kind
from model.bundle.random_bundle import (
    layer_of,
    random_bundle,
    random_front_end,
    random_layer,
    random_thresholds,
    random_weights,
)

__all__ = [
    "ALWAYS",
    "NEVER",
    "audible",
    "bundles",
    "densities",
    "one_unit_bundle",
    "random_bundle",
    "random_features",
    "random_foldings",
    "random_front_end",
    "random_layer",
    "random_thresholds",
    "random_weights",
    "seeds",
]

ALWAYS, NEVER = -99, 99
"""Thresholds that a unit of a few weights always reaches, and never."""


def one_unit_bundle(w: Sequence[Sequence[int]], u: Sequence[int], theta: Sequence[int], initial: int) -> Bundle:
    """A BGRU unit of two inputs under a dense layer that copies it, nothing at random; `w` is a row for r, z, h~."""
    weights = np.concatenate([np.array(w)[:, None, :], np.array(u)[:, None, None]], axis=-1)
    gru = layer_of("gru0", "bgru", 2, weights, np.array(theta)[:, None], np.array([initial]))
    mask = layer_of("mask", "dense", 1, np.array([[1]]), np.zeros(1, dtype=np.int32))
    return Bundle("one", random_front_end(np.random.default_rng(0), 1, 2), (gru, mask))


def random_features(rng: np.random.Generator, bundle: Bundle, frames: int) -> Bits:
    """Feature bits (frames, features)."""
    return rng.integers(0, 2, (frames, bundle.front_end.features), dtype=np.uint8)


def random_foldings(rng: np.random.Generator, bundle: Bundle) -> dict[str, Folding]:
    """Any PE and SIMD that the layers allow, most of which divide nothing evenly."""
    return {
        layer.name: Folding(
            pe=int(rng.integers(1, layer.units + 1)),
            simd=int(rng.integers(1, max(layer.inputs, layer.units if layer.kind != "dense" else 1) + 1)),
        )
        for layer in bundle.layers
    }


densities = st.sampled_from([1.0, 0.8, 0.3])
"""Fractions of weights kept; 1.0 selects binary arithmetic."""

seeds = st.integers(0, 2**32 - 1)


audible = st.sampled_from([9, 17])
"""Bins of front ends that have an audio path: half of an FFT of a power of two, from 16 points, and one."""


@st.composite
def bundles(
    draw: st.DrawFn, bins: st.SearchStrategy[int] | None = None, max_units: int = 12, max_hidden: int = 2
) -> Bundle:
    """Networks of any kind of layer in any order, every size down to 1; up to 9 bins where none are given.

    Only those of `audible` bins can hear a recording, or be written to disk.
    """
    kinds: st.SearchStrategy[Kind] = st.sampled_from(["bgru", "dense"])
    sizes = st.tuples(kinds, st.integers(1, max_units))
    return random_bundle(
        np.random.default_rng(draw(seeds)),
        hidden=draw(st.lists(sizes, max_size=max_hidden)),
        bins=draw(st.integers(1, 9) if bins is None else bins),
        qad_bits=draw(st.integers(1, 2)),
        rho=draw(densities),
        last=draw(st.sampled_from(["dense", "bgru"])),
    )
