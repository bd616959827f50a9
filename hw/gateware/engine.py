"""The engine of a layer: an MVU with its weights, its biases and a queue for its results."""

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
from hw.gateware.streams import Word
from hw.gateware.trits import Unpack, pack_trits
from hw.shape.biases import bias_words, layer_biases
from hw.shape.engine_spec import LOADED, EngineSpec, operands
from hw.shape.layer_spec import LayerSpec
from hw.shape.words import integers
from model.bundle.layers import Layer

__all__ = ["Engine", "FoldedMatrix"]


class FoldedMatrix:
    """Weights and biases as an engine's memories hold them: padded, folded, encoded, in the order of use.

    weights : int8 (rows, columns), -1, 0 and +1; both already padded to whole row groups and words
    biases : int64 (rows,)

    weight_words : of `weight_width` bits each
    bias_words : of pe biases each
    """

    def __init__(self, spec: EngineSpec, weights: NDArray[np.int8], biases: NDArray[np.int64]) -> None:
        self.spec = spec
        pe, simd = spec.folding.pe, spec.folding.simd
        blocks = weights.reshape(spec.groups, pe, spec.words, simd).transpose(0, 2, 1, 3)
        bits = pack_trits(blocks) if spec.folding.packed else select(spec.format).encode(blocks)
        self.weight_width = spec.weight_width
        self.weight_words = integers(bits.reshape(spec.weight_words, -1))
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
        """The matrices of a layer, stacked vertically.

        The columns of the input and of the state are each padded with zeros to whole words, and the rows of each
        matrix to whole row groups.
        """
        pe, simd = spec.folding.pe, spec.folding.simd
        w = layer.w.values().reshape(spec.matrices, spec.units, spec.inputs)
        parts = [w] if layer.u is None else [w, layer.u.values()]
        padded = [np.pad(part, ((0, 0), (0, -spec.units % pe), (0, -part.shape[-1] % simd))) for part in parts]
        weights = np.concatenate(padded, axis=-1).reshape(-1, spec.words * simd)
        return cls(spec.engine, weights, bias_words(layer_biases(layer), pe, spec.columns, spec.recurrent))


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

    def __init__(self, spec: EngineSpec, matrix: FoldedMatrix) -> None:
        self.spec, self.matrix = spec, matrix
        pe, simd = spec.folding.pe, spec.folding.simd
        members = {
            "i": In(stream.Signature(data.StructLayout({"first": 1, "last": 1, "start": 1}))),
            "x": In(data.ArrayLayout(simd, operands(spec.dynamic))),
            "o": Out(stream.Signature(Word(pe))),
        }
        if spec.folding.weights != "rom":
            members["load"] = In(stream.Signature(spec.weight_width))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, (pe, simd) = self.spec, (self.spec.folding.pe, self.spec.folding.simd)
        m.submodules.mvu = mvu = MVU(select(spec.format), pe, simd, spec.columns, spec.dynamic)
        m.submodules.biases = biases = CyclicMemory(spec.biases, self.matrix.bias_words)
        m.submodules.queue = queue = SyncFIFO(width=Word(pe).size, depth=spec.queue_words)

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
            *(mvu.i.payload[name].eq(word[name]) for name in ("first", "last", "start")),
            # A row group's biases leave their register when its first word has been counted.
            mvu.biases.eq(delayed(m, biases.o, 1)),
            biases.next.eq(delayed(m, moving & self.i.payload.first, spec.latency - 4, reset=True)),
            queue.w_en.eq(mvu.o.valid),
            queue.w_data.eq(mvu.o.payload),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m

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
        planes = []
        for row in range(self.spec.folding.pe):
            m.submodules[f"unpack_{row}"] = unpack = Unpack(self.spec.folding.simd)
            m.d.comb += unpack.i.eq(stored.word_select(row, len(unpack.i)))
            planes.append(unpack.o)
        return Cat(planes)
