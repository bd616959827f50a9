# amaranth: UnusedElaboratable=no
# A network whose RTLIL is in the cache is never elaborated (`hw.flow.rtl.elaborated`).
"""The engine of a layer: an MVU with its weights, its biases and a queue for its results."""

from typing import Any, Protocol

import numpy as np
from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.gateware.arithmetic import select
from hw.gateware.memory import CyclicMemory
from hw.gateware.mvu import MVU
from hw.gateware.popcount import delayed
from hw.gateware.trits import Unpack, pack_trits
from hw.shape.biases import bias_words, layer_biases
from hw.shape.engine_spec import LOADED, EngineSpec
from hw.shape.layer_spec import LayerSpec
from hw.shape.words import integers
from model.bundle.layers import Layer

__all__ = ["Encoder", "Engine", "FoldedMatrix", "Weights", "padded_rows", "weight_words"]


class Encoder(Protocol):
    """How weights are stored: the part of an arithmetic that a memory needs."""

    def encode(self, weights: NDArray[np.int8]) -> NDArray[np.uint8]:
        """Weights (..., simd) as they are stored, (..., simd * bits), lowest bit first."""
        ...


def weight_words(spec: EngineSpec, weights: NDArray[np.int8], encoder: Encoder) -> list[int]:
    """Weights (rows, columns), both already padded to whole row groups and words, as the words of a memory."""
    pe, simd = spec.folding.pe, spec.folding.simd
    blocks = weights.reshape(spec.groups, pe, spec.words, simd).transpose(0, 2, 1, 3).reshape(-1, pe, simd)
    bits = pack_trits(blocks.reshape(-1, spec.packed_lanes)) if spec.folding.packed else encoder.encode(blocks)
    return integers(bits.reshape(spec.weight_words, -1))


def padded_rows(spec: LayerSpec, w: NDArray[np.int8], u: NDArray[np.int8] | None) -> NDArray[np.int8]:
    """A layer's matrices, (matrices, units, columns) each, stacked vertically: (rows, columns).

    The columns of the input and of the state are each padded with zeros to whole words, and the rows of each
    matrix to whole row groups.
    """
    pe, simd = spec.folding.pe, spec.folding.simd
    parts = [w.reshape(spec.matrices, spec.units, spec.inputs)] + ([] if u is None else [u])
    padded = [np.pad(part, ((0, 0), (0, -spec.units % pe), (0, -part.shape[-1] % simd))) for part in parts]
    return np.concatenate(padded, axis=-1).reshape(-1, spec.words * simd)


class Weights(Protocol):
    """The weights of an engine as its memory holds them: words of `weight_width` bits, in the order of use."""

    weight_width: int
    weight_words: list[int]


class FoldedMatrix:
    """Weights and biases as an engine's memories hold them: padded, folded, encoded, in the order of use.

    weights : int8 (rows, columns), -1, 0 and +1; both already padded to whole row groups and words
    biases : int64 (rows,)

    weight_words : of `weight_width` bits each
    bias_words : of pe biases each
    """

    def __init__(self, spec: EngineSpec, weights: NDArray[np.int8], biases: NDArray[np.int64]) -> None:
        self.spec = spec
        pe = spec.folding.pe
        self.weight_width, self.weight_words = spec.weight_width, weight_words(spec, weights, select(spec.format))
        # Two's complement, the lowest row's bias lowest.
        planes = (biases.reshape(spec.groups, pe, 1) >> np.arange(spec.accumulator_bits) & 1).astype(np.uint8)
        self.bias_words = integers(planes.reshape(spec.groups, -1))

    def rom_slices(self) -> dict[str, tuple[int, list[int]]]:
        """Width and words of each ROM slice, by its path in the engine."""
        roms = [("biases", self.spec.biases, self.bias_words), ("weights", self.spec.weights, self.weight_words)]
        return {
            f"{name}.bits_{low}": part
            for name, shape, words in roms
            if shape is not None and shape.rom
            for low, part in shape.cut(words).items()
        }

    @classmethod
    def of(cls, layer: Layer, spec: LayerSpec) -> "FoldedMatrix":
        """The matrices of a layer, padded (`padded_rows`)."""
        rows = padded_rows(spec, layer.w.values(), None if layer.u is None else layer.u.values())
        biases = bias_words(layer_biases(layer), spec.folding.pe, spec.columns, spec.recurrent)
        return cls(spec.engine, rows, biases)


