"""Small random networks as whole, valid bundles: what tests of the golden model and of the hardware run on.

Sizes are given, the rest is drawn. Thresholds are drawn close to the sums that they are compared with and of
their parity, so that ties happen in nearly every frame; a few are out of reach on either side.
"""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from hw.shape.folding import Folding
from model.bundle.bits import Bits, pack
from model.bundle.bundle import Bundle, Kind, Layer, Matrix
from model.reference.front_end import FrontEnd

Hidden = Sequence[tuple[Kind, int]]
"""Kind and units of each layer before the last."""


def random_front_end(rng: np.random.Generator, bins: int, qad_bits: int = 1) -> FrontEnd:
    """A front end of `bins` bins and random non-decreasing thresholds."""
    fft_size = max(1, 2 * (bins - 1))
    thresholds = np.sort(rng.random((bins, 2**qad_bits - 1), dtype=np.float32), axis=1)
    return FrontEnd(16000, fft_size, max(1, fft_size // 2), "hann", 0.1, thresholds)


def random_weights(rng: np.random.Generator, shape: Sequence[int], rho: float) -> NDArray[np.int8]:
    """Weights of -1, 0, +1; a fraction `rho`, drawn weight by weight, is not 0 (1.0: every one)."""
    signs = rng.choice(np.array([-1, 1], dtype=np.int8), size=tuple(shape))
    return np.where(rng.random(tuple(shape)) < rho, signs, np.int8(0))


def random_thresholds(rng: np.random.Generator, weights: NDArray[np.int8]) -> NDArray[np.int32]:
    """One per row of `weights` (..., columns): most near 0 and of the sums' parity, some that no sum reaches."""
    columns = weights.shape[-1]
    kept = np.count_nonzero(weights, axis=-1)
    spread = int(np.sqrt(columns) / 3) + 1
    near = rng.integers(-spread, spread + 1, kept.shape)
    near += ((near + kept) % 2) * (rng.random(kept.shape) < 0.7)
    extremes = rng.choice([-(2**31), -columns, columns, columns + 1, 2**31 - 1], kept.shape)
    return np.where(rng.random(kept.shape) < 0.05, extremes, near).astype(np.int32)


def random_layer(
    rng: np.random.Generator, kind: Kind, inputs: int, units: int, rho: float = 0.8, name: str = "layer"
) -> Layer:
    """A layer by itself."""
    if kind == "dense":
        w = random_weights(rng, (units, inputs), rho)
        return Layer(name, "dense", inputs, units, Matrix.from_values(w), random_thresholds(rng, w))
    both = random_weights(rng, (3, units, inputs + units), rho)
    return Layer(
        name,
        "bgru",
        inputs,
        units,
        w=Matrix.from_values(both[..., :inputs]),
        threshold=random_thresholds(rng, both),
        u=Matrix.from_values(both[..., inputs:]),
        initial_state=pack(rng.integers(0, 2, units)),
    )


def random_bundle(
    rng: np.random.Generator,
    hidden: Hidden = (("bgru", 7),),
    bins: int = 5,
    qad_bits: int = 1,
    rho: float = 0.8,
    last: Kind = "dense",
) -> Bundle:
    """`hidden` layers, then one of kind `last` with a unit per bin: names are gru0, dense1, ..., mask.

    (("bgru", 7), ("bgru", 6)) is two BGRU layers, (("dense", 9),) the paper's BNN, () the mask layer alone.
    """
    front_end = random_front_end(rng, bins, qad_bits)
    layers: list[Layer] = []
    width = front_end.features
    for index, (kind, units) in enumerate(hidden):
        name = f"{'gru' if kind == 'bgru' else 'dense'}{index}"
        layers.append(random_layer(rng, kind, width, units, rho, name))
        width = units
    layers.append(random_layer(rng, last, width, bins, rho, "mask"))
    return Bundle("random", front_end, tuple(layers), {"made": "at random"})


ALWAYS, NEVER = -99, 99
"""Thresholds that a unit of a few weights always reaches, and never."""


def one_unit_bundle(w: Sequence[Sequence[int]], u: Sequence[int], theta: Sequence[int], initial: int) -> Bundle:
    """A BGRU unit of two inputs under a dense layer that copies it, nothing at random; `w` is a row for r, z, h~."""
    gru = Layer(
        "gru0",
        "bgru",
        2,
        1,
        w=Matrix.from_values(np.array(w)[:, None, :]),
        threshold=np.array(theta, dtype=np.int32)[:, None],
        u=Matrix.from_values(np.array(u)[:, None, None]),
        initial_state=pack(np.array([initial])),
    )
    mask = Layer("mask", "dense", 1, 1, Matrix.from_values(np.array([[1]])), np.zeros(1, dtype=np.int32))
    return Bundle("one", random_front_end(np.random.default_rng(0), 1, 2), (gru, mask))


def random_features(rng: np.random.Generator, bundle: Bundle, frames: int) -> Bits:
    """Feature bits (frames, features)."""
    return rng.integers(0, 2, (frames, bundle.front_end.features), dtype=np.uint8)


def random_foldings(rng: np.random.Generator, bundle: Bundle) -> dict[str, Folding]:
    """Any PE and SIMD that the layers allow, most of which divide nothing evenly."""
    return {
        layer.name: Folding(
            pe=int(rng.integers(1, layer.units + 1)),
            simd=int(rng.integers(1, max(layer.inputs, layer.units if layer.kind == "bgru" else 1) + 1)),
        )
        for layer in bundle.layers
    }


densities = st.sampled_from([1.0, 0.8, 0.3])
"""Fractions of weights kept; 1.0 selects binary arithmetic."""

seeds = st.integers(0, 2**32 - 1)


@st.composite
def bundles(draw: st.DrawFn, max_bins: int = 9, max_units: int = 12, max_hidden: int = 2) -> Bundle:
    """Networks of any kind of layer in any order, every size down to 1."""
    sizes = st.tuples(st.sampled_from(["bgru", "dense"]), st.integers(1, max_units))
    return random_bundle(
        np.random.default_rng(draw(seeds)),
        hidden=draw(st.lists(sizes, max_size=max_hidden)),
        bins=draw(st.integers(1, max_bins)),
        qad_bits=draw(st.integers(1, 2)),
        rho=draw(densities),
        last=draw(st.sampled_from(["dense", "bgru"])),
    )
