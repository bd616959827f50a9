"""Conversion from version 2: thresholds become the keys that they are, once, and nothing else changes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from model.bundle.audio_constants import threshold_keys
from model.bundle.bundle import Bundle
from model.bundle.front_end import WORD_LENGTHS
from model.bundle.identity import digest
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from tests.support.command import bgru
from tests.support.random_bundles import audible, bundles, random_bundle

THRESHOLDS = "front_end.thresholds"


def thresholds_of(network: Bundle) -> np.ndarray:
    """Any magnitudes, the extremes among them."""
    shape = network.front_end.keys.shape
    found = np.random.default_rng(0).gamma(1, 0.3, shape).astype(np.float32)
    found[0, 0], found[-1, -1] = 0.0, 1e30
    return np.sort(found, axis=1)


def write_version_2(network: Bundle, folder: Path, thresholds: np.ndarray) -> None:
    """As version 2 had it: magnitudes for keys, and no word lengths."""
    write_bundle(network, folder)
    manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    with np.load(folder / "arrays.npz") as stored:
        arrays = {name: array for name, array in stored.items() if name != "front_end.keys"}
    for name in ("table_bits", "fraction_bits", "mantissa_bits"):
        del manifest["front_end"][name]
    del manifest["arrays"]["front_end.keys"]
    entry = {"dtype": thresholds.dtype.name, "shape": list(thresholds.shape), "sha256": digest(thresholds)}
    manifest["arrays"][THRESHOLDS] = entry
    manifest["version"] = 2
    (folder / "manifest.json").write_text(json.dumps(manifest))
    np.savez(folder / "arrays.npz", allow_pickle=False, **arrays, **{THRESHOLDS: thresholds})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    network = random_bundle(np.random.default_rng(1), qad_bits=2)
    write_version_2(network, tmp_path / "net", thresholds_of(network))
    return tmp_path / "net"


@given(network=bundles(audible))
@settings(max_examples=20)
def test_thresholds_become_keys_and_all_else_stays(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("old") / "net"
    thresholds = thresholds_of(network)
    write_version_2(network, folder, thresholds)
    (folder / "README.md").write_text("card")
    assert bgru("convert", folder).exit_code == 0
    got = read_bundle(folder)
    _, fraction_bits, mantissa_bits = WORD_LENGTHS[0]
    assert np.array_equal(got.front_end.keys, threshold_keys(thresholds, fraction_bits, mantissa_bits))
    assert (got.name, got.provenance) == (network.name, network.provenance)
    for old, new in zip(network.layers, got.layers, strict=True):
        arrays = new.arrays
        assert all(np.array_equal(array, arrays[name]) for name, array in old.arrays.items())
    assert (folder / "README.md").read_text() == "card"


def test_a_bundle_of_version_2_is_refused_with_the_command_that_converts_it(folder):
    with pytest.raises(BadInput, match=rf"expected version 3, got 2; `bgru convert {folder}` converts it exactly$"):
        read_bundle(folder)


def change(folder: Path, **entries: object) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["front_end"] |= entries
    (folder / "manifest.json").write_text(json.dumps(manifest))


def another_hop(folder: Path) -> None:
    change(folder, hop=8)


def another_window(folder: Path) -> None:
    change(folder, window="blackman")


def another_gain(folder: Path) -> None:
    change(folder, gain_frames=63)


def altered(folder: Path) -> None:
    with np.load(folder / "arrays.npz") as stored:
        arrays = dict(stored)
    arrays[THRESHOLDS] = arrays[THRESHOLDS] + np.float32(1)
    np.savez(folder / "arrays.npz", **arrays)


def converted(folder: Path) -> None:
    assert bgru("convert", folder).exit_code == 0


def cut(folder: Path) -> None:
    path = folder / "arrays.npz"
    path.write_bytes(path.read_bytes()[:900])


def no_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (another_hop, "front_end.hop: expected 4, a quarter of fft_size, got 8"),
        (another_window, "front_end.window: expected 'hann', got 'blackman'"),
        (another_gain, "front_end.gain_frames: expected a power of two from 1 to 4096, got 63"),
        (altered, f"array {THRESHOLDS}: expected the manifest's finite, non-negative float32, got others"),
        (converted, "manifest.json: expected version 2, got 3"),
        (cut, "arrays.npz: expected a whole .npz archive of plain arrays, got "),
        (no_manifest, "manifest.json: expected a file that can be read, got: No such file or directory"),
    ],
)
def test_what_cannot_be_converted_is_refused_in_one_sentence_and_stays_as_it_is(folder, spoil, sentence):
    spoil(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    result = bgru("convert", folder)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"error: {folder}") and sentence in result.stderr and result.stderr.count("\n") == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