class Engine(wiring.Component):
    """Multiply a stream of operand words by a matrix whose weights arrive in the order of use.

    The MVU cannot stall, so a row group begins only if there is room for its result: the results in the pipeline
    and in the queue together never exceed the queue's depth. The reader of `o` may then wait as long as it likes.
    Missing weights stall `i` in the same way.

    `spec.folding.weights` says whether weights come from a ROM, from a RAM filled after reset, or as a stream for every
    frame; the latter two arrive on `load`.

    Latency: `spec.latency` cycles from a row group's last word to its result at `o`: the weight memory, three
    registers between it and the MVU, the MVU's latency, and one for the queue. Block RAM is slow and spread over the
    device: one register is its own (`hw.flow.bram_output_registers`), one is on the path, one is next to the MVU, after
    the unpacking of packed weights. Throughput: one word per cycle. Memory: `spec.weight_words` x `spec.weight_width`
    bits of weights, groups x pe biases of `spec.accumulator_bits`, a queue of `spec.queue_words` x pe.

    Members
    -------
    i : In(stream of {first, last, start}), one per operand word
    x : In(one or two operands of simd) of the word taken from `i` two cycles ago
    o : Out(stream of Word(pe)), one per row group
    load : In(stream of weight words) in the order of use, unless the weights are in a ROM
    """

    def __init__(self, spec: EngineSpec, matrix: Weights) -> None:
        self.spec, self.matrix, self.mvu = spec, matrix, self._mvu(spec)
        word = self.mvu.i.payload.shape()
        members = {
            "i": In(stream.Signature(data.StructLayout(dict.fromkeys(self.mvu.marks, 1)))),
            "x": In(word["x"].shape),
            "o": Out(stream.Signature(self.mvu.o.payload.shape())),
        }
        if spec.folding.weights != "rom":
            members["load"] = In(stream.Signature(spec.weight_width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec = self.spec
        m.submodules.mvu = mvu = self.mvu
        m.submodules.queue = queue = SyncFIFO(width=len(mvu.o.payload.as_value()), depth=spec.queue_words)

        # A row group takes a credit when its first word enters and returns it a cycle after its result leaves.
        pending, next_pending = Signal(range(spec.queue_words + 1)), Signal(range(spec.queue_words + 1))
        room = Signal(init=1)
        entering = self.i.valid & self.i.ready & self.i.payload.first
        leaving = delayed(m, self.o.valid & self.o.ready, 1, reset=True)
        m.d.comb += next_pending.eq(pending + entering - leaving)
        m.d.sync += [pending.eq(next_pending), room.eq(next_pending != spec.queue_words)]

        moving = self.i.valid & self.i.ready
        weights_ready, stored = self._weights(m, moving)
        m.d.comb += self.i.ready.eq(weights_ready & (room | ~self.i.payload.first))
        word = data.View(self.i.payload.shape(), delayed(m, self.i.payload.as_value(), spec.fetch))
        m.d.comb += [
            mvu.i.valid.eq(delayed(m, moving, spec.fetch, reset=True)),
            mvu.i.payload.weights.eq(delayed(m, self._unpacked(m, stored) if spec.folding.packed else stored, 1)),
            mvu.i.payload.x.eq(delayed(m, self.x.as_value(), spec.fetch - 2)),
            *(mvu.i.payload[name].eq(word[name]) for name in mvu.marks),
            queue.w_en.eq(mvu.o.valid),
            queue.w_data.eq(mvu.o.payload),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        self._biases(m, moving)
        return m

    def _mvu(self, spec: EngineSpec) -> Any:
        return MVU(select(spec.format), spec.folding.pe, spec.folding.simd, spec.columns, spec.dynamic)

    def _biases(self, m: Module, moving: Value) -> None:
        """A row group's biases leave their register when its first word has been counted."""
        spec = self.spec
        assert spec.biases is not None and isinstance(self.matrix, FoldedMatrix)
        m.submodules.biases = biases = CyclicMemory(spec.biases, self.matrix.bias_words)
        m.d.comb += [
            self.mvu.biases.eq(delayed(m, biases.o, 1)),
            biases.next.eq(delayed(m, moving & self.i.payload.first, spec.latency - 4, reset=True)),
        ]

    def _weights(self, m: Module, moving: Value) -> tuple[Value, Value]:
        """Whether there is a word of weights, and the word for `moving`, one cycle before the MVU's."""
        shape = self.spec.weights
        if shape is None:
            m.d.comb += self.load.ready.eq(moving)
            return self.load.valid, delayed(m, self.load.payload, 3)
        memory = CyclicMemory(shape, self.matrix.weight_words if shape.rom else ())
        m.submodules["weights" if shape.rom else LOADED] = memory
        if not shape.rom:
            wiring.connect(m, wiring.flipped(self.load), memory.load)
        m.d.comb += memory.next.eq(moving)
        return memory.ready, delayed(m, memory.o, 2)

    def _unpacked(self, m: Module, stored: Value) -> Value:
        pe, simd, together = self.spec.folding.pe, self.spec.folding.simd, self.spec.packed_lanes
        signs, nonzeros = [], []
        for part in range(pe * simd // together):
            m.submodules[f"unpack_{part}"] = unpack = Unpack(together)
            m.d.comb += unpack.i.eq(stored.word_select(part, len(unpack.i)))
            signs.append(unpack.o[:together])
            nonzeros.append(unpack.o[together:])
        planes = Cat(signs), Cat(nonzeros)
        return Cat(plane.word_select(row, simd) for row in range(pe) for plane in planes)
