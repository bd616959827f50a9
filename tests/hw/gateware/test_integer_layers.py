"""A gru layer and a dense layer of integers by themselves, against the golden model: every vector of every frame."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.shape.cycles import predict
from hw.shape.family import ICE40
from hw.shape.folding import Folding
from hw.shape.integer_engine_spec import lanes_of
from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format, top
from model.bundle.integer_layers import IntegerLayer
from tests.support.hw_bench import few, some
from tests.support.hw_layers import run_layer
from tests.support.integer_bundles import any_features, integer_layer_bundle, possible_formats
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

KINDS = ("gru", "dense")


def drawn_folding(data, format: Format, kind: str, inputs: int, units: int) -> Folding:
    simd = data.draw(st.integers(1, max(inputs, units if kind == "gru" else 1)))
    packed = lanes_of(format.w, format.u, "layer").name == "ternary" and data.draw(st.booleans())
    pe, lanes = data.draw(st.integers(1, units)), lanes_of(format.w, format.u, "layer")
    multiplied = lanes.most > 1 and not lanes.exponent
    return Folding(pe, simd, packed=packed, multipliers=data.draw(st.integers(0, pe * simd)) if multiplied else 0)


@given(
    data=st.data(),
    seed=seeds,
    kind=st.sampled_from(KINDS),
    inputs=st.integers(1, 11),
    units=st.integers(1, 7),
    input_bits=st.sampled_from([1, 4, 5, 8]),
    weights=st.sampled_from(["rom", "loaded", "streamed"]),
)
@some
def test_every_vector_under_idles_and_back_pressure(data, seed, kind, inputs, units, input_bits, weights):
    rng = np.random.default_rng(seed)
    format = data.draw(possible_formats(kind == "gru", input_bits=input_bits))
    bundle = integer_layer_bundle(rng, kind, inputs, units, format)
    folding = drawn_folding(data, format, kind, inputs, units)
    features = any_features(rng, bundle.front_end, 4)
    run_layer(bundle, folding, features, [1, 0, 0, 1], rng, idle=0.2, stall=0.4, weights=weights)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", sorted(WEIGHT_FORMATS))
@given(data=st.data(), seed=seeds, input_bits=st.sampled_from([1, 4, 8]), output_bits=st.integers(1, 8))
@settings(few, max_examples=3)
def test_extremes_of_every_format(kind, name, data, seed, input_bits, output_bits):
    """Weights and operands all the largest or the least; thresholds, multipliers and shifts at their ends."""
    rng, weights = np.random.default_rng(seed), WEIGHT_FORMATS[name]
    format = Format(input_bits, output_bits, weights, weights if kind == "gru" else None)
    inputs, units = 5, 3
    bundle = integer_layer_bundle(rng, kind, inputs, units, format)
    layer = bundle.layers[0]
    assert isinstance(layer, IntegerLayer)
    rows, ends = layer.threshold.shape, np.array([0, 1, 2**16 - 1], np.uint16)

    def extreme(shape, most: int) -> np.ndarray:
        return (rng.choice([-1, 1]) * most * np.where(rng.random(shape) < 0.1, -1, 1)).astype(np.int8)

    layer = replace(
        layer,
        w=extreme(layer.w.shape, weights.most),
        threshold=rng.choice(np.array([-(2**31), 0, 2**31 - 1], np.int32), rows),
        w_multiplier=rng.choice(ends, rows),
        shift=rng.choice(np.array([0, 1, 7, 8, 15, 31, 48, 56, 63], np.uint8), rows),
    )
    if kind == "gru":
        layer = replace(
            layer,
            u=extreme(layer.u.shape, weights.most),
            u_multiplier=rng.choice(ends, rows),
            initial_state=np.full(units, rng.choice([-1, 1]) * top(output_bits), np.int8),
        )
    bundle = Bundle("extreme", bundle.front_end, (layer, bundle.layers[1]))
    features = any_features(rng, bundle.front_end, 3)
    if input_bits > 1:
        features[:2] = [[-(2 ** (input_bits - 1))], [2 ** (input_bits - 1) - 1]]
    run_layer(bundle, drawn_folding(data, format, kind, inputs, units), features, [1, 0, 0], rng)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("pe", "simd"), [(2, 3), (1, 8), (6, 4)])
@given(abort=st.integers(2, 900))
@settings(few, max_examples=4)
def test_reset_in_mid_frame_and_then_a_right_utterance(kind, pe, simd, abort):
    rng = np.random.default_rng(abort)
    int4 = WEIGHT_FORMATS["int4"]
    bundle = integer_layer_bundle(rng, kind, 8, 6, Format(8, 5, int4, int4 if kind == "gru" else None))
    features = any_features(rng, bundle.front_end, 3)
    run_layer(bundle, Folding(pe, simd), features, [0, 0, 0], rng, idle=0.1, stall=0.2, abort=abort)


def test_constants_in_nearly_as_many_words_as_a_row_has_cycles_come_in_time():
    rng, int3 = np.random.default_rng(0), WEIGHT_FORMATS["int3"]
    bundle = integer_layer_bundle(rng, "gru", 4, 22, Format(4, 4, int3, int3))
    first = bundle.layers[0]
    assert isinstance(first, IntegerLayer)
    threshold = rng.integers(0, 2**24, first.threshold.shape, dtype=np.int32)
    shift = rng.integers(0, 64, threshold.shape, dtype=np.uint8)
    w, u = (rng.integers(0, 2**16, threshold.shape, dtype=np.uint16) for _ in range(2))
    first = replace(first, threshold=threshold, shift=shift, w_multiplier=w, u_multiplier=u)
    bundle = Bundle("wide", bundle.front_end, (first, bundle.layers[1]))
    features = any_features(rng, bundle.front_end, 3)
    dut, watch, *_ = run_layer(bundle, Folding(3, 4), features, [1, 0, 0], rng, abort=500, family=ICE40)
    assert dut.spec.requantiser.reads == 31
    assert watch.cycles == [predict(dut.spec).alone, *[predict(dut.spec).cycles] * 2]
