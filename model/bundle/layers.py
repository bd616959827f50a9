"""Bitwise layers and the arrays they are stored as."""

import re
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from model.bundle.bits import Words, padding_is_zero, words_for
from model.bundle.matrices import Matrix
from model.errors import BadInput

__all__ = ["NAME", "Array", "Kind", "Layer", "layer_shapes"]

Kind = Literal["bgru", "dense"]
Array = NDArray[Any]

NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""Valid names of layers; they become part of Verilog names and file names."""


@dataclass(frozen=True, eq=False)
class Layer:
    """One bitwise layer, in the notation of docs/exact-meaning.md.

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
        """Columns of the widest matrix."""
        return max(self.inputs, self.units) if self.kind == "bgru" else self.inputs

    @property
    def binary(self) -> bool:
        """Whether no weight is 0."""
        return bool(self.w.values().all() and (self.u is None or self.u.values().all()))

    @property
    def weights(self) -> int:
        """Number of weights, including zeros."""
        return self.units * (3 * (self.inputs + self.units) if self.kind == "bgru" else self.inputs)

    @property
    def weight_bits(self) -> int:
        """Bits of the weights, as sign and non-zero planes."""
        return 2 * self.weights

    @property
    def kept(self) -> int:
        """Number of weights that are not 0."""
        return sum(int(np.bitwise_count(one.nonzero).sum()) for one in (self.w, self.u) if one is not None)

    @property
    def arrays(self) -> dict[str, Array]:
        """The arrays, by the names of `layer_shapes`."""
        arrays: dict[str, Array] = {"w_sign": self.w.sign, "w_nonzero": self.w.nonzero}
        if self.u is not None and self.initial_state is not None:
            arrays |= {"u_sign": self.u.sign, "u_nonzero": self.u.nonzero, "initial_state": self.initial_state}
        return arrays | {"threshold": self.threshold}

    @property
    def entry(self) -> dict[str, Any]:
        """The layer's entry in a manifest."""
        return {"name": self.name, "kind": self.kind, "inputs": self.inputs, "units": self.units}

    def check(self) -> None:
        """Raise `BadInput` for bits that should be zero and are not."""
        for key, matrix in (("w", self.w), ("u", self.u)):
            if matrix is None:
                continue
            for plane, words in (("sign", matrix.sign), ("nonzero", matrix.nonzero)):
                if not padding_is_zero(words, matrix.columns):
                    expected = f"expected zero bits beyond {matrix.columns} columns"
                    raise BadInput(f"array {self.name}.{key}_{plane}: {expected}")
            if np.any(matrix.sign & ~matrix.nonzero):
                raise BadInput(f"array {self.name}.{key}_sign: expected 0 where {key}_nonzero is 0")
        if self.initial_state is not None and not padding_is_zero(self.initial_state, self.units):
            raise BadInput(f"array {self.name}.initial_state: expected zero bits beyond {self.units} units")


def layer_shapes(kind: str, inputs: int, units: int) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Array names to dtype and shape, for a layer of this kind and size."""
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
