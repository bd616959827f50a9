"""The bundle: everything the hardware needs of a network, and nothing else (docs/bundle.md)."""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from model.bundle.front_end import FrontEnd
from model.bundle.identity import identity
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import NAME, Layer
from model.errors import BadInput

__all__ = ["Bundle", "check_name"]

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""Valid names of bundles; results go into a folder of that name."""


@dataclass(frozen=True, eq=False)
class Bundle:
    """A front end, its layers in order, and their provenance (free-form JSON)."""

    name: str
    front_end: FrontEnd
    layers: tuple[Layer | IntegerLayer, ...]
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self)

    @property
    def weights(self) -> int:
        """Number of weights in all layers, including zeros."""
        return sum(layer.weights for layer in self.layers)

    @property
    def kept(self) -> int:
        """Number of weights that are not 0."""
        return sum(layer.kept for layer in self.layers)

    @property
    def weight_bits(self) -> int:
        """Bits of all weights in their formats; a bitwise weight has two, a sign and a non-zero bit."""
        return sum(layer.weight_bits for layer in self.layers)

    @property
    def bitwise(self) -> tuple[Layer, ...]:
        """The layers, all of them bitwise; raises as `expect_bitwise` does."""
        self.expect_bitwise()
        return tuple(layer for layer in self.layers if isinstance(layer, Layer))

    @property
    def has_integers(self) -> bool:
        """Whether any layer is one of integers."""
        return any(isinstance(layer, IntegerLayer) for layer in self.layers)

    def expect_bitwise(self) -> None:
        """Raise `BadInput` for an integer layer, for a command that only takes bitwise ones."""
        for layer in self.layers:
            if isinstance(layer, IntegerLayer):
                raise BadInput(
                    f"layer {layer.name}: expected a bitwise layer, got an integer {layer.kind}, which this command "
                    "does not take yet"
                )

    @property
    def identity(self) -> bytes:
        """Eight bytes that tell which network a piece of hardware holds (`model.bundle.identity`)."""
        return identity(self.front_end, self.layers)


def check_name(name: str) -> None:
    """Raise `BadInput` for a name that a bundle cannot have."""
    if not FOLDER_NAME.fullmatch(name):
        raise BadInput(f"name: expected letters, digits, '_', '-' and '.', a letter or digit first, got {name!r}")


def _check(bundle: Bundle) -> None:
    """Check a bundle, whether it was read or made."""
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
    width, bits, source = front_end.features, front_end.feature_bits, "the front end's features"
    for layer in bundle.layers:
        if layer.inputs != width:
            raise BadInput(f"layer {layer.name}: expected {width} inputs ({source}), got {layer.inputs}")
        takes, gives = (1, 1) if isinstance(layer, Layer) else (layer.format.input_bits, layer.format.output_bits)
        if takes != bits:
            raise BadInput(f"layer {layer.name}: expected {bits}-bit inputs ({source}), got {takes}-bit")
        width, bits, source = layer.units, gives, f"the units of {layer.name}"
        layer.check()
    last, expected = bundle.layers[-1], front_end.bins * front_end.mask_bits
    if bits != front_end.gain_bits:
        raise BadInput(f"layer {last.name}: expected {front_end.gain_bits}-bit outputs (gain_bits), got {bits}-bit")
    if last.units != expected:
        raise BadInput(f"layer {last.name}: expected {expected} units (mask_bits per bin), got {last.units}")
