"""Small random networks of integer layers, and Hypothesis strategies for them."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from hw.shape.integer_engine_spec import lanes_of
from model.bundle.bits import unpack
from model.bundle.bundle import Bundle
from model.bundle.formats import MOST_BITS, WEIGHT_FORMATS, Format
from model.bundle.integer_layers import IntegerKind, IntegerLayer
from model.bundle.layers import Layer
from model.bundle.random_bundle import (
    any_features,
    level_front_end,
    random_front_end,
    random_integer_layer,
    random_layer,
)
from model.errors import BadInput
from tests.support.random_bundles import seeds

__all__ = [
    "activation_bits",
    "any_features",
    "as_integers",
    "formats",
    "integer_bundles",
    "integer_layer_bundle",
    "mixed_bundle",
    "possible_bundles",
    "possible_formats",
    "small_integer_bundle",
    "weight_formats",
]

activation_bits = st.integers(1, MOST_BITS)
weight_formats = st.sampled_from(sorted(WEIGHT_FORMATS)).map(WEIGHT_FORMATS.__getitem__)


@st.composite
def formats(draw: st.DrawFn, recurrent: bool, input_bits: int | None = None, output_bits: int | None = None) -> Format:
    """Any format of a gru layer, or of a dense one."""
    return Format(
        draw(activation_bits) if input_bits is None else input_bits,
        draw(activation_bits) if output_bits is None else output_bits,
        draw(weight_formats),
        draw(weight_formats) if recurrent else None,
    )


def possible_formats(recurrent: bool, input_bits: int | None = None) -> st.SearchStrategy[Format]:
    """Formats that have hardware: not `seo` next to `int3` or wider."""

    return formats(recurrent, input_bits).filter(_possible)


def possible_bundles() -> st.SearchStrategy[Bundle]:
    """Networks of `integer_bundles` that have hardware."""
    return integer_bundles().filter(
        lambda bundle: all(_possible(layer.format) for layer in bundle.layers if isinstance(layer, IntegerLayer))
    )


def _possible(format: Format) -> bool:
    try:
        lanes_of(format.w, format.u, "layer")
    except BadInput:
        return False
    return True


def integer_layer_bundle(
    rng: np.random.Generator, kind: IntegerKind, inputs: int, units: int, format: Format
) -> Bundle:
    """A bundle of a layer and, to be as wide as its front end at the other end, a dense one."""
    bits = format.input_bits
    front_end = random_front_end(rng, inputs) if bits == 1 else level_front_end(rng, inputs, bits)
    first = random_integer_layer(rng, kind, inputs, units, format, "first")
    ternary = Format(format.output_bits, 2, WEIGHT_FORMATS["ternary"])
    last = random_integer_layer(rng, "dense", units, inputs, ternary, "mask")
    return Bundle("one", dataclasses.replace(front_end, gain_bits=2), (first, last))


def small_integer_bundle() -> Bundle:
    """Levels of 8 bits, a gru layer of 7 units (9 inputs), a dense layer of 9 gains of 4 bits."""
    rng = np.random.default_rng(1)
    int4, int8, binary = (WEIGHT_FORMATS[name] for name in ("int4", "int8", "binary"))
    gru = random_integer_layer(rng, "gru", 9, 7, Format(8, 8, int4, int8), "gru0")
    mask = random_integer_layer(rng, "dense", 7, 9, Format(8, 4, binary), "mask")
    front_end = dataclasses.replace(level_front_end(rng, 9, 8), gain_bits=4)
    return Bundle("integers", front_end, (gru, mask))


def mixed_bundle() -> Bundle:
    """Levels of 5 bits, a gru layer of ternary weights, a dense layer to one bit, a bitwise BGRU layer, seo gains."""
    rng = np.random.default_rng(2)
    ternary, int3, seo = (WEIGHT_FORMATS[name] for name in ("ternary", "int3", "seo4"))
    layers = (
        random_integer_layer(rng, "gru", 6, 5, Format(5, 6, ternary, ternary), "gru0"),
        random_integer_layer(rng, "dense", 5, 7, Format(6, 1, int3), "bits"),
        random_layer(rng, "bgru", 7, 4, name="gru1"),
        random_integer_layer(rng, "dense", 4, 6, Format(1, 3, seo), "mask"),
    )
    return Bundle("mixed", dataclasses.replace(level_front_end(rng, 6, 5), gain_bits=3), layers)


@st.composite
def integer_bundles(draw: st.DrawFn, bins: st.SearchStrategy[int] | None = None, max_units: int = 9) -> Bundle:
    """Networks of any kinds of layers in any order, bitwise ones between them where bits come in; any front end."""
    rng = np.random.default_rng(draw(seeds))
    count = draw(st.integers(1, 9) if bins is None else bins)
    if draw(st.booleans()):
        front_end = level_front_end(rng, count, draw(st.integers(4, 8)))
    else:
        front_end = random_front_end(rng, count, draw(st.integers(1, 2)))
    layers: list[Layer | IntegerLayer] = []
    width, bits = front_end.features, front_end.feature_bits
    hidden = draw(st.integers(0, 2))
    mask_bits = draw(st.integers(1, 2))
    for index in range(hidden + 1):
        last = index == hidden
        units = mask_bits * count if last else draw(st.integers(1, max_units))
        kind = draw(st.sampled_from(["gru", "dense", "bgru", "bitwise dense"] if bits == 1 else ["gru", "dense"]))
        name = "mask" if last else f"layer{index}"
        if kind in ("gru", "dense"):
            format = draw(formats(kind == "gru", input_bits=bits))
            layers.append(random_integer_layer(rng, "gru" if kind == "gru" else "dense", width, units, format, name))
            bits = format.output_bits
        else:
            layers.append(random_layer(rng, "bgru" if kind == "bgru" else "dense", width, units, name=name))
        width = units
    front_end = dataclasses.replace(front_end, mask_bits=mask_bits, gain_bits=bits)
    return Bundle("random", front_end, tuple(layers), {"made": "at random"})


def as_integers(layer: Layer) -> IntegerLayer:
    """The integer layer that computes what a bitwise layer does: bits, ternary weights, multipliers of 1, no shift."""
    ternary, rows = WEIGHT_FORMATS["ternary"], layer.threshold.shape
    dense = IntegerLayer(
        layer.name,
        "dense",
        layer.inputs,
        layer.units,
        Format(1, 1, ternary),
        layer.w.values(),
        layer.threshold,
        w_multiplier=np.ones(rows, np.uint16),
        shift=np.zeros(rows, np.uint8),
        tanh=np.array([-1, 1], np.int8),
    )
    if layer.u is None:
        return dense
    return dataclasses.replace(
        dense,
        kind="gru",
        format=Format(1, 1, ternary, ternary),
        u=layer.u.values(),
        u_multiplier=np.ones(rows, np.uint16),
        sigmoid=np.array([0, 1], np.uint8),
        initial_state=2 * unpack(layer.initial_state, layer.units).astype(np.int8) - 1,
    )
