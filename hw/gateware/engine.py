"""The engine of a layer: an MVU with its weights, its biases and a queue for its results."""

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.gateware.arithmetic import Arithmetic
from hw.gateware.memory import CyclicMemory
from hw.gateware.mvu import MVU
from hw.gateware.popcount import delayed
from hw.gateware.streams import Word
from hw.gateware.trits import Unpack, pack, packed_bits
from hw.shape.family import Family

__all__ = ["LOADED", "Engine", "Matrix"]

LOADED = "loaded_weights"
"""Name of the module with a weight memory that is filled after start; `hw.flow.rtl` takes its contents away."""


class Matrix:
    """A weight matrix cut for an engine: padded, folded, and encoded in the order of use.

    Parameters
    ----------
    weights : int8 (rows, columns), -1, 0 and +1; both already padded to whole row groups and words
    biases : int64 (rows,)
    columns : how many of the columns are no padding
    packed : whether ternary weights are stored five in eight bits (`hw.gateware.trits`)
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

    Latency: `latency` cycles from a row group's last word to its result at `o`: the weights' memory, three registers
    between it and the MVU, the MVU's, and one for the queue. Block RAM is slow to answer and spread over the device:
    one register is its own (`hw.flow.bram_output_registers`), one on the way, one beside the MVU; packed weights are
    unpacked before that. Throughput: one word per cycle. Memory: groups x words x weight_width bits of weights, groups
    x pe x bias bits, a queue of `depth` x pe.

    Members
    -------
    i : In(stream of {first, last, start}), one per operand word
    x : In(one or two operands of simd) of the word that was taken from `i` two cycles before
    o : Out(stream of Word(pe)), one per row group
    load : In(stream of weight words) in the order of use, unless the weights are in a ROM
    """

    def __init__(self, matrix: Matrix, family: Family, source: str = "rom") -> None:
        self.matrix, self.family, self.source = matrix, family, source
        self.mvu = MVU(matrix.arithmetic, matrix.pe, matrix.simd, matrix.columns, matrix.dynamic)
        bias_words = [data.ArrayLayout(self.mvu.total, matrix.pe).const(group) for group in matrix.bias_words]
        bits = matrix.pe * self.mvu.total.width
        self.biases = CyclicMemory(bits, matrix.groups, [word.as_value().value for word in bias_words], bits)
        self.weights = None
        if source != "streamed":
            rom, width, depth = source == "rom", matrix.weight_width, len(matrix.weight_words)
            # Single-port RAM is wide enough not to be sliced.
            slice_width = family.slice_width(depth, width) if rom else width
            self.weights = CyclicMemory(width, depth, matrix.weight_words if rom else None, slice_width)
        # Cycles from a word's entry to its arrival at the MVU.
        self.fetch = (1 if self.weights is None else self.weights.latency) + 3
        self.latency = self.fetch + self.mvu.latency + 1
        self.depth = self.latency + 3
        members = {
            "i": In(stream.Signature(data.StructLayout({"first": 1, "last": 1, "start": 1}))),
            "x": In(data.ArrayLayout(matrix.simd, self.mvu.operands)),
            "o": Out(stream.Signature(Word(matrix.pe))),
        }
        if source != "rom":
            members["load"] = In(stream.Signature(matrix.weight_width))
        super().__init__(members)

    def memories(self) -> dict[str, CyclicMemory]:
        """What it has of memories that are read in a fixed order."""
        return {"biases": self.biases} | ({} if self.weights is None else {"weights": self.weights})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        matrix, mvu = self.matrix, self.mvu
        m.submodules.mvu = mvu
        m.submodules.biases = biases = self.biases
        m.submodules.queue = queue = SyncFIFO(width=Word(matrix.pe).size, depth=self.depth)

        # Room is taken when a row group's first word enters and given back a cycle after its result leaves.
        pending, next_pending = Signal(range(self.depth + 1)), Signal(range(self.depth + 1))
        room = Signal(init=1)
        entering = self.i.valid & self.i.ready & self.i.payload.first
        leaving = delayed(m, self.o.valid & self.o.ready, 1, reset=True)
        m.d.comb += next_pending.eq(pending + entering - leaving)
        m.d.sync += [pending.eq(next_pending), room.eq(next_pending != self.depth)]

        moving = self.i.valid & self.i.ready
        weights_ready, stored = self._weights(m, moving)
        m.d.comb += self.i.ready.eq(weights_ready & (room | ~self.i.payload.first))
        word = data.View(self.i.payload.shape(), delayed(m, self.i.payload.as_value(), self.fetch))
        m.d.comb += [
            mvu.i.valid.eq(delayed(m, moving, self.fetch, reset=True)),
            mvu.i.payload.weights.eq(delayed(m, self._unpacked(m, stored) if matrix.packed else stored, 1)),
            mvu.i.payload.x.eq(delayed(m, self.x.as_value(), self.fetch - 2)),
            *(mvu.i.payload[name].eq(word[name]) for name in ("first", "last", "start")),
            # A row group's biases come out of a register when its first word has been counted.
            mvu.biases.eq(delayed(m, biases.o, 1)),
            biases.next.eq(delayed(m, moving & self.i.payload.first, self.latency - 4, reset=True)),
            queue.w_en.eq(mvu.o.valid),
            queue.w_data.eq(mvu.o.payload),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m

    def _weights(self, m: Module, moving: Value) -> tuple[Value, Value]:
        """Whether there is a word of weights, and the word that goes with `moving`, a cycle before the MVU's."""
        memory = self.weights
        if memory is None:
            m.d.comb += self.load.ready.eq(moving)
            return self.load.valid, delayed(m, self.load.payload, 3)
        m.submodules["weights" if self.source == "rom" else LOADED] = memory
        if self.source == "loaded":
            wiring.connect(m, wiring.flipped(self.load), memory.load)
        m.d.comb += memory.next.eq(moving)
        return memory.ready, delayed(m, memory.o, 2)

    def _unpacked(self, m: Module, stored: Value) -> Value:
        planes = []
        for row in range(self.matrix.pe):
            m.submodules[f"unpack_{row}"] = unpack = Unpack(self.matrix.simd)
            m.d.comb += unpack.i.eq(stored.word_select(row, len(unpack.i)))
            planes.append(unpack.o)
        return Cat(planes)
