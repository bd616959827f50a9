"""Read a bundle and check all of it before use.

Nothing is unpickled. Anything missing, extra, altered or out of range is refused in one sentence that names it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from model.bundle.archive import names, open_archive, read_array, read_text
from model.bundle.bundle import Bundle
from model.bundle.formats import MOST_BITS, WEIGHT_FORMATS, Format
from model.bundle.front_end import CODES, SIZES, WINDOW, WORD_LENGTHS, FrontEnd, limits_of
from model.bundle.identity import digest
from model.bundle.integer_layers import IntegerLayer, integer_shapes
from model.bundle.layers import Array, Layer, layer_shapes
from model.bundle.matrices import Matrix
from model.bundle.write import SCHEMA, VERSION
from model.errors import BadInput

__all__ = ["read_bundle"]

LARGEST = 2**31 - 1
POSITIVE = f"an integer from 1 to {LARGEST}"


def read_bundle(folder: Path) -> Bundle:
    """Read and check a bundle. Raises `BadInput` with the field, what was expected and what was found."""
    manifest = _read_manifest(folder)
    arrays = _read_arrays(folder, manifest)
    entry = manifest["front_end"]
    front_end = FrontEnd(
        sample_rate=entry["sample_rate"],
        fft_size=entry["fft_size"],
        rms=float(entry["rms"]),
        keys=arrays["front_end.keys"],
        gain_frames=entry["gain_frames"],
        code=entry["qad_code"],
        mask_bits=entry["mask_bits"],
        table_bits=entry["table_bits"],
        fraction_bits=entry["fraction_bits"],
        mantissa_bits=entry["mantissa_bits"],
        feature_bits=entry["qad_bits"] if entry["qad_code"] == "level" else 1,
        gain_bits=entry.get("gain_bits", 1),
    )
    layers = tuple(_layer(item, arrays) for item in manifest["layers"])
    try:
        front_end.check()
        return Bundle(manifest["name"], front_end, layers, manifest["provenance"])
    except BadInput as error:
        raise BadInput(f"{folder}: {error}") from None


def _layer(entry: Mapping[str, Any], arrays: Mapping[str, Array]) -> Layer | IntegerLayer:
    name, kind, inputs, units = entry["name"], entry["kind"], entry["inputs"], entry["units"]
    own = {key: arrays[f"{name}.{key}"] for key in _shapes(entry)}
    if "format" in entry:
        return IntegerLayer(name, kind, inputs, units, _format(entry), **own)
    recurrent = kind == "bgru"
    return Layer(
        name=name,
        kind=kind,
        inputs=inputs,
        units=units,
        w=Matrix(own["w_sign"], own["w_nonzero"], inputs),
        threshold=own["threshold"],
        u=Matrix(own["u_sign"], own["u_nonzero"], units) if recurrent else None,
        initial_state=own["initial_state"] if recurrent else None,
    )


def _format(entry: Mapping[str, Any]) -> Format:
    given = entry["format"]
    formats = [WEIGHT_FORMATS[given[key]] for key in ("w", "u") if key in given]
    return Format(given["input_bits"], given["output_bits"], *formats)


def _shapes(entry: Mapping[str, Any]) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    size = entry["kind"], entry["inputs"], entry["units"]
    return integer_shapes(*size, _format(entry)) if "format" in entry else layer_shapes(*size)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.exists():
        raise BadInput(f"{folder}: expected a bundle (a folder with manifest.json and arrays.npz), found none")
    try:
        manifest = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: expected JSON, got {error}") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BadInput(f"{path}: expected schema {SCHEMA!r}, got {_show(manifest, 'schema')}")
    if manifest.get("version") == 2:
        raise BadInput(f"{path}: expected version {VERSION}, got 2; `bgru convert {folder}` converts it exactly")
    if manifest.get("version") != VERSION:
        raise BadInput(f"{path}: expected version {VERSION}, got {_show(manifest, 'version')}")
    text, number, positive = ("text", str), ("a number", (int, float)), (POSITIVE, int)
    _check_object(
        path,
        "",
        manifest,
        {
            "schema": text,
            "version": positive,
            "name": text,
            "front_end": ("an object", dict),
            "layers": ("a list", list),
            "arrays": ("an object", dict),
            "provenance": ("an object", dict),
        },
    )
    _check_object(
        path,
        "front_end.",
        manifest["front_end"],
        {
            "sample_rate": positive,
            "fft_size": positive,
            "hop": positive,
            "window": text,
            "rms": number,
            "gain_frames": positive,
            "qad_bits": positive,
            "qad_code": text,
            "mask_bits": positive,
            "table_bits": positive,
            "fraction_bits": positive,
            "mantissa_bits": positive,
        },
        {"gain_bits": positive},
    )
    _check_front_end(path, manifest["front_end"])
    for index, layer in enumerate(manifest["layers"]):
        where = f"layers[{index}]."
        keys = {"name": text, "kind": text, "inputs": positive, "units": positive}
        _check_object(path, where, layer, keys, {"format": ("an object", dict)})
        if layer["kind"] not in ("bgru", "dense", "gru"):
            raise BadInput(f"{path}: {where}kind: expected 'bgru', 'dense' or 'gru', got {layer['kind']!r}")
        if "format" in layer or layer["kind"] == "gru":
            _check_format(path, where, layer)
    return manifest


def _check_format(path: Path, where: str, layer: Mapping[str, Any]) -> None:
    if "format" not in layer or layer["kind"] == "bgru":
        expected = "no format" if layer["kind"] == "bgru" else "an object"
        raise BadInput(
            f"{path}: {where}format: expected {expected} in a {layer['kind']} layer, got {_show(layer, 'format')}"
        )
    weights = ("w", "u") if layer["kind"] == "gru" else ("w",)
    bits, where = (f"an integer from 1 to {MOST_BITS}", int), f"{where}format."
    keys = {"input_bits": bits, "output_bits": bits} | dict.fromkeys(weights, ("text", str))
    _check_object(path, where, layer["format"], keys)
    for key, good, expected in (
        *((key, 1 <= layer["format"][key] <= MOST_BITS, bits[0]) for key in ("input_bits", "output_bits")),
        *((key, layer["format"][key] in WEIGHT_FORMATS, f"one of {', '.join(WEIGHT_FORMATS)}") for key in weights),
    ):
        if not good:
            raise BadInput(f"{path}: {where}{key}: expected {expected}, got {layer['format'][key]!r}")


def _check_front_end(path: Path, entry: Mapping[str, Any]) -> None:
    words = tuple(entry[key] for key in ("table_bits", "fraction_bits", "mantissa_bits"))
    quarter = entry["fft_size"] // 4
    for key, good, expected in (
        ("window", entry["window"] == WINDOW, repr(WINDOW)),
        ("fft_size", entry["fft_size"] in SIZES, f"one of {', '.join(map(str, SIZES))}"),
        ("hop", entry["hop"] == quarter, f"{quarter}, a quarter of fft_size"),
        ("qad_code", entry["qad_code"] in CODES, f"one of {', '.join(CODES)}"),
        ("qad_bits", entry["qad_bits"] <= MOST_BITS, f"1 to {MOST_BITS}"),
        ("gain_bits", entry.get("gain_bits", 1) <= MOST_BITS, f"1 to {MOST_BITS}"),
    ):
        if not good:
            raise BadInput(f"{path}: front_end.{key}: expected {expected}, got {entry[key]!r}")
    if words not in WORD_LENGTHS:
        choices = " or ".join(str(choice) for choice in WORD_LENGTHS)
        raise BadInput(
            f"{path}: front_end: expected (table_bits, fraction_bits, mantissa_bits) of {choices}, got {words}"
        )


def _check_object(
    path: Path,
    where: str,
    value: Any,
    keys: Mapping[str, tuple[str, Any]],
    optional: Mapping[str, tuple[str, Any]] = MappingProxyType({}),
) -> None:
    if not isinstance(value, dict):
        raise BadInput(f"{path}: {where.rstrip('.')}: expected an object, got {value!r}")
    known = {**keys, **optional}
    for key in value:
        if key not in known:
            raise BadInput(f"{path}: {where}{key}: unknown key, expected one of {', '.join(known)}")
    for key, (expected, types) in known.items():
        if key not in value and key in optional:
            continue
        if key not in value:
            raise BadInput(f"{path}: {where}{key}: expected {expected}, got nothing")
        item = value[key]
        wrong = not isinstance(item, types) or isinstance(item, bool)
        wrong = wrong or (isinstance(item, int) and not (1 if expected == POSITIVE else -LARGEST) <= item <= LARGEST)
        if wrong:
            raise BadInput(f"{path}: {where}{key}: expected {expected}, got {item!r}")


def _show(manifest: Any, key: str) -> str:
    return repr(manifest[key]) if isinstance(manifest, dict) and key in manifest else "nothing"


def _read_arrays(folder: Path, manifest: dict[str, Any]) -> dict[str, Array]:
    front_end = manifest["front_end"]
    bins, levels = front_end["fft_size"] // 2 + 1, limits_of(front_end["qad_code"], front_end["qad_bits"])
    expected: dict[str, tuple[str, tuple[int, ...]]] = {"front_end.keys": ("int32", (bins, levels))}
    for layer in manifest["layers"]:
        expected |= {f"{layer['name']}.{key}": shape for key, shape in _shapes(layer).items()}
    listed = manifest["arrays"]
    with open_archive(folder / "arrays.npz") as archive:
        there = names(archive)
        for name in sorted(there | set(listed) | set(expected)):
            if name not in expected:
                raise BadInput(f"{folder}: array {name}: not part of this network, expected it to be absent")
            if name not in there or name not in listed:
                missing = "arrays.npz" if name not in there else "manifest.json"
                raise BadInput(f"{folder}: array {name}: expected it in {missing}, got nothing")
        arrays = {name: read_array(archive, name, dtype, shape) for name, (dtype, shape) in expected.items()}
    for name, (dtype, shape) in expected.items():
        entry, where = listed[name], f"arrays.{name}."
        keys = {"dtype": ("text", str), "shape": ("a list", list), "sha256": ("text", str)}
        _check_object(folder / "manifest.json", where, entry, keys)
        for key, value in (("dtype", dtype), ("shape", list(shape))):
            if entry[key] != value:
                raise BadInput(f"{folder / 'manifest.json'}: {where}{key}: expected {value!r}, got {entry[key]!r}")
        if entry["sha256"] != digest(arrays[name]):
            raise BadInput(f"{folder}: array {name}: its SHA-256 differs from the manifest's, the bundle was altered")
    return arrays
