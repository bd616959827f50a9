"""Integer layers in a bundle: what is written is read back, and whatever is wrong is refused in a sentence."""

import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS, Format
from model.bundle.integer_layers import IntegerLayer, integer_shapes
from model.bundle.random_bundle import random_front_end, random_integer_layer, random_layer
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from model.shipped import bundle_folder, bundle_names
from tests.support.bundle_folders import assert_same, change_arrays, change_manifest, manifest_of, refused
from tests.support.integer_bundles import formats, integer_bundles, small_integer_bundle
from tests.support.random_bundles import audible, seeds

INT4 = WEIGHT_FORMATS["int4"]


@pytest.fixture
def folder(tmp_path) -> Path:
    write_bundle(small_integer_bundle(), tmp_path / "net")
    return tmp_path / "net"


@given(network=integer_bundles(audible))
def test_round_trip(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "net"
    write_bundle(network, folder)
    read = read_bundle(folder)
    assert_same(network, read)
    assert read.identity == network.identity
    assert (read.front_end.feature_bits, read.front_end.gain_bits) == (
        network.front_end.feature_bits,
        network.front_end.gain_bits,
    )
    assert [layer.entry for layer in read.layers] == [layer.entry for layer in network.layers]


def test_the_manifest_says_the_formats(folder):
    manifest = manifest_of(folder)
    assert manifest["layers"] == [
        {
            "name": "gru0",
            "kind": "gru",
            "inputs": 9,
            "units": 7,
            "format": {"input_bits": 8, "output_bits": 8, "w": "int4", "u": "int8"},
        },
        {
            "name": "mask",
            "kind": "dense",
            "inputs": 7,
            "units": 9,
            "format": {"input_bits": 8, "output_bits": 4, "w": "binary"},
        },
    ]
    front_end = manifest["front_end"]
    assert (front_end["qad_code"], front_end["qad_bits"], front_end["gain_bits"]) == ("level", 8, 4)


def test_the_name_int2_is_read_as_ternary(folder):
    change_manifest(folder, "layers.1.format.w", "ternary")
    by_one_name = read_bundle(folder)
    change_manifest(folder, "layers.1.format.w", "int2")
    assert read_bundle(folder).identity == by_one_name.identity


@given(seed=seeds, data=st.data(), inputs=st.integers(1, 9), units=st.integers(1, 9))
def test_a_layer_has_the_arrays_that_its_shapes_say(seed, data, inputs, units):
    kind = data.draw(st.sampled_from(["gru", "dense"]))
    format = data.draw(formats(kind == "gru"))
    layer = random_integer_layer(np.random.default_rng(seed), kind, inputs, units, format)
    layer.check()
    found = {name: (array.dtype.name, array.shape) for name, array in layer.arrays.items()}
    assert found == integer_shapes(kind, inputs, units, format)
    assert layer.weights == units * (inputs if kind == "dense" else 3 * (inputs + units))
    assert layer.kept == sum(int(np.count_nonzero(layer.arrays[key])) for key in ("w", "u") if key in layer.arrays)


def test_weights_take_the_bits_of_their_formats():
    made = small_integer_bundle()
    assert made.weight_bits == 3 * 7 * (9 * 4 + 7 * 8) + 9 * 7 * 1
    codes = [layer.arrays[key] for layer in made.layers for key in ("w", "u") if key in layer.arrays]
    assert made.kept == sum(int(np.count_nonzero(array)) for array in codes)
    assert [str(layer.format) for layer in made.layers if isinstance(layer, IntegerLayer)] == [
        "int4 and int8, 8 > 8 bits",
        "binary, 8 > 4 bits",
    ]


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        ("layers.0.format", "int4", "layers[0].format: expected an object, got 'int4'"),
        ("layers.0.format.w", "float16", "layers[0].format.w: expected one of binary, ternary, int3,"),
        ("layers.0.format.u", 4, "layers[0].format.u: expected text, got 4"),
        ("layers.0.format.input_bits", 9, "layers[0].format.input_bits: expected an integer from 1 to 8, got 9"),
        ("layers.0.format.output_bits", 0, "layers[0].format.output_bits: expected an integer from 1 to 8, got 0"),
        ("layers.0.format.output_bits", 4.0, "layers[0].format.output_bits: expected an integer from 1 to 8, got 4.0"),
        ("layers.0.format.v", "int4", "layers[0].format.v: unknown key, expected one of input_bits, output_bits, w, u"),
        ("layers.1.format.u", "int4", "layers[1].format.u: unknown key, expected one of input_bits, output_bits, w"),
        ("layers.0.kind", "bgru", "layers[0].format: expected no format in a bgru layer, got {"),
        ("front_end.gain_bits", 9, "front_end.gain_bits: expected 1 to 8, got 9"),
        ("front_end.gain_bits", "4", "front_end.gain_bits: expected an integer from 1 to 2147483647, got '4'"),
    ],
)
def test_wrong_value_in_the_manifest(folder, where, value, sentence):
    change_manifest(folder, where, value)
    refused(folder, "manifest.json: ", sentence)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("layers.0.format", "layers[0].format: expected an object in a gru layer, got nothing"),
        ("layers.0.format.u", "layers[0].format.u: expected text, got nothing"),
        ("layers.1.format.output_bits", "layers[1].format.output_bits: expected an integer from 1 to 8, got nothing"),
    ],
)
def test_missing_key(folder, where, sentence):
    change_manifest(folder, where, remove=True)
    refused(folder, "manifest.json: ", sentence)


