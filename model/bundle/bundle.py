"""The bundle: everything the hardware needs of a network, and nothing that it doesn't.

A bundle is a folder with two files. `manifest.json` says what the network is, where it came from and the
SHA-256 of every array; `arrays.npz` holds the arrays. It is read without pickle and checked completely
before use: whatever is missing, extra, altered or out of range is refused in one sentence that names it.
The format is described for writers of other programs in docs/bundle.md.
"""

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import Words, pack, padding_is_zero, unpack, words_for
from model.errors import BadInput
from model.files import replacing_folder
from model.reference.front_end import CODES, FrontEnd, limits_of

SCHEMA = "bgru-bundle"
VERSION = 2
FILES = ("manifest.json", "arrays.npz")

LARGEST = 2**31 - 1
POSITIVE = f"an integer from 1 to {LARGEST}"

Kind = Literal["bgru", "dense"]
Array = NDArray[Any]
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""What a layer may be called: it becomes part of names in Verilog and of file names."""
FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""What a bundle may be called: its results go into a folder of that name."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """A ternary matrix, (..., rows, columns), as two packed planes (..., rows, words).

    `sign` has a 1 for +1; `nonzero` has a 0 where the weight is 0, and there `sign` is 0 too.
    """

    sign: Words
    nonzero: Words
    columns: int

    @classmethod
    def from_values(cls, values: NDArray[np.integer[Any]]) -> "Matrix":
        """From an integer array of -1, 0 and +1, shape (..., rows, columns)."""
        return cls(pack(values > 0), pack(values != 0), values.shape[-1])

    def values(self) -> NDArray[np.int8]:
        """The weights as -1, 0, +1 (int8), shape (..., rows, columns)."""
        sign = unpack(self.sign, self.columns).astype(np.int8)
        nonzero = unpack(self.nonzero, self.columns).astype(np.int8)
        return (2 * sign - 1) * nonzero


@dataclass(frozen=True, eq=False)
class Layer:
    """One layer, in the notation of docs/exact-meaning.md.

    kind "bgru": `w` is (3, units, inputs), `u` (3, units, units), `threshold` (3, units), all in the order
    r, z, h; `initial_state` is units bits, packed. kind "dense": `w` is (units, inputs), `threshold`
    (units,); `u` and `initial_state` are None.
    """

    name: str
    kind: Kind
    inputs: int
    units: int
    w: Matrix
    threshold: NDArray[np.int32]
    u: Matrix | None = None
    initial_state: Words | None = None

    @property
    def columns(self) -> int:
        """Columns of its widest matrix."""
        return max(self.inputs, self.units) if self.kind == "bgru" else self.inputs

    @property
    def binary(self) -> bool:
        """Whether no weight of it is 0."""
        return bool(self.w.values().all() and (self.u is None or self.u.values().all()))

    @property
    def weights(self) -> int:
        """Number of weights, zeros included."""
        return self.units * (3 * (self.inputs + self.units) if self.kind == "bgru" else self.inputs)


@dataclass(frozen=True, eq=False)
class Bundle:
    """A front end, an ordered list of layers, and where they came from (free-form JSON)."""

    name: str
    front_end: FrontEnd
    layers: tuple[Layer, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def weights(self) -> int:
        """Number of weights of all layers, zeros included."""
        return sum(layer.weights for layer in self.layers)

    @property
    def identity(self) -> bytes:
        """Eight bytes by which hardware says which network it has: equal for bundles that differ in no bit of it.

        The first of the SHA-256 of what the manifest says of the front end, the layers and their arrays; a bundle's
        name and where it came from are no part of it.
        """
        return hashlib.sha256(json.dumps(_network_entries(self), sort_keys=True).encode()).digest()[:8]


# What arrays a bundle has: one table for writing, reading and checking.


def _layer_shapes(kind: str, inputs: int, units: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    into, own = words_for(inputs), words_for(units)
    if kind == "dense":
        return {
            "w_sign": ("uint64", (units, into)),
            "w_nonzero": ("uint64", (units, into)),
            "threshold": ("int32", (units,)),
        }
    return {
        "w_sign": ("uint64", (3, units, into)),
        "w_nonzero": ("uint64", (3, units, into)),
        "u_sign": ("uint64", (3, units, own)),
        "u_nonzero": ("uint64", (3, units, own)),
        "threshold": ("int32", (3, units)),
        "initial_state": ("uint64", (own,)),
    }


def _layer_arrays(layer: Layer) -> dict[str, Array]:
    arrays: dict[str, Array] = {"w_sign": layer.w.sign, "w_nonzero": layer.w.nonzero}
    if layer.u is not None and layer.initial_state is not None:
        arrays |= {"u_sign": layer.u.sign, "u_nonzero": layer.u.nonzero, "initial_state": layer.initial_state}
    return arrays | {"threshold": layer.threshold}


def _digest(array: Array) -> str:
    little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def _arrays(bundle: Bundle) -> dict[str, Array]:
    arrays: dict[str, Array] = {"front_end.thresholds": bundle.front_end.thresholds}
    for layer in bundle.layers:
        arrays |= {f"{layer.name}.{key}": array for key, array in _layer_arrays(layer).items()}
    return arrays


def _network_entries(bundle: Bundle) -> dict[str, Any]:
    """The manifest's entries that say what the network is."""
    front_end = bundle.front_end
    return {
        "front_end": {
            "sample_rate": front_end.sample_rate,
            "fft_size": front_end.fft_size,
            "hop": front_end.hop,
            "window": front_end.window,
            "rms": front_end.rms,
            "gain_frames": front_end.gain_frames,
            "qad_bits": front_end.bits,
            "qad_code": front_end.code,
            "mask_bits": front_end.mask_bits,
        },
        "layers": [
            {"name": layer.name, "kind": layer.kind, "inputs": layer.inputs, "units": layer.units}
            for layer in bundle.layers
        ],
        "arrays": {
            name: {"dtype": array.dtype.name, "shape": list(array.shape), "sha256": _digest(array)}
            for name, array in _arrays(bundle).items()
        },
    }


