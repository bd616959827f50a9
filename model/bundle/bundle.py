"""The bundle: everything the hardware needs of a network, and nothing else (docs/bundle.md)."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.bundle.front_end import FrontEnd
from model.bundle.identity import identity
from model.bundle.layers import NAME, Layer, check_layer
from model.errors import BadInput

__all__ = ["Bundle", "check_name"]

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Names of bundles: results go into a folder of that name."""


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
        """Eight bytes by which hardware says which network it has (`model.bundle.identity`)."""
        return identity(self.front_end, self.layers)


def check_name(name: str) -> None:
    """Raise `BadInput` where a bundle can't have this name."""
    if not FOLDER_NAME.fullmatch(name):
        raise BadInput(f"name: expected letters, digits, '_', '-' and '.', a letter or digit first, got {name!r}")


def _check(bundle: Bundle) -> None:
    """What must hold of any bundle, read or made: called for each one."""
    check_name(bundle.name)
    front_end = bundle.front_end
    keys = front_end.keys
    if np.any(keys < 0) or np.any(np.diff(keys, axis=1) < 0):
        raise BadInput("array front_end.keys: expected non-negative, non-decreasing rows")
    if np.any(keys >= 2 ** (front_end.mantissa_bits + 7)):
        raise BadInput(f"array front_end.keys: expected keys below 2^{front_end.mantissa_bits + 7}, got {keys.max()}")
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
        check_layer(layer)
    last, expected = bundle.layers[-1], front_end.bins * front_end.mask_bits
    if last.units != expected:
        raise BadInput(f"layer {last.name}: expected {expected} units (mask_bits per bin), got {last.units}")