@pytest.mark.parametrize(
    ("array", "value", "sentence"),
    [
        ("gru0.w", 8, "expected int4 codes from -7 to 7, got 8"),
        ("gru0.u", -128, "expected int8 codes from -127 to 127, got -128"),
        ("mask.w", 0, "expected binary codes -1 and 1, got 0"),
        ("gru0.shift", 64, "expected 0 to 63, got 64"),
        ("gru0.tanh", -128, "expected -127 to 127, got -128"),
        ("mask.tanh", 8, "expected -7 to 7, got 8"),
        ("gru0.sigmoid", 129, "expected 0 to 128, got 129"),
        ("gru0.initial_state", -128, "expected -127 to 127, got -128"),
    ],
)
def test_values_beyond_the_format(folder, array, value, sentence):
    with np.load(folder / "arrays.npz") as stored:
        wrong = stored[array].copy()
    wrong.flat[-1] = value
    change_arrays(folder, **{array.replace(".", "__"): wrong})
    refused(folder, f"array {array}: {sentence}")


def test_a_table_of_a_wrong_length(folder):
    change_arrays(folder, gru0__sigmoid=np.zeros(128, np.uint8))
    refused(folder, "array gru0.sigmoid: expected uint8 (256,), got uint8 (128,)")


def test_a_one_bit_output_of_0_is_refused():
    layer = random_integer_layer(np.random.default_rng(0), "gru", 2, 2, Format(1, 1, INT4, INT4), "gru0")
    zero = np.array([-1, 0], np.int8)
    for key, wrong in (
        ("tanh", dataclasses.replace(layer, tanh=zero)),
        ("initial_state", dataclasses.replace(layer, initial_state=zero)),
    ):
        with pytest.raises(BadInput, match=rf"^array gru0.{key}: expected -1 or 1, got 0$"):
            wrong.check()


def test_layers_whose_bits_do_not_fit():
    made = small_integer_bundle()
    gru = made.layers[0]
    wrong = random_integer_layer(np.random.default_rng(0), "dense", 7, 9, Format(4, 4, INT4), "mask")
    with pytest.raises(BadInput, match=r"^layer mask: expected 8-bit inputs \(the units of gru0\), got 4-bit$"):
        dataclasses.replace(made, layers=(gru, wrong))
    with pytest.raises(BadInput, match=r"^layer mask: expected 1-bit outputs \(gain_bits\), got 4-bit$"):
        dataclasses.replace(made, front_end=dataclasses.replace(made.front_end, gain_bits=1))
    bitwise = random_layer(np.random.default_rng(0), "dense", 7, 9, name="mask")
    with pytest.raises(BadInput, match=r"^layer mask: expected 8-bit inputs \(the units of gru0\), got 1-bit$"):
        dataclasses.replace(made, layers=(gru, bitwise))
    bits = random_front_end(np.random.default_rng(0), 9)
    with pytest.raises(BadInput, match=r"^layer gru0: expected 1-bit inputs \(the front end's features\), got 8-bit$"):
        dataclasses.replace(made, front_end=dataclasses.replace(bits, gain_bits=4))


@pytest.mark.parametrize("bits", [3, 9])
def test_levels_have_4_to_8_bits(folder, bits):
    change_manifest(folder, "front_end.qad_bits", bits)
    refused(folder, "front_end.qad_bits: expected ")


def test_what_takes_only_bitwise_layers_says_so():
    with pytest.raises(
        BadInput,
        match=r"^layer gru0: expected a bitwise layer, got an integer gru, which this command does not take yet$",
    ):
        _ = small_integer_bundle().bitwise


@pytest.mark.parametrize("name", bundle_names())
def test_the_identity_of_a_shipped_bundle_is_that_of_its_manifest_as_it_was_written(name):
    manifest = manifest_of(bundle_folder(name))
    network = {key: manifest[key] for key in ("front_end", "layers", "arrays")}
    digest = hashlib.sha256(json.dumps(network, sort_keys=True).encode()).digest()
    assert read_bundle(bundle_folder(name)).identity == digest[:8]


def test_a_bundle_without_integers_has_the_manifest_that_it_had(tmp_path):
    rng = np.random.default_rng(0)
    made = Bundle("bits", random_front_end(rng, 9), (random_layer(rng, "dense", 9, 9, name="mask"),))
    write_bundle(made, tmp_path / "net")
    manifest = json.loads((tmp_path / "net" / "manifest.json").read_text())
    assert "gain_bits" not in manifest["front_end"]
    assert manifest["layers"] == [{"name": "mask", "kind": "dense", "inputs": 9, "units": 9}]
    assert manifest["version"] == 3
