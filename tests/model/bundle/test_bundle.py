"""The bundle: what is written is read back, and whatever is wrong is refused in a sentence that names it."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.bundle.front_end import FrontEnd
from model.bundle.identity import digest
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from tests.support.bundle_folders import (
    array_of,
    assert_same,
    change_arrays,
    change_manifest,
    manifest_of,
    refused,
)
from tests.support.random_bundles import audible, bundles, random_bundle, random_front_end, random_layer, seeds


@pytest.fixture
def folder(tmp_path) -> Path:
    """A good bundle of a BGRU layer (18 inputs, 7 units) and a dense layer (9 units)."""
    write_bundle(random_bundle(np.random.default_rng(1), qad_bits=2), tmp_path / "net")
    return tmp_path / "net"


# What is written is read back.


@given(network=bundles(audible))
@settings(max_examples=30)
def test_round_trip(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "net"
    write_bundle(network, folder)
    assert sorted(path.name for path in folder.iterdir()) == ["arrays.npz", "manifest.json"]
    assert_same(network, read_bundle(folder))


def test_every_setting_of_the_front_end_is_kept(tmp_path):
    rng = np.random.default_rng(0)
    end = replace(random_front_end(rng, 9, qad_bits=2), rms=0.2, gain_frames=8, code="thermometer", mask_bits=2)
    network = made(random_layer(rng, "dense", 27, 18, name="mask"), front_end=end)
    write_bundle(network, tmp_path / "net")
    assert_same(network, read_bundle(tmp_path / "net"))
    entry = manifest_of(tmp_path / "net")["front_end"]
    assert (entry["gain_frames"], entry["qad_bits"], entry["qad_code"], entry["mask_bits"]) == (8, 3, "thermometer", 2)


@given(seed=seeds, rows=st.integers(1, 9), columns=st.integers(1, 200))
def test_matrix_is_its_values(seed, rows, columns):
    values = np.random.default_rng(seed).integers(-1, 2, (rows, columns))
    assert np.array_equal(Matrix.from_values(values).values(), values)


def test_manifest_says_what_the_arrays_are(folder):
    entries = manifest_of(folder)["arrays"]
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        assert set(entries) == set(stored.files)
        for name, entry in entries.items():
            assert entry == {
                "dtype": stored[name].dtype.name,
                "shape": list(stored[name].shape),
                "sha256": digest(stored[name]),
            }


def test_digest_does_not_depend_on_byte_order_or_memory_layout():
    array = np.arange(12, dtype="<u8").reshape(3, 4)
    assert digest(array.astype(">u8")) == digest(array) == digest(np.asfortranarray(array))


def test_weights_count_zeros_too(folder):
    network = read_bundle(folder)
    assert [layer.weights for layer in network.layers] == [3 * 7 * (18 + 7), 9 * 7]
    assert network.weights == 588


def test_model_card_stays_when_a_bundle_is_replaced(folder):
    (folder / "README.md").write_text("card")
    write_bundle(random_bundle(np.random.default_rng(2)), folder)
    assert (folder / "README.md").read_text() == "card"
    assert read_bundle(folder).front_end.bits == 1


def test_folder_that_holds_folders_is_not_replaced(folder):
    (folder / "photos").mkdir()
    with pytest.raises(BadInput, match="expected a new folder or a bundle's, got one with the folder photos in it"):
        write_bundle(random_bundle(np.random.default_rng(2)), folder)
    assert (folder / "photos").is_dir()


# Files that are missing or broken.


def test_no_folder(tmp_path):
    refused(tmp_path / "none", "expected a bundle (a folder with manifest.json and arrays.npz), found none")


def test_no_manifest(folder):
    (folder / "manifest.json").unlink()
    refused(folder, "expected a bundle", "found none")


def test_no_arrays_file(folder):
    (folder / "arrays.npz").unlink()
    refused(folder, "arrays.npz: expected a file that can be read, got: No such file or directory")


@pytest.mark.parametrize("text", ["", "{", "model: yes", '{"a": 1,}', "[" * 100_000])
def test_manifest_is_not_json(folder, text):
    (folder / "manifest.json").write_text(text)
    refused(folder, "manifest.json: expected JSON, got")


def test_manifest_is_not_text(folder):
    (folder / "manifest.json").write_bytes(b'"\xed\xa0\x80')
    refused(folder, "manifest.json: expected UTF-8 text, got")


@pytest.mark.parametrize("text", ["[]", "3", "null", "{}"])
def test_manifest_is_something_else(folder, text):
    (folder / "manifest.json").write_text(text)
    refused(folder, "manifest.json: expected schema 'bgru-bundle', got nothing")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_archive(folder, share):
    content = (folder / "arrays.npz").read_bytes()
    (folder / "arrays.npz").write_bytes(content[: int(len(content) * share)])
    refused(folder, "arrays.npz: expected a whole .npz archive of plain arrays, got ")


def test_single_array_in_place_of_the_archive(folder):
    with (folder / "arrays.npz").open("wb") as file:
        np.save(file, np.zeros(3))
    refused(folder, "arrays.npz: expected a whole .npz archive of plain arrays, got File is not a zip file")


@given(seed=seeds)
@settings(max_examples=60)
def test_any_damage_to_the_archive_is_refused_or_harmless(seed, tmp_path_factory):
    rng = np.random.default_rng(seed)
    network, folder = random_bundle(rng), tmp_path_factory.mktemp("bundle") / "net"
    write_bundle(network, folder)
    content = bytearray((folder / "arrays.npz").read_bytes())
    for _ in range(int(rng.integers(1, 4))):
        content[int(rng.integers(len(content)))] = int(rng.integers(256))
    (folder / "arrays.npz").write_bytes(content)
    try:
        got = read_bundle(folder)
    except BadInput as error:
        assert str(error).startswith(str(folder)) and "\n" not in str(error)
    else:
        assert_same(network, got)  # say, a byte of a time stamp


# The manifest.


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        ("schema", "onnx", "expected schema 'bgru-bundle', got 'onnx'"),
        ("version", 1, "expected version 3, got 1"),
        ("version", 2, "expected version 3, got 2; `bgru convert "),
        ("version", 4, "expected version 3, got 4"),
        ("version", "3", "expected version 3, got '3'"),
        ("version", 3.0, "version: expected an integer from 1 to 2147483647, got 3.0"),
        ("name", 3, "name: expected text, got 3"),
        ("layers", {}, "layers: expected a list, got {}"),
        ("layers.0", [], "layers[0]: expected an object, got []"),
        ("layers.0.kind", "lstm", "layers[0].kind: expected 'bgru', 'dense' or 'gru', got 'lstm'"),
        ("layers.0.units", 0, "layers[0].units: expected an integer from 1 to 2147483647, got 0"),
        ("layers.0.units", 7.0, "layers[0].units: expected an integer from 1 to 2147483647, got 7.0"),
        ("layers.1.inputs", 10**30, f"layers[1].inputs: expected an integer from 1 to 2147483647, got {10**30}"),
        ("front_end.rms", "loud", "front_end.rms: expected a number, got 'loud'"),
        ("front_end.rms", 10**400, "front_end.rms: expected a number, got 1000"),
        ("front_end.gain_frames", 0, "front_end.gain_frames: expected an integer from 1 to 2147483647, got 0"),
        ("front_end.gain_frames", True, "front_end.gain_frames: expected an integer from 1 to 2147483647, got True"),
        ("front_end.qad_bits", 9, "front_end.qad_bits: expected 1 to 8, got 9"),
        ("front_end.qad_code", "gray", "front_end.qad_code: expected one of binary, thermometer, level, got 'gray'"),
        ("front_end.mask_bits", 0, "front_end.mask_bits: expected an integer from 1 to 2147483647, got 0"),
        ("front_end.window", None, "front_end.window: expected text, got None"),
        ("front_end.window", "hamming", "front_end.window: expected 'hann', got 'hamming'"),
        ("front_end.hop", 8, "front_end.hop: expected 4, a quarter of fft_size, got 8"),
        ("front_end.fft_size", 2048, "front_end.fft_size: expected one of 16, 32, 64, 128, 256, 512, 1024, got 2048"),
        ("front_end.mantissa_bits", 9, "expected (table_bits, fraction_bits, mantissa_bits) of (15, 2, 10) or "),
        ("front_end", 7, "front_end: expected an object, got 7"),
        ("arrays.[gru0.w_sign]", "hash", "arrays.gru0.w_sign: expected an object, got 'hash'"),
        ("arrays.[gru0.w_sign].dtype", "int64", "arrays.gru0.w_sign.dtype: expected 'uint64', got 'int64'"),
        ("arrays.[gru0.w_sign].shape", [3, 7], "arrays.gru0.w_sign.shape: expected [3, 7, 1], got [3, 7]"),
    ],
)
def test_wrong_value_in_the_manifest(folder, where, value, sentence):
    change_manifest(folder, where, value)
    refused(folder, "manifest.json: ", sentence)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("name", "name: expected text, got nothing"),
        ("provenance", "provenance: expected an object, got nothing"),
        ("front_end.hop", "front_end.hop: expected an integer from 1 to 2147483647, got nothing"),
        ("layers.1.kind", "layers[1].kind: expected text, got nothing"),
        ("arrays.[mask.threshold].sha256", "arrays.mask.threshold.sha256: expected text, got nothing"),
        ("front_end.gain_frames", "front_end.gain_frames: expected an integer from 1 to 2147483647, got nothing"),
        ("front_end.qad_code", "front_end.qad_code: expected text, got nothing"),
        ("version", "expected version 3, got nothing"),
    ],
)
def test_missing_key(folder, where, sentence):
    change_manifest(folder, where, remove=True)
    refused(folder, "manifest.json: ", sentence)


@pytest.mark.parametrize(
    ("where", "sentence"),
    [
        ("colour", "colour: unknown key, expected one of schema, version, name,"),
        ("front_end.mel", "front_end.mel: unknown key, expected one of sample_rate, fft_size,"),
        ("layers.0.bias", "layers[0].bias: unknown key, expected one of name, kind, inputs, units"),
        ("arrays.[mask.threshold].md5", "arrays.mask.threshold.md5: unknown key, expected one of dtype, shape, sha256"),
    ],
)
def test_unknown_key(folder, where, sentence):
    change_manifest(folder, where, "anything")
    refused(folder, "manifest.json: ", sentence)


def test_provenance_is_free(folder):
    change_manifest(folder, "provenance", {"any": [{"depth": None}]})
    assert read_bundle(folder).provenance == {"any": [{"depth": None}]}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> tuple[Path, str]:
    """A bundle's folder, and what its manifest was."""
    folder = tmp_path_factory.mktemp("bundle") / "net"
    write_bundle(random_bundle(np.random.default_rng(1)), folder)
    return folder, (folder / "manifest.json").read_text()


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from([10**400, 1, 16, 9]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=4,
)