def write(bundle: Bundle, folder: Path) -> None:
    """Write `folder/manifest.json` and `folder/arrays.npz`, replacing an older bundle in one step."""
    manifest = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": bundle.name,
        **_network_entries(bundle),
        "provenance": bundle.provenance,
    }
    # A model card stays with its bundle; a folder that holds folders is no bundle's.
    others = [path for path in folder.iterdir() if path.name not in FILES] if folder.is_dir() else []
    for other in others:
        if other.is_dir():
            raise BadInput(f"{folder}: expected a new folder or a bundle's, got one with the folder {other.name} in it")
    with replacing_folder(folder) as temporary:
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        np.savez_compressed(temporary / "arrays.npz", allow_pickle=False, **_arrays(bundle))
        for other in others:
            (temporary / other.name).write_bytes(other.read_bytes())


def read(folder: Path) -> Bundle:
    """Read and check a bundle. Raises `BadInput` naming the field, what was expected and what came."""
    manifest = _read_manifest(folder)
    arrays = _read_arrays(folder, manifest)
    entry = manifest["front_end"]
    front_end = FrontEnd(
        sample_rate=entry["sample_rate"],
        fft_size=entry["fft_size"],
        hop=entry["hop"],
        window=entry["window"],
        rms=float(entry["rms"]),
        thresholds=arrays["front_end.thresholds"],
        gain_frames=entry["gain_frames"],
        code=entry["qad_code"],
        mask_bits=entry["mask_bits"],
    )
    layers = []
    for item in manifest["layers"]:
        name, kind, inputs, units = item["name"], item["kind"], item["inputs"], item["units"]
        own = {key: arrays[f"{name}.{key}"] for key in _layer_shapes(kind, inputs, units)}
        recurrent = kind == "bgru"
        layers.append(
            Layer(
                name=name,
                kind=kind,
                inputs=inputs,
                units=units,
                w=Matrix(own["w_sign"], own["w_nonzero"], inputs),
                threshold=own["threshold"],
                u=Matrix(own["u_sign"], own["u_nonzero"], units) if recurrent else None,
                initial_state=own["initial_state"] if recurrent else None,
            )
        )
    try:
        return Bundle(manifest["name"], front_end, tuple(layers), manifest["provenance"])
    except BadInput as error:
        raise BadInput(f"{folder}: {error}") from None


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    if not path.is_file():
        raise BadInput(f"{folder}: expected a bundle (a folder with manifest.json and arrays.npz), found none")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: expected JSON, got {error}") from None
    if not isinstance(manifest, dict) or manifest.get("schema") != SCHEMA:
        raise BadInput(f"{path}: expected schema {SCHEMA!r}, got {_show(manifest, 'schema')}")
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
        },
    )
    if manifest["front_end"]["qad_code"] not in CODES:
        got = _show(manifest["front_end"], "qad_code")
        raise BadInput(f"{path}: front_end.qad_code: expected {' or '.join(CODES)}, got {got}")
    if manifest["front_end"]["qad_bits"] > 8:
        raise BadInput(f"{path}: front_end.qad_bits: expected 1 to 8, got {manifest['front_end']['qad_bits']}")
    for index, layer in enumerate(manifest["layers"]):
        _check_object(
            path, f"layers[{index}].", layer, {"name": text, "kind": text, "inputs": positive, "units": positive}
        )
        if layer["kind"] not in ("bgru", "dense"):
            raise BadInput(f"{path}: layers[{index}].kind: expected 'bgru' or 'dense', got {layer['kind']!r}")
    return manifest


