"""What the two kinds of layer have in common: their folding, their shape, and how they are looked into."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.gateware.arithmetic import Arithmetic, biases
from hw.gateware.engine import Engine, Matrix
from hw.gateware.streams import Word, words

__all__ = ["Folding", "Probe", "Source", "folded", "ports", "vectors_of"]


Source = Literal["rom", "loaded", "streamed"]
"""Where a layer's weights come from: see `hw.gateware.engine.Engine`."""


@dataclass(frozen=True)
class Folding:
    """How a layer is cut into hardware.

    pe, simd : how much of its matrices is worked on in one cycle, rows by columns
    weights : where its weights come from
    packed : whether ternary weights are stored five in eight bits (`hw.gateware.trits`)
    """

    pe: int
    simd: int
    weights: Source = "rom"
    packed: bool = False

    def __str__(self) -> str:
        return f"{self.pe}x{self.simd}{'-packed' if self.packed else ''}"


VECTORS = {"bgru": ("r", "z", "candidate", "h"), "dense": ("y",)}


def vectors_of(kind: str) -> tuple[str, ...]:
    """The names of the vectors that a layer of this kind computes in a frame."""
    return VECTORS[kind]


class Probe(wiring.Signature):
    """A view of a layer's results as they are made, for simulation; unconnected, it costs nothing.

    valid : a row group's result is taken this cycle
    vector : which one it is, an index into `vectors_of(kind)`: r, z, candidate; y
    data : its `pe` bits
    h : with a candidate, the `pe` bits of the new h
    busy : the layer holds a frame, waiting or in work
    released : it lets go of the frame; a frame's cycles are the busy ones up to and with this one
    """

    def __init__(self, pe: int) -> None:
        super().__init__(
            {"valid": Out(1), "vector": Out(2), "data": Out(pe), "h": Out(pe), "busy": Out(1), "released": Out(1)},
        )


def ports(folding: Folding, engine: Engine) -> dict[str, Any]:
    """The members of a layer: `i`, `o`, `probe`, and `load` where the engine's weights are not in a ROM."""
    load = {name: member for name, member in engine.signature.members.items() if name == "load"}
    return {
        "i": In(stream.Signature(Word(folding.simd))),
        "o": Out(stream.Signature(Word(folding.pe))),
        "probe": Out(Probe(folding.pe)),
        **load,
    }


def folded(
    arithmetic: Arithmetic,
    folding: Folding,
    parts: list[NDArray[np.int8]],
    theta: NDArray[np.int32],
    dynamic: bool,
) -> Matrix:
    """Pad and fold one or several matrices that stand above one another, for an engine.

    `parts` are the column blocks, each (matrices, rows, columns); each block is padded with zeros to whole
    words and the rows of each matrix to whole row groups. A padding row is out of reach, so that its bit is 0.
    `theta` is (matrices, rows).
    """
    matrices, rows = theta.shape
    padded_rows = words(rows, folding.pe) * folding.pe
    blocks = []
    for part in parts:
        columns = part.shape[-1]
        wide = words(columns, folding.simd) * folding.simd
        blocks.append(np.pad(part, ((0, 0), (0, padded_rows - rows), (0, wide - columns))))
    real = np.concatenate(parts, axis=-1)
    columns = real.shape[-1]
    out_of_reach = biases(np.zeros((1, columns), np.int8), np.array([2**31 - 1]), dynamic)[0]
    begin = np.full((matrices, padded_rows), out_of_reach, dtype=np.int64)
    begin[:, :rows] = biases(real, theta, dynamic)
    weights = np.concatenate(blocks, axis=-1).reshape(matrices * padded_rows, -1)
    return Matrix(arithmetic, weights, begin.reshape(-1), columns, folding.pe, folding.simd, dynamic, folding.packed)