@given(data=st.data(), value=json_values)
@settings(max_examples=150)
def test_any_value_anywhere_in_the_manifest_is_refused_or_harmless(data, value, good):
    folder, manifest = good
    node = manifest = json.loads(manifest)
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        inner = node[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        node = inner
    node[key] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))
    try:
        read_bundle(folder)
    except BadInput as error:
        assert str(error).startswith(str(folder)) and "\n" not in str(error)


# The arrays.


def test_missing_array(folder):
    change_arrays(folder, rehash=False, gru0__u_nonzero=None)
    refused(folder, "array gru0.u_nonzero: expected it in arrays.npz, got nothing")


def test_array_that_the_manifest_does_not_list(folder):
    change_manifest(folder, "arrays.[gru0.threshold]", remove=True)
    refused(folder, "array gru0.threshold: expected it in manifest.json, got nothing")


@pytest.mark.parametrize("name", ["mask__u_sign", "gru1__w_sign", "notes"])
def test_extra_array(folder, name):
    change_arrays(folder, **{name: np.zeros(3)})
    refused(folder, f"array {name.replace('__', '.')}: not part of this network, expected it to be absent")


def test_extra_entry_in_the_manifest(folder):
    change_manifest(folder, "arrays.[gru0.bias]", {"dtype": "int32", "shape": [7], "sha256": "0" * 64})
    refused(folder, "array gru0.bias: not part of this network, expected it to be absent")