def _check_object(path: Path, where: str, value: Any, keys: Mapping[str, tuple[str, Any]]) -> None:
    if not isinstance(value, dict):
        raise BadInput(f"{path}: {where.rstrip('.')}: expected an object, got {value!r}")
    for key in value:
        if key not in keys:
            raise BadInput(f"{path}: {where}{key}: unknown key, expected one of {', '.join(keys)}")
    for key, (expected, types) in keys.items():
        if key not in value:
            raise BadInput(f"{path}: {where}{key}: expected {expected}, got nothing")
        item = value[key]
        wrong = not isinstance(item, types) or isinstance(item, bool)
        wrong = wrong or (isinstance(item, int) and not (1 if expected == POSITIVE else -LARGEST) <= item <= LARGEST)
        if wrong:
            raise BadInput(f"{path}: {where}{key}: expected {expected}, got {item!r}")


def _show(manifest: Any, key: str) -> str:
    return repr(manifest[key]) if isinstance(manifest, dict) and key in manifest else "nothing"


NOT_AN_ARCHIVE = (OSError, ValueError, EOFError, KeyError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
"""What NumPy and zipfile raise on damaged archives, encrypted ones, and headers that claim the impossible."""


def _read_arrays(folder: Path, manifest: dict[str, Any]) -> dict[str, Array]:
    path = folder / "arrays.npz"
    front_end = manifest["front_end"]
    bins, levels = front_end["fft_size"] // 2 + 1, limits_of(front_end["qad_code"], front_end["qad_bits"])
    expected: dict[str, tuple[str, tuple[int, ...]]] = {"front_end.thresholds": ("float32", (bins, levels))}
    for layer in manifest["layers"]:
        shapes = _layer_shapes(layer["kind"], layer["inputs"], layer["units"])
        expected |= {f"{layer['name']}.{key}": shape for key, shape in shapes.items()}
    listed = manifest["arrays"]
    arrays: dict[str, Array] = {}
    try:
        archive = np.load(path, allow_pickle=False)
        if not isinstance(archive, np.lib.npyio.NpzFile):
            raise BadInput(f"{path}: expected a .npz archive, got a single array")
        with archive as stored:
            names = set(stored.files)
            for name in sorted(names | set(listed) | set(expected)):
                if name not in expected:
                    raise BadInput(f"{folder}: array {name}: not part of this network, expected it to be absent")
                if name not in names or name not in listed:
                    missing = "arrays.npz" if name not in names else "manifest.json"
                    raise BadInput(f"{folder}: array {name}: expected it in {missing}, got nothing")
                arrays[name] = stored[name]
    except FileNotFoundError:
        raise BadInput(f"{path}: expected the bundle's arrays, found no file") from None
    except NOT_AN_ARCHIVE as error:
        raise BadInput(f"{path}: expected a whole .npz archive of plain arrays, got {error}") from None
    for name, (dtype, shape) in expected.items():
        array, entry = arrays[name], listed[name]
        if not isinstance(array, np.ndarray):
            raise BadInput(f"{folder}: array {name}: expected {dtype} {shape}, got {len(array)} bytes of no .npy file")
        if array.dtype != np.dtype(dtype) or array.shape != shape:
            raise BadInput(f"{folder}: array {name}: expected {dtype} {shape}, got {array.dtype} {array.shape}")
        where = f"arrays.{name}."
        keys = {"dtype": ("text", str), "shape": ("a list", list), "sha256": ("text", str)}
        _check_object(folder / "manifest.json", where, entry, keys)
        for key, value in (("dtype", dtype), ("shape", list(shape))):
            if entry[key] != value:
                raise BadInput(f"{folder / 'manifest.json'}: {where}{key}: expected {value!r}, got {entry[key]!r}")
        if entry["sha256"] != _digest(array):
            raise BadInput(f"{folder}: array {name}: its SHA-256 differs from the manifest's, the bundle was altered")
    return arrays


def check_name(name: str) -> None:
    """Raise `BadInput` where a bundle can't have this name."""
    if not FOLDER_NAME.fullmatch(name):
        raise BadInput(f"name: expected letters, digits, '_', '-' and '.', a letter or digit first, got {name!r}")


def _check(bundle: Bundle) -> None:
    """What must hold of any bundle, read or made: called for each one."""
    check_name(bundle.name)
    front_end = bundle.front_end
    if not 0 < front_end.hop <= front_end.fft_size:
        raise BadInput(f"front_end.hop: expected 1 to {front_end.fft_size} (fft_size), got {front_end.hop}")
    front_end.check_window()
    if not (np.isfinite(front_end.rms) and front_end.rms > 0):
        raise BadInput(f"front_end.rms: expected a positive level, got {front_end.rms}")
    limits = front_end.thresholds
    if not np.all(np.isfinite(limits)):
        raise BadInput("array front_end.thresholds: expected finite values, got NaN or infinity")
    if np.any(limits < 0) or np.any(np.diff(limits, axis=1) < 0):
        raise BadInput("array front_end.thresholds: expected non-negative, non-decreasing rows")
    if not bundle.layers:
        raise BadInput("layers: expected at least one layer, got none")
    names = [layer.name for layer in bundle.layers]
    if len(set(names)) != len(names) or not all(NAME.fullmatch(name) for name in names):
        listed = ", ".join(names)
        raise BadInput(f"layers: expected distinct names of a-z, 0-9 and _, beginning with a letter, got {listed}")
    width, source = front_end.features, "the front end's features"
    for layer in bundle.layers:
        if layer.inputs != width:
            raise BadInput(f"layer {layer.name}: expected {width} inputs ({source}), got {layer.inputs}")
        width, source = layer.units, f"the units of {layer.name}"
        _check_layer(layer)
    last, expected = bundle.layers[-1], front_end.bins * front_end.mask_bits
    if last.units != expected:
        raise BadInput(f"layer {last.name}: expected {expected} units (mask_bits per bin), got {last.units}")


def _check_layer(layer: Layer) -> None:
    for key, matrix in (("w", layer.w), ("u", layer.u)):
        if matrix is None:
            continue
        for plane, words in (("sign", matrix.sign), ("nonzero", matrix.nonzero)):
            if not padding_is_zero(words, matrix.columns):
                raise BadInput(f"array {layer.name}.{key}_{plane}: expected zero bits beyond {matrix.columns} columns")
        if np.any(matrix.sign & ~matrix.nonzero):
            raise BadInput(f"array {layer.name}.{key}_sign: expected 0 where {key}_nonzero is 0")
    if layer.initial_state is not None and not padding_is_zero(layer.initial_state, layer.units):
        raise BadInput(f"array {layer.name}.initial_state: expected zero bits beyond {layer.units} units")
