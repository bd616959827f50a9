"""Layers that compute with integers of 1 to 8 bits, and the arrays they are stored as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.bundle.formats import Format, one, top
from model.errors import BadInput

__all__ = ["MOST_SHIFT", "IntegerKind", "IntegerLayer", "integer_shapes"]

IntegerKind = Literal["dense", "gru"]
Array = NDArray[Any]

MOST_SHIFT = 63


@dataclass(frozen=True, eq=False)
class IntegerLayer:
    """One integer layer, in the notation of docs/exact-meaning.md, rule 14.

    A "gru" layer has G = 3 gates in the order r, z, h; a "dense" layer has no such axis. n = `format.output_bits`.

    w : codes (G, units, inputs); u : (G, units, units)
    threshold : (G, units)
    w_multiplier, u_multiplier, shift : (G, units), of the requantisation
    tanh, sigmoid : (2^n,), the tables
    initial_state : (units,)

    In a dense layer `u`, `u_multiplier`, `sigmoid` and `initial_state` are None.
    """

    name: str
    kind: IntegerKind
    inputs: int
    units: int
    format: Format
    w: NDArray[np.int8]
    threshold: NDArray[np.int32]
    w_multiplier: NDArray[np.uint16]
    shift: NDArray[np.uint8]
    tanh: NDArray[np.int8]
    u: NDArray[np.int8] | None = None
    u_multiplier: NDArray[np.uint16] | None = None
    sigmoid: NDArray[np.uint8] | None = None
    initial_state: NDArray[np.int8] | None = None

    @property
    def columns(self) -> int:
        """Columns of the widest matrix."""
        return self.inputs if self.kind == "dense" else max(self.inputs, self.units)

    @property
    def weights(self) -> int:
        """Number of weights, including zeros."""
        return self.w.size + (0 if self.u is None else self.u.size)

    @property
    def weight_bits(self) -> int:
        """Bits of the weights."""
        own = self.format
        return self.w.size * own.w.bits + (0 if self.u is None or own.u is None else self.u.size * own.u.bits)

    @property
    def kept(self) -> int:
        """Number of weights that are not 0."""
        return int(np.count_nonzero(self.w)) + (0 if self.u is None else int(np.count_nonzero(self.u)))

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays, by the names of `integer_shapes`."""
        names = integer_shapes(self.kind, self.inputs, self.units, self.format)
        return {name: getattr(self, name) for name in names}

    @property
    def entry(self) -> dict[str, Any]:
        """The layer's entry in a manifest."""
        names = {"w": self.format.w.name} | ({} if self.format.u is None else {"u": self.format.u.name})
        bits = {"input_bits": self.format.input_bits, "output_bits": self.format.output_bits}
        entry = {"name": self.name, "kind": self.kind, "inputs": self.inputs, "units": self.units}
        return entry | {"format": bits | names}

    def check(self) -> None:
        """Raise `BadInput` for values outside the format, or sums that could overflow."""
        self.format.check(self.inputs, self.units, self.name)
        self.format.w.check(self.w, f"array {self.name}.w")
        if self.u is not None and self.format.u is not None:
            self.format.u.check(self.u, f"array {self.name}.u")
        bits = self.format.output_bits
        self._expect("shift", self.shift, 0, MOST_SHIFT)
        for key, values in (("tanh", self.tanh), ("initial_state", self.initial_state)):
            self._expect(key, values, -top(bits), top(bits), zero=bits > 1)
        self._expect("sigmoid", self.sigmoid, 0, one(bits))

    def _expect(self, key: str, values: Array | None, least: int, most: int, zero: bool = True) -> None:
        if values is None:
            return
        wrong = values[(values < least) | (values > most) | ((values == 0) & (not zero))]
        if wrong.size:
            expected = f"{least} to {most}" if zero else f"{least} or {most}"
            raise BadInput(f"array {self.name}.{key}: expected {expected}, got {wrong[0]}")


def integer_shapes(kind: str, inputs: int, units: int, format: Format) -> Mapping[str, tuple[str, tuple[int, ...]]]:
    """Array names to dtype and shape, for a layer of this kind, size and format."""
    rows, entries = ((3, units) if kind == "gru" else (units,)), 2**format.output_bits
    shapes: dict[str, tuple[str, tuple[int, ...]]] = {
        "w": ("int8", (*rows, inputs)),
        "w_multiplier": ("uint16", rows),
        "shift": ("uint8", rows),
        "threshold": ("int32", rows),
        "tanh": ("int8", (entries,)),
    }
    if kind == "dense":
        return shapes
    return shapes | {
        "u": ("int8", (*rows, units)),
        "u_multiplier": ("uint16", rows),
        "sigmoid": ("uint8", (entries,)),
        "initial_state": ("int8", (units,)),
    }
