"""Convert a bundle of version 2 in place: `bgru convert`.

Version 2 had a floating-point front end with float32 magnitudes as thresholds. They become keys; all other arrays stay.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.bundle.archive import open_archive, read_array, read_text
from model.bundle.audio_constants import threshold_keys
from model.bundle.front_end import WORD_LENGTHS
from model.bundle.identity import digest
from model.bundle.read import read_bundle
from model.bundle.write import SCHEMA, VERSION, write_bundle
from model.errors import BadInput

__all__ = ["convert"]

OLD, NEW = "front_end.thresholds", "front_end.keys"


def convert(folder: Path) -> None:
    """Convert a bundle of version 2 to the current version, in place; keep its name and its other files.

    Uses the small word lengths. Raises `BadInput` if `folder` is no bundle of version 2, an array was altered, or its
    window or hop has no integer arithmetic.
    """
    manifest, arrays = _old(folder)
    words = dict(zip(("table_bits", "fraction_bits", "mantissa_bits"), WORD_LENGTHS[0], strict=True))
    keys = threshold_keys(arrays.pop(OLD), words["fraction_bits"], words["mantissa_bits"])
    manifest["version"] = VERSION
    manifest["front_end"] |= words
    manifest["arrays"][NEW] = {"dtype": "int32", "shape": list(keys.shape), "sha256": digest(keys)}
    with TemporaryDirectory() as name:
        temporary = Path(name)
        (temporary / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        np.savez(temporary / "arrays.npz", allow_pickle=False, **{NEW: keys}, **arrays)
        try:
            bundle = read_bundle(temporary)
        except BadInput as error:
            raise BadInput(str(error).replace(name, str(folder))) from None
    write_bundle(bundle, folder)


def _old(folder: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Manifest and arrays of version 2, without the entry of the thresholds, which this function checks."""
    path = folder / "manifest.json"
    try:
        manifest = json.loads(read_text(path))
        if (manifest["schema"], manifest["version"]) != (SCHEMA, 2):
            raise BadInput(f"{path}: expected version 2, got {manifest['version']!r}")
        with open_archive(folder / "arrays.npz") as archive:
            arrays = {
                name: read_array(archive, name, entry["dtype"], tuple(entry["shape"]))
                for name, entry in manifest["arrays"].items()
            }
        thresholds, entry = arrays[OLD], manifest["arrays"].pop(OLD)
        whole = thresholds.dtype == np.float32 and entry["sha256"] == digest(thresholds)
        manifest["front_end"] = dict(manifest["front_end"])
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{folder}: expected a bundle of version 2, got {error!r}") from None
    if not (whole and np.all(np.isfinite(thresholds)) and np.all(thresholds >= 0)):
        raise BadInput(f"{folder}: array {OLD}: expected the manifest's finite, non-negative float32, got others")
    return manifest, arrays
