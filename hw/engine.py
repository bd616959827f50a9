"""The engine of a layer: an MVU with its weights, its limits and a queue for its results."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.arithmetic import Arithmetic
from hw.family import Family
from hw.memory import CyclicMemory
from hw.mvu import MVU
from hw.streams import Word

__all__ = ["LOADED", "Engine", "Matrix"]

LOADED = "loaded_weights"
"""Name of the module with a weight memory that is filled after start; `hw.rtl` takes its contents away."""


class Matrix:
    """A weight matrix cut for an engine: padded, folded, and encoded in the order of use.

    Parameters
    ----------
    weights : int8 (rows, columns), -1, 0 and +1; both already padded to whole row groups and words
    limits : int64 (rows,)
    """

    def __init__(
        self,
        arithmetic: Arithmetic,
        weights: NDArray[np.int8],
        limits: NDArray[np.int64],
        pe: int,
        simd: int,
        dynamic: bool,
    ) -> None:
        self.arithmetic, self.pe, self.simd, self.dynamic = arithmetic, pe, simd, dynamic
        rows, self.columns = weights.shape
        self.groups, self.words = rows // pe, self.columns // simd
        folded = weights.reshape(self.groups, pe, self.words, simd).transpose(0, 2, 1, 3)
        self.weight_words = _integers(arithmetic.encode(folded).reshape(self.groups * self.words, -1))
        self.limit_words = [[int(limit) for limit in group] for group in limits.reshape(self.groups, pe)]

    @property
    def weight_width(self) -> int:
        """Bits of a weight memory word."""
        return self.pe * self.simd * self.arithmetic.weight_bits


def _integers(bits: NDArray[np.uint8]) -> list[int]:
    """Rows of bits, lowest first, as Python integers."""
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=-1, bitorder="little")]


class Engine(wiring.Component):
    """Multiply a stream of operand words by a matrix whose weights arrive in the order of use.

    The MVU can't be held up, so a row group only begins while there is room for its result: results in the
    pipeline and in the queue together never exceed the queue's depth. Then the reader of `o` may wait for as
    long as it likes. Weights that are not there yet hold `i` up in the same way.

    Latency: `latency` cycles from a row group's last word to its result at `o`. Throughput: one word per cycle.
    Memory: groups x words x weight_width bits of weights, groups x pe x limit bits, a queue of `depth` x pe.

    Members
    -------
    i : In(stream of {x: simd, active: simd, first, last, start})
    o : Out(stream of Word(pe)), one per row group
    load : In(stream of weight words), only where the weights are loaded rather than built in
    """

    def __init__(self, matrix: Matrix, family: Family, loadable: bool = False) -> None:
        self.matrix, self.family = matrix, family
        self.mvu = MVU(matrix.arithmetic, matrix.pe, matrix.simd, matrix.columns, matrix.dynamic)
        self.latency = self.mvu.latency + 1
        self.depth = self.latency + 2
        contents: Sequence[int] | None = None if loadable else matrix.weight_words
        depth = len(matrix.weight_words)
        slice_width = matrix.weight_width if loadable else family.slice_width(depth, matrix.weight_width)
        self.weights = CyclicMemory(matrix.weight_width, depth, contents, slice_width)
        word = data.StructLayout({"x": matrix.simd, "active": matrix.simd, "first": 1, "last": 1, "start": 1})
        members = {"i": In(stream.Signature(word)), "o": Out(stream.Signature(Word(matrix.pe)))}
        if loadable:
            members["load"] = self.weights.signature.members["load"]
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        matrix, mvu = self.matrix, self.mvu
        m.submodules.mvu = mvu
        weights = self.weights
        m.submodules["weights" if weights.contents is not None else LOADED] = weights
        limit = data.ArrayLayout(mvu.limit, matrix.pe)
        limit_words = [limit.const(group).as_value().value for group in matrix.limit_words]
        m.submodules.limits = limits = CyclicMemory(limit.size, len(limit_words), limit_words, limit.size)
        m.submodules.queue = queue = SyncFIFO(width=Word(matrix.pe).size, depth=self.depth)
        if weights.contents is None:
            wiring.connect(m, wiring.flipped(self.load), weights.load)

        # Room is taken when a row group's first word enters and given back when its result leaves.
        pending = Signal(range(self.depth + 1))
        room = (pending != self.depth) | ~self.i.payload.first
        entering = self.i.valid & self.i.ready & self.i.payload.first
        leaving = self.o.valid & self.o.ready
        m.d.sync += pending.eq(pending + entering - leaving)

        moving = self.i.valid & weights.o.valid & room
        m.d.comb += [
            self.i.ready.eq(weights.o.valid & room),
            weights.o.ready.eq(moving),
            mvu.i.valid.eq(moving),
            mvu.i.payload.weights.eq(weights.o.payload),
            *(mvu.i.payload[name].eq(self.i.payload[name]) for name in ("x", "active", "first", "last", "start")),
            # Limits are read ahead during the MVU's latency, so they are there when a result is.
            mvu.limits.payload.eq(limits.o.payload),
            limits.o.ready.eq(mvu.limits.ready),
            queue.w_en.eq(mvu.o.valid),
            queue.w_data.eq(mvu.o.payload),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m
