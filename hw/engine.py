"""The engine of a layer: an MVU with its weights, its biases and a queue for its results."""

from collections.abc import Sequence

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.arithmetic import Arithmetic
from hw.family import Family
from hw.memory import CyclicMemory
from hw.mvu import MVU
from hw.popcount import delayed
from hw.streams import Word
from hw.trits import Unpack, pack, packed_bits

__all__ = ["LOADED", "Engine", "Matrix"]

LOADED = "loaded_weights"
"""Name of the module with a weight memory that is filled after start; `hw.rtl` takes its contents away."""


class Matrix:
    """A weight matrix cut for an engine: padded, folded, and encoded in the order of use.

    Parameters
    ----------
    weights : int8 (rows, columns), -1, 0 and +1; both already padded to whole row groups and words
    biases : int64 (rows,)
    columns : how many of the columns are no padding
    packed : whether ternary weights are stored five in eight bits (`hw.trits`)
    """

    def __init__(
        self,
        arithmetic: Arithmetic,
        weights: NDArray[np.int8],
        biases: NDArray[np.int64],
        columns: int,
        pe: int,
        simd: int,
        dynamic: bool,
        packed: bool = False,
    ) -> None:
        self.arithmetic, self.columns, self.pe, self.simd, self.dynamic = arithmetic, columns, pe, simd, dynamic
        self.packed = packed
        self.groups, self.words = weights.shape[0] // pe, weights.shape[1] // simd
        folded = weights.reshape(self.groups, pe, self.words, simd).transpose(0, 2, 1, 3)
        bits = pack(folded) if packed else arithmetic.encode(folded)
        self.weight_words = _integers(bits.reshape(self.groups * self.words, -1))
        self.bias_words = [[int(bias) for bias in group] for group in biases.reshape(self.groups, pe)]

    @property
    def weight_width(self) -> int:
        """Bits of a weight memory word."""
        return self.pe * (packed_bits(self.simd) if self.packed else self.arithmetic.stored_bits(self.simd))


def _integers(bits: NDArray[np.uint8]) -> list[int]:
    """Rows of bits, lowest first, as Python integers."""
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(bits, axis=-1, bitorder="little")]


class Engine(wiring.Component):
    """Multiply a stream of operand words by a matrix whose weights arrive in the order of use.

    The MVU can't be held up, so a row group only begins while there is room for its result: results in the
    pipeline and in the queue together never exceed the queue's depth. Then the reader of `o` may wait for as
    long as it likes. Weights that are not there yet hold `i` up in the same way.

    Weights come from a ROM (`source` is "rom"), from a RAM that is filled after reset ("loaded"), or from outside,
    again for every frame ("streamed"): the latter two by `load`.

    Latency: `latency` cycles from a row group's last word to its result at `o`: a register between memory and
    MVU, since block RAM is slow to answer (one more where weights are packed), the MVU's, and one for the queue.
    Throughput: one word per cycle.
    Memory: groups x words x weight_width bits of weights, groups x pe x bias bits, a queue of `depth` x pe.

    Members
    -------
    i : In(stream of {x: one or two words of simd, first, last, start})
    o : Out(stream of Word(pe)), one per row group
    load : In(stream of weight words) in the order of use, unless the weights are in a ROM
    """

    def __init__(self, matrix: Matrix, family: Family, source: str = "rom") -> None:
        self.matrix, self.family, self.source = matrix, family, source
        self.mvu = MVU(matrix.arithmetic, matrix.pe, matrix.simd, matrix.columns, matrix.dynamic)
        self.latency = self.mvu.latency + 2 + matrix.packed
        self.depth = self.latency + 2
        # Single-port RAM is wide enough not to be sliced.
        width, depth = matrix.weight_width, len(matrix.weight_words)
        self.slice_width = family.slice_width(depth, width) if source == "rom" else width
        operands = data.ArrayLayout(matrix.simd, self.mvu.operands)
        word = data.StructLayout({"x": operands, "first": 1, "last": 1, "start": 1})
        members = {"i": In(stream.Signature(word)), "o": Out(stream.Signature(Word(matrix.pe)))}
        if source != "rom":
            members["load"] = In(stream.Signature(matrix.weight_width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        matrix, mvu = self.matrix, self.mvu
        m.submodules.mvu = mvu
        bias = data.ArrayLayout(mvu.total, matrix.pe)
        bias_words = [bias.const(group).as_value().value for group in matrix.bias_words]
        m.submodules.biases = biases = CyclicMemory(bias.size, len(bias_words), bias_words, bias.size)
        m.submodules.queue = queue = SyncFIFO(width=Word(matrix.pe).size, depth=self.depth)
        weights = self._weights(m)

        # Room is taken when a row group's first word enters and given back when its result leaves.
        pending = Signal(range(self.depth + 1))
        room = (pending != self.depth) | ~self.i.payload.first
        entering = self.i.valid & self.i.ready & self.i.payload.first
        leaving = self.o.valid & self.o.ready
        m.d.sync += pending.eq(pending + entering - leaving)

        moving = self.i.valid & weights.valid & room
        m.d.comb += [self.i.ready.eq(weights.valid & room), weights.ready.eq(moving)]
        planes: Value = weights.payload
        stages = 1
        if matrix.packed:
            stages, planes = 2, self._unpacked(m, delayed(m, weights.payload, 1))
        word = data.View(self.i.payload.shape(), delayed(m, self.i.payload.as_value(), stages))
        m.d.comb += [
            mvu.i.valid.eq(delayed(m, moving, stages, reset=True)),
            mvu.i.payload.weights.eq(delayed(m, planes, 1)),
            *(mvu.i.payload[name].eq(word[name]) for name in ("x", "first", "last", "start")),
            # Biases are read ahead during the MVU's latency, so they are there when a row group's count is.
            mvu.biases.payload.eq(biases.o.payload),
            biases.o.ready.eq(mvu.biases.ready),
            queue.w_en.eq(mvu.o.valid),
            queue.w_data.eq(mvu.o.payload),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m

    def _weights(self, m: Module) -> stream.Interface:
        matrix = self.matrix
        if self.source == "streamed":
            return wiring.flipped(self.load)
        contents: Sequence[int] | None = matrix.weight_words if self.source == "rom" else None
        memory = CyclicMemory(matrix.weight_width, len(matrix.weight_words), contents, self.slice_width)
        m.submodules["weights" if self.source == "rom" else LOADED] = memory
        if contents is None:
            wiring.connect(m, wiring.flipped(self.load), memory.load)
        return memory.o

    def _unpacked(self, m: Module, stored: Value) -> Value:
        planes = []
        for row in range(self.matrix.pe):
            m.submodules[f"unpack_{row}"] = unpack = Unpack(self.matrix.simd)
            m.d.comb += unpack.i.eq(stored.word_select(row, len(unpack.i)))
            planes.append(unpack.o)
        return Cat(planes)
