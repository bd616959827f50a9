"""Bundles on disk, changed on purpose, and what reading them says."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.bundle.bundle import Bundle
from model.bundle.identity import digest
from model.bundle.read import read_bundle
from model.errors import BadInput

__all__ = ["array_of", "assert_same", "change_arrays", "change_manifest", "manifest_of", "refused"]


def refused(folder: Path, *parts: str) -> None:
    """Reading fails in one sentence which begins with the bundle's path and has all the parts, in order."""
    with pytest.raises(BadInput) as caught:
        read_bundle(folder)
    message = str(caught.value)
    assert message.startswith(str(folder)) and "\n" not in message
    rest = message[len(str(folder)) :]
    for part in parts:
        before, found, rest = rest.partition(part)
        assert found, f"expected {part!r} in {before!r} of {message!r}"


def manifest_of(folder: Path) -> dict:
    return json.loads((folder / "manifest.json").read_text())


def change_manifest(folder: Path, where: str, value: object = None, remove: bool = False) -> None:
    """Set or remove `a.b.0.c` of the manifest; array names have dots and come in brackets: `arrays.[x.y]`."""
    manifest = node = manifest_of(folder)
    head, _, array = where.partition("[")
    array, _, tail = array.partition("]")
    keys = [*head.strip(".").split("."), *([array] if array else []), *tail.strip(".").split(".")]
    path = [int(key) if key.isdigit() else key for key in keys if key]
    for key in path[:-1]:
        node = node[key]
    if remove:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    (folder / "manifest.json").write_text(json.dumps(manifest))


def change_arrays(folder: Path, rehash: Any = True, **arrays: Any) -> None:
    """Replace arrays, or drop them (None); with `rehash`, the manifest agrees with what is there."""
    with np.load(folder / "arrays.npz") as stored:
        everything = dict(stored)
    manifest = manifest_of(folder)
    for key, array in arrays.items():
        name = key.replace("__", ".")
        everything.pop(name, None)
        if array is not None:
            everything[name] = array
        if rehash:
            manifest["arrays"].pop(name, None)
            if array is not None:
                sha256 = digest(array)
                entry = {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": sha256}
                manifest["arrays"][name] = entry
    np.savez(folder / "arrays.npz", **everything)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def array_of(folder: Path, name: str) -> np.ndarray:
    with np.load(folder / "arrays.npz") as stored:
        return stored[name]


def assert_same(one: Bundle, other: Bundle) -> None:
    def parts(of: Bundle) -> list:
        end = of.front_end
        fields = [of.name, of.provenance, end.sample_rate, end.fft_size, end.hop, end.rms]
        fields += [end.gain_frames, end.code, end.bits, end.mask_bits]
        fields += [end.table_bits, end.fraction_bits, end.mantissa_bits]
        return fields + [(layer.name, layer.kind, layer.inputs, layer.units) for layer in of.layers]

    assert parts(one) == parts(other)
    assert np.array_equal(one.front_end.keys, other.front_end.keys)
    for left, right in zip(one.layers, other.layers, strict=True):
        arrays, read = left.arrays, right.arrays
        assert arrays.keys() == read.keys()
        for name, array in arrays.items():
            assert array.dtype == read[name].dtype
            assert np.array_equal(array, read[name])
