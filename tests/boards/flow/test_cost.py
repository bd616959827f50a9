"""Rows of the table of formats: the planner's figures, for constants of any values."""

import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.definitions.registry import find
from boards.flow.cost import any_constants, cost
from boards.flow.layout import options_of, smallest
from model.bundle.bundle import Bundle
from model.bundle.integer_layers import IntegerLayer
from model.bundle.random_bundle import random_bundle
from model.bundle.read import read_bundle
from tests.support.integer_bundles import integer_bundles
from tests.support.paths import ROOT
from tests.support.random_bundles import seeds

BOARD = find("ulx3s_85f")


@given(st.one_of(integer_bundles(), seeds.map(lambda seed: random_bundle(np.random.default_rng(seed)))))
@settings(max_examples=15)
def test_no_network_of_the_shape_takes_more_ram(network: Bundle) -> None:
    layers = [layer for layer in network.layers if isinstance(layer, IntegerLayer)]
    if any(layer.format.u and layer.format.u.exponent != layer.format.w.exponent for layer in layers):
        return  # no lanes hold both
    found = cost(network, BOARD)
    options = options_of(network, BOARD, {})
    planned = smallest(options, dataclasses.replace(BOARD, sdram=None), 125.0, BOARD.available)
    assert planned is not None
    assert found["RAM blocks"] >= planned.needs["block_ram"]


def test_a_row_is_the_plan_of_the_shipped_network_but_for_constant_bits() -> None:
    """Bits of constants that are the same in all rows save `tiny-int4` up to three blocks."""
    network = read_bundle(ROOT / "bundles" / "tiny-int4")
    options, found = options_of(network, BOARD, {}), cost(network, BOARD)
    planned = smallest(options, dataclasses.replace(BOARD, sdram=None), 125.0, BOARD.available)
    assert planned is not None
    assert 0 <= found["RAM blocks"] - planned.needs["block_ram"] <= 3
    assert network.weight_bits < found["RAM bits"] < 1.2 * network.weight_bits
    assert 0 < found["DSP"] <= BOARD.available["multiplier"]
    assert found["cycles"] < BOARD.clock_hz / 125


def test_constants_of_any_values_are_no_constant_bits() -> None:
    layer = any_constants(read_bundle(ROOT / "bundles" / "tiny-int4").layers[0])
    assert isinstance(layer, IntegerLayer)
    assert layer.u_multiplier is not None
    for values, bits in ((layer.threshold, 32), (layer.shift, 6), (layer.w_multiplier, 16), (layer.u_multiplier, 16)):
        flat = [int(value) % 2**bits for value in values.ravel()]
        assert {value ^ flat[0] for value in flat} == {0, 2**bits - 1}