@pytest.mark.parametrize(
    "name",
    ["front_end.keys", "gru0.w_sign", "gru0.u_nonzero", "gru0.threshold", "gru0.initial_state", "mask.threshold"],
)
def test_altered_array(folder, name):
    array = array_of(folder, name).copy()
    array.flat[-1] += 1
    change_arrays(folder, rehash=False, **{name.replace(".", "__"): array})
    refused(folder, f"array {name}: its SHA-256 differs from the manifest's, the bundle was altered")


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (lambda a: a[:, :, :0], "uint64 (3, 7, 0)"),  # truncated
        (lambda a: a[:2], "uint64 (2, 7, 1)"),
        (lambda a: a[0], "uint64 (7, 1)"),
        (lambda a: np.concatenate([a, a], axis=-1), "uint64 (3, 7, 2)"),
        (lambda a: a.astype(np.int64), "int64 (3, 7, 1)"),
        (lambda a: a.astype(np.float64), "float64 (3, 7, 1)"),
        (lambda a: a.astype(">u8"), ">u8 (3, 7, 1)"),
    ],
)
def test_wrong_shape_or_type(folder, change, got):
    change_arrays(folder, gru0__w_sign=change(array_of(folder, "gru0.w_sign")))
    refused(folder, f"array gru0.w_sign: expected uint64 (3, 7, 1), got {got}")


