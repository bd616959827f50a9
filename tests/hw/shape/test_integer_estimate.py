"""Multipliers are known before synthesis: Yosys takes one for each lane that is to have one, and for no other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.network import make_layer
from hw.shape.family import FAMILIES
from hw.shape.folding import Folding
from hw.shape.integer_estimate import estimate_of
from hw.shape.network_spec import spec_of
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.integer_layers import IntegerKind
from model.bundle.random_bundle import random_integer_layer
from tests.support.hw_bench import few
from tests.support.random_bundles import seeds


@pytest.mark.synthesis
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@given(
    data=st.data(),
    seed=seeds,
    recurrent=st.booleans(),
    weights=st.integers(3, 8),
    input_bits=st.integers(1, 8),
    output_bits=st.integers(1, 8),
    pe=st.integers(1, 2),
    simd=st.integers(1, 3),
)
@settings(few, max_examples=3)
def test_multipliers_are_those_that_yosys_takes(
    family, data, seed, recurrent, weights, input_bits, output_bits, pe, simd
):
    kind: IntegerKind = "gru" if recurrent else "dense"
    lanes = WEIGHT_FORMATS[f"int{weights}"]
    format = Format(input_bits, output_bits, lanes, lanes if recurrent else None)
    layer = random_integer_layer(np.random.default_rng(seed), kind, 9, 4, format)
    most = spec_of(layer, Folding(pe, simd), family).most_multipliers
    folding = Folding(pe, simd, "streamed", multipliers=data.draw(st.sampled_from(sorted({0, most // 2, most}))))
    found = synthesise(to_rtlil(make_layer(layer, folding, family), "layer"), "layer", family.with_multipliers())
    assert found["multiplier"] == folding.multipliers == estimate_of(layer, family).resources(folding)["multiplier"]
