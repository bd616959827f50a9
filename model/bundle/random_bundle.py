"""Random but valid bundles, for tests, calibration, measurements and stand-ins."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.bundle.formats import Format, WeightFormat, one, top
from model.bundle.front_end import FrontEnd, limits_of
from model.bundle.integer_layers import IntegerKind, IntegerLayer
from model.bundle.layers import Kind, Layer
from model.bundle.matrices import Matrix
from model.bundle.scales import multipliers
from model.bundle.tables import sigmoid_table, tanh_table

__all__ = [
    "any_features",
    "layer_of",
    "level_front_end",
    "random_bundle",
    "random_front_end",
    "random_integer_layer",
    "random_layer",
    "random_thresholds",
    "random_weights",
    "sized_front_end",
]


def layer_of(
    name: str,
    kind: Kind,
    inputs: int,
    weights: NDArray[np.integer[Any]],
    threshold: NDArray[np.integer[Any]],
    state: NDArray[np.integer[Any]] | None = None,
) -> Layer:
    """A bitwise layer with these arrays.

    weights : -1, 0 and +1; (units, inputs), or (3, units, inputs + units) for a BGRU layer, in the order r, z, h~
    threshold : (..., units)
    state : initial state of a BGRU layer, bits (units,)
    """
    w, u = Matrix.from_values(weights[..., :inputs]), None
    if kind == "bgru":
        u = Matrix.from_values(weights[..., inputs:])
    initial = None if state is None else pack(state)
    return Layer(name, kind, inputs, weights.shape[-2], w, threshold.astype(np.int32), u, initial)


def sized_front_end(keys: NDArray[np.int32], mask_bits: int = 1) -> FrontEnd:
    """A front end with threshold keys (bins, limits) and the shortest window that gives so many bins.

    A network alone may have any number of bins. Only 2^n + 1 bins, from 9 to 513, have an audio path and can be written
    to disk.
    """
    return FrontEnd(16000, max(1, 2 * (len(keys) - 1)), 0.1, keys, mask_bits=mask_bits)


def random_front_end(rng: np.random.Generator, bins: int, qad_bits: int = 1) -> FrontEnd:
    """A front end with `bins` bins and random keys, near those of a signal at the level `rms`."""
    keys = rng.integers(30_000, 40_000, (bins, limits_of("binary", qad_bits)), dtype=np.int32)
    return sized_front_end(np.sort(keys, axis=1))


def level_front_end(rng: np.random.Generator, bins: int, bits: int) -> FrontEnd:
    """A front end with levels that begin a few octaves below what noise at the level `rms` has."""
    keys = rng.integers(20_000, 30_000, (bins, 1), dtype=np.int32)
    return replace(sized_front_end(keys), code="level", feature_bits=bits)


def any_features(rng: np.random.Generator, front_end: FrontEnd, frames: int) -> NDArray[np.uint8] | NDArray[np.int8]:
    """Features (frames, features) of any value: bits, or levels."""
    bits, shape = front_end.feature_bits, (frames, front_end.features)
    if bits == 1:
        return rng.integers(0, 2, shape, dtype=np.uint8)
    return rng.integers(-(2 ** (bits - 1)), 2 ** (bits - 1), shape, dtype=np.int8)


def random_weights(rng: np.random.Generator, shape: Sequence[int], rho: float) -> NDArray[np.int8]:
    """Weights of -1, 0, +1; each is non-zero with probability `rho` (1.0: none is 0)."""
    signs = rng.choice(np.array([-1, 1], dtype=np.int8), size=tuple(shape))
    return signs if rho == 1.0 else np.where(rng.random(tuple(shape)) < rho, signs, np.int8(0))


def random_thresholds(rng: np.random.Generator, weights: NDArray[np.int8]) -> NDArray[np.int32]:
    """One threshold per row of `weights` (..., columns): most near 0 and with the sums' parity, some out of reach.

    So nearly every frame has ties.
    """
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
    """A single bitwise layer."""
    shape = (units, inputs) if kind == "dense" else (3, units, inputs + units)
    weights = random_weights(rng, shape, rho)
    threshold = random_thresholds(rng, weights)
    state = rng.integers(0, 2, units) if kind == "bgru" else None
    return layer_of(name, kind, inputs, weights, threshold, state)


def random_integer_layer(
    rng: np.random.Generator, kind: IntegerKind, inputs: int, units: int, format: Format, name: str = "layer"
) -> IntegerLayer:
    """A single integer layer. Its sums span the tables, and those of some rows exceed them."""
    rows, bits = ((3, units) if kind == "gru" else (units,)), format.output_bits
    spread = one(bits) * 2.0 ** rng.integers(-3, 2, rows)  # of q
    w = _random_codes(rng, (*rows, inputs), format.w)
    scales, sums = [spread / _deviation(w, format.w, format.input_bits)], _deviation(w, format.w, format.input_bits)
    threshold = np.rint(rng.normal(0, 0.5, rows) * sums).clip(-(2**31), 2**31 - 1).astype(np.int32)
    if format.u is None:
        (w_multiplier,), shift = multipliers(*scales)
        return IntegerLayer(name, kind, inputs, units, format, w, threshold, w_multiplier, shift, tanh_table(bits))
    u = _random_codes(rng, (*rows, units), format.u)
    (w_multiplier, u_multiplier), shift = multipliers(*scales, spread / _deviation(u, format.u, bits))
    state = rng.integers(-top(bits), top(bits) + 1, units) if bits > 1 else rng.choice([-1, 1], units)
    return IntegerLayer(
        name,
        kind,
        inputs,
        units,
        format,
        w,
        threshold,
        w_multiplier,
        shift,
        tanh_table(bits),
        u,
        u_multiplier,
        sigmoid_table(bits),
        state.astype(np.int8),
    )


def _random_codes(rng: np.random.Generator, shape: tuple[int, ...], format: WeightFormat) -> NDArray[np.int8]:
    codes = rng.integers(-format.most, format.most + 1, shape, dtype=np.int8)
    return codes if format.zero else np.where(codes == 0, np.int8(1), codes)


def _deviation(codes: NDArray[np.int8], format: WeightFormat, bits: int) -> NDArray[np.float64]:
    """Standard deviation of each row's sum, (..., rows), for uniform operands; at least 1."""
    return np.maximum(1.0, np.sqrt(np.square(format.values(codes).astype(np.float64)).sum(axis=-1) / 3) * one(bits))


def random_bundle(
    rng: np.random.Generator,
    hidden: Sequence[tuple[Kind, int]] = (("bgru", 7),),
    bins: int = 9,
    qad_bits: int = 1,
    rho: float = 0.8,
    last: Kind = "dense",
    name: str = "random",
) -> Bundle:
    """`hidden` layers, kind and units of each, then one of kind `last` with a unit per bin.

    Their names are gru0, dense1, ..., mask. (("bgru", 7), ("bgru", 6)) is two BGRU layers, (("dense", 9),) the paper's
    BNN, () the mask layer alone.
    """
    front_end = random_front_end(rng, bins, qad_bits)
    layers: list[Layer] = []
    width = front_end.features
    for index, (kind, units) in enumerate(hidden):
        layers.append(random_layer(rng, kind, width, units, rho, f"{'gru' if kind == 'bgru' else 'dense'}{index}"))
        width = units
    layers.append(random_layer(rng, last, width, bins, rho, "mask"))
    return Bundle(name, front_end, tuple(layers), {"made": "at random"})