def test_sizes_that_disagree_with_the_arrays(folder):
    change_manifest(folder, "layers.0.units", 8)
    refused(folder, "array gru0.w_sign: expected uint64 (3, 8, 1), got uint64 (3, 7, 1)")


class Malice:
    """Unpickling this would end the test run."""

    def __reduce__(self):
        return (pytest.exit, ("a pickle was loaded",))


def test_pickles_are_never_loaded(folder):
    objects = np.array([Malice()], dtype=object)
    with np.load(folder / "arrays.npz") as stored:
        everything = dict(stored)
    np.savez(folder / "arrays.npz", **(everything | {"gru0.threshold": objects}))
    refused(folder, "array gru0.threshold: expected int32 (3, 7), got object (1,)")


def test_pickle_in_place_of_the_archive_is_never_loaded(folder):
    with (folder / "arrays.npz").open("wb") as file:
        np.lib.format.write_array(file, np.array([Malice()], dtype=object), allow_pickle=True)
    refused(folder, "arrays.npz: expected a whole .npz archive of plain arrays, got ")


def test_member_that_is_no_array(folder):
    with zipfile.ZipFile(folder / "arrays.npz", "a") as archive:
        archive.writestr("readme.txt", "hello")
    refused(folder, "array readme.txt: not part of this network")


def test_member_of_raw_bytes(folder):
    content = io.BytesIO()
    with zipfile.ZipFile(folder / "arrays.npz") as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, b"raw bytes" if name == "gru0.threshold.npy" else old.read(name))
    (folder / "arrays.npz").write_bytes(content.getvalue())
    refused(folder, "array gru0.threshold: expected a whole .npy file of numbers, got the magic string is not correct")


def test_header_that_claims_the_impossible(folder):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<i4", "fortran_order": False, "shape": (10**9, 10**6)})
    content = io.BytesIO()
    with zipfile.ZipFile(folder / "arrays.npz") as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            new.writestr(name, header.getvalue() if name == "gru0.threshold.npy" else old.read(name))
    (folder / "arrays.npz").write_bytes(content.getvalue())
    refused(folder, "array gru0.threshold: expected int32 (3, 7), got int32 (1000000000, 1000000)")


def test_padding_bits_must_be_zero(folder):
    for name, width, rest in (
        ("gru0.w_sign", 18, "columns"),
        ("gru0.w_nonzero", 18, "columns"),
        ("gru0.u_sign", 7, "columns"),
        ("mask.w_nonzero", 7, "columns"),
        ("gru0.initial_state", 7, "units"),
    ):
        good = array_of(folder, name)
        bad = good.copy()
        bad.flat[0] |= np.uint64(1 << width)
        change_arrays(folder, **{name.replace(".", "__"): bad})
        refused(folder, f"array {name}: expected zero bits beyond {width} {rest}")
        change_arrays(folder, **{name.replace(".", "__"): good})
    assert read_bundle(folder)


@pytest.mark.parametrize("plane", ["gru0.w", "gru0.u", "mask.w"])
def test_sign_must_be_zero_where_the_weight_is(folder, plane):
    nonzero = array_of(folder, f"{plane}_nonzero").copy()
    sign = array_of(folder, f"{plane}_sign").copy()
    nonzero.flat[0] &= ~np.uint64(1)
    sign.flat[0] |= np.uint64(1)
    key = plane.replace(".", "__")
    change_arrays(folder, **{f"{key}_nonzero": nonzero, f"{key}_sign": sign})
    refused(folder, f"array {plane}_sign: expected 0 where {plane[-1]}_nonzero is 0")


# What must hold of the network, read or made.


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ([50, 40, 60], "expected non-negative, non-decreasing rows"),
        ([-1, 40, 60], "expected non-negative, non-decreasing rows"),
        ([1, 2, 2**17], "expected keys below 2^17, got 131072"),
    ],
)
def test_keys_that_cannot_be(folder, row, sentence):
    keys = array_of(folder, "front_end.keys").copy()
    keys[2] = row
    change_arrays(folder, front_end__keys=keys)
    refused(folder, f"array front_end.keys: {sentence}")


