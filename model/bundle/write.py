"""Write a bundle: a folder with `manifest.json` and `arrays.npz`."""

import json
from pathlib import Path

import numpy as np

from model.bundle.bundle import Bundle
from model.bundle.identity import network_arrays, network_entries
from model.errors import BadInput
from model.files import replacing_folder

__all__ = ["SCHEMA", "VERSION", "write_bundle"]

SCHEMA = "bgru-bundle"
VERSION = 3
FILES = ("manifest.json", "arrays.npz")


def write_bundle(bundle: Bundle, folder: Path) -> None:
    """Write `folder/manifest.json` and `folder/arrays.npz`, replacing an older bundle in one step.

    Raises `BadInput` if the folder holds other folders, or the front end is invalid (`FrontEnd.check`).
    """
    manifest = {
        "schema": SCHEMA,
        "version": VERSION,
        "name": bundle.name,
        **network_entries(bundle.front_end, bundle.layers),
        "provenance": bundle.provenance,
    }
    bundle.front_end.check()
    # A model card stays with its bundle. A bundle's folder holds no folders.
    others = [path for path in folder.iterdir() if path.name not in FILES] if folder.is_dir() else []
    for other in others:
        if other.is_dir():
            raise BadInput(f"{folder}: expected a new folder or a bundle's, got one with the folder {other.name} in it")
    with replacing_folder(folder) as temporary:
        (temporary / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        np.savez_compressed(
            temporary / "arrays.npz", allow_pickle=False, **network_arrays(bundle.front_end, bundle.layers)
        )
        for other in others:
            (temporary / other.name).write_bytes(other.read_bytes())