@pytest.mark.parametrize(
    ("where", "value", "sentence"),
    [
        ("front_end.rms", 0, "front_end.rms: expected a level from 2^-15 to 1 (full scale), got 0.0"),
        ("front_end.rms", float("nan"), "front_end.rms: expected a level from 2^-15 to 1 (full scale), got nan"),
        ("front_end.rms", 1e200, "front_end.rms: expected a level from 2^-15 to 1 (full scale), got 1e+200"),
        ("front_end.gain_frames", 63, "front_end.gain_frames: expected a power of two from 1 to 4096, got 63"),
        ("front_end.qad_code", "thermometer", "array front_end.keys: expected int32 (9, 2), got int32 (9, 3)"),
        ("front_end.mask_bits", 2, "layer mask: expected 18 units (mask_bits per bin), got 9"),
        ("layers.1.name", "gru0", "array mask.threshold: not part of this network"),
        ("layers", [], "array gru0.initial_state: not part of this network"),
    ],
)
def test_front_end_and_layers_that_cannot_work(folder, where, value, sentence):
    change_manifest(folder, where, value)
    refused(folder, sentence)


def made(*layers: Layer, front_end: FrontEnd | None = None) -> Bundle:
    return Bundle("made", front_end or random_front_end(np.random.default_rng(0), 5), layers)


def test_no_layers():
    with pytest.raises(BadInput, match=r"^layers: expected at least one layer, got none$"):
        made()


@pytest.mark.parametrize("names", [("a", "a"), ("a", "b c"), ("a.b", "c"), ("", "c")])
def test_layer_names_are_distinct_identifiers(names):
    rng = np.random.default_rng(0)
    layers = [random_layer(rng, "dense", 5, 5, name=name) for name in names]
    with pytest.raises(
        BadInput, match=r"^layers: expected distinct names of a-z, 0-9 and _, beginning with a letter, got "
    ):
        made(*layers)


def test_layers_fit_one_another():
    rng = np.random.default_rng(0)
    first, second = random_layer(rng, "bgru", 5, 6, name="gru0"), random_layer(rng, "dense", 7, 5, name="mask")
    with pytest.raises(BadInput, match=r"^layer mask: expected 6 inputs \(the units of gru0\), got 7$"):
        made(first, second)


def test_first_layer_fits_the_features():
    layer = random_layer(np.random.default_rng(0), "dense", 6, 5, name="mask")
    with pytest.raises(BadInput, match=r"^layer mask: expected 5 inputs \(the front end's features\), got 6$"):
        made(layer)


def test_last_layer_has_the_units_that_the_mask_has_per_bin():
    rng = np.random.default_rng(0)
    with pytest.raises(BadInput, match=r"^layer mask: expected 5 units \(mask_bits per bin\), got 6$"):
        made(random_layer(rng, "dense", 5, 6, name="mask"))
    three = replace(random_front_end(rng, 5), mask_bits=3)
    with pytest.raises(BadInput, match=r"^layer mask: expected 15 units \(mask_bits per bin\), got 5$"):
        made(random_layer(rng, "dense", 5, 5, name="mask"), front_end=three)
    made(random_layer(rng, "dense", 5, 15, name="mask"), front_end=three)


def test_made_layers_are_checked_like_read_ones():
    good = random_layer(np.random.default_rng(0), "dense", 5, 5, name="mask")
    sign = good.w.sign | pack(np.eye(64, dtype=np.uint8)[5])
    with pytest.raises(BadInput, match=r"^array mask.w_sign: expected zero bits beyond 5 columns$"):
        made(Layer("mask", "dense", 5, 5, Matrix(sign, good.w.nonzero, 5), good.threshold))


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "x" * 65])
def test_a_name_that_is_no_plain_folder_name_is_refused(name):
    good = random_bundle(np.random.default_rng(0))
    with pytest.raises(BadInput, match=r"^name: expected letters, digits, "):
        Bundle(name, good.front_end, good.layers)


def test_a_bundles_identity_is_that_of_its_bits_not_of_its_name_or_history():
    made = random_bundle(np.random.default_rng(0))
    assert len(made.identity) == 8
    assert replace(made, name="other", provenance={"x": 1}).identity == made.identity
    for index, layer in enumerate(made.layers):
        threshold = layer.threshold.copy()
        threshold.flat[0] += 1
        layers = (*made.layers[:index], replace(layer, threshold=threshold), *made.layers[index + 1 :])
        assert replace(made, layers=layers).identity != made.identity
    for changed in ({"rms": 0.2}, {"gain_frames": 63}, {"code": "thermometer"}):
        assert replace(made, front_end=replace(made.front_end, **changed)).identity != made.identity
