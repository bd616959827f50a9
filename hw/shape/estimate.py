"""What a layer will need, worked out from its shape: cycles and RAM blocks exactly, LUT4 within 10 %.

The same keys as the measured reports have, so that they can be subtracted. LUT4 are counted part by part, with weights
that `python -m cosim.measure.calibrate` fits to synthesised layers and keeps in `hw/shape/calibration.json`.
"""

import json
from collections.abc import Mapping
from functools import cache
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from hw.gateware.arithmetic import accumulator, biases, select
from hw.gateware.bgru import BGRULayer
from hw.gateware.dense import DenseLayer
from hw.gateware.layers import Folding
from hw.gateware.memory import BARE_FROM, FANOUT
from hw.gateware.popcount import cost, latency
from hw.gateware.streams import words
from hw.gateware.trits import packed_bits
from hw.shape.cycles import predict
from hw.shape.family import Family
from hw.shape.ram_mapping import Mapped, mapped
from model.bundle.bundle import Layer

__all__ = ["CALIBRATION", "Estimate", "layer_cycles", "layer_resources", "memory_bits", "ram_blocks", "weight_use"]

CALIBRATION = Path(__file__).parent / "calibration.json"


def clog2(value: int) -> int:
    """Bits of a counter that has so many values."""
    return (value - 1).bit_length()


@cache
def coefficients(family: str) -> Mapping[str, float]:
    """LUT4 for one of each part of a layer, by the part's name, as they were calibrated."""
    return dict(json.loads(CALIBRATION.read_text())[family]["coefficients"])


class Estimate:
    """A layer on a family: what it needs at any folding, without making its hardware.

    Cheap enough (a tenth of a millisecond for a folding) to search through all of them.
    """

    def __init__(self, layer: Layer, family: Family) -> None:
        self.layer, self.family = layer, family
        self.dynamic = layer.kind == "bgru"
        self.binary = layer.binary
        self.arithmetic = select(self.binary)
        self.kinds = sorted({kind for kind, _ in family.cells.values()} & {"block_ram", "spram"})
        self.columns = layer.inputs + (layer.units if self.dynamic else 0)
        self.matrices = 3 if self.dynamic else 1
        self.total = accumulator(self.columns, self.dynamic)
        weights = layer.w.values().reshape(self.matrices, layer.units, -1)
        if layer.u is not None:
            weights = np.concatenate([weights, layer.u.values()], axis=-1)
        self.begin = biases(weights, layer.threshold.reshape(self.matrices, -1), self.dynamic)
        self.out_of_reach = biases(np.zeros((1, self.columns), np.int8), np.array([2**31 - 1]), self.dynamic)[0]
        self._bias_bits: dict[int, int] = {}

    def words(self, simd: int) -> int:
        """Words in a row group."""
        return words(self.layer.inputs, simd) + (words(self.layer.units, simd) if self.dynamic else 0)

    def depth(self, folding: Folding) -> int:
        """Words of the weight memory: the ideal cycles of a frame, which are all but a few of those that it takes."""
        return self.matrices * words(self.layer.units, folding.pe) * self.words(folding.simd)

    def weight_width(self, folding: Folding) -> int:
        """Bits of a word of the weight memory."""
        return folding.pe * (packed_bits if folding.packed else self.arithmetic.stored_bits)(folding.simd)

    def bias_bits(self, pe: int) -> int:
        """Bits of a word of the bias memory that are not the same in all words: Yosys leaves the others out."""
        if pe not in self._bias_bits:
            padding = -self.layer.units % pe
            rows = np.pad(self.begin, ((0, 0), (0, padding)), constant_values=self.out_of_reach).reshape(-1, pe)
            different = np.bitwise_or.reduce(rows ^ rows[0], axis=0) & ((1 << self.total.width) - 1)
            self._bias_bits[pe] = int(np.bitwise_count(different).sum())
        return self._bias_bits[pe]

    def memories(self, folding: Folding) -> list[tuple[str, int, Mapped]]:
        """Each memory: what it holds, in how many slices like this, what Yosys makes of a slice."""
        pe, simd, units = folding.pe, folding.simd, self.layer.units
        groups = words(units, pe)
        family = self.family.name
        found = []
        if folding.weights != "streamed":
            rom = folding.weights == "rom"
            depth, width = self.depth(folding), self.weight_width(folding)
            slice_width = self.family.slice_width(depth, width) if rom else width
            stored = depth + 2 * (rom and depth < BARE_FROM)
            for count, part in ((width // slice_width, slice_width), (1, width % slice_width)):
                if part:
                    found.append(("weights", count, mapped(family, part, stored, rom, block=rom, one_port=not rom)))
        # Padding that is known to be 0 is not stored: of binary operands of one word, and of an h that comes in one go.
        x_lanes = min(simd, self.layer.inputs) if self.binary else simd
        bias_words = self.matrices * groups
        if bias_words < BARE_FROM:
            biases = mapped(family, pe * self.total.width, bias_words + 2, rom=True, block=True)
        else:
            biases = mapped(family, self.bias_bits(pe), bias_words, rom=True, block=True)
        found += [
            ("biases", 1, biases),
            ("x", 1, mapped(family, x_lanes, 2 << clog2(words(self.layer.inputs, simd)))),
            ("queue", 1, mapped(family, pe + 1, self.queue(folding), synchronous=False)),
        ]
        if self.dynamic:
            h_words = words(units, simd)
            lanes = units if gcd(pe, simd) >= units else simd
            found += [
                ("h", 1, mapped(family, lanes, 3 << clog2(h_words), block=True)),
                ("off", 1, mapped(family, lanes, h_words, cleared=True)),
                ("chunks", 1, mapped(family, 2 * pe, 2 << clog2(groups), block=True)),
            ]
        return found

    def bits(self, folding: Folding) -> dict[str, int]:
        """Bits stored: the weights, and everything else (biases, operands, state)."""
        pe, simd, units = folding.pe, folding.simd, self.layer.units
        groups = words(units, pe)
        weights = 0 if folding.weights == "streamed" else self.depth(folding) * self.weight_width(folding)
        biases = self.matrices * groups * pe * self.total.width
        operand = 2 * words(self.layer.inputs, simd) * simd
        state = 4 * words(units, simd) * simd + 3 * groups * pe if self.dynamic else 0
        return {"weights": weights, "other": biases + operand + state}

    def queue(self, folding: Folding) -> int:
        """Words of the engine's queue (`hw.gateware.engine`)."""
        copied = self.weight_slices(folding) > FANOUT
        return latency(self.products(folding) - 1) + 9 + copied

    def weight_slices(self, folding: Folding) -> int:
        """Memories of their own that the weights are cut into."""
        depth, width = self.depth(folding), self.weight_width(folding)
        return words(width, self.family.slice_width(depth, width)) if folding.weights == "rom" else 1

    def products(self, folding: Folding) -> int:
        """Products in a row, in a cycle."""
        return folding.simd * (2 if self.dynamic else 1)

    def blocks(self, folding: Folding) -> dict[str, int]:
        """RAM blocks of each kind that the family has."""
        return self._blocks(self.memories(folding))

    def _blocks(self, memories: list[tuple[str, int, Mapped]]) -> dict[str, int]:
        found = dict.fromkeys(self.kinds, 0)
        for _, count, memory in memories:
            if memory.resource in found:
                found[memory.resource] += count * memory.cells
        return found

    def parts(self, folding: Folding) -> dict[str, int]:
        """How many there are of each thing that takes LUT4, by its name in the calibration."""
        return self._parts(folding, self.memories(folding))

    def _parts(self, folding: Folding, memories: list[tuple[str, int, Mapped]]) -> dict[str, int]:
        pe, simd, layer = folding.pe, folding.simd, self.layer
        groups, x_words, h_words = words(layer.units, pe), words(layer.inputs, simd), words(layer.units, simd)
        products, piece = self.products(folding), gcd(pe, simd)
        counters = [self.matrices * groups, x_words, groups]
        if folding.weights != "streamed":
            counters.append(self.depth(folding))
        if self.dynamic:
            counters += [x_words + h_words, h_words, h_words, groups, groups]
        distributed = [(count, one) for _, count, one in memories if one.resource == "distributed"]
        logic = [(count, one) for _, count, one in memories if one.resource == "logic"]
        recurrent = int(self.dynamic)
        return {
            "ternary product": 0 if self.binary else pe * products,
            "binary product": pe * products if self.binary else 0,
            "popcount": pe * cost(products - 1).lut4,
            "accumulator bit": pe * self.total.width,
            "trit decoder": pe * -(-simd // 5) if folding.packed else 0,
            "distributed RAM": sum(count * one.cells for count, one in distributed),
            "bank of distributed RAM": sum(count * one.deep for count, one in distributed if one.deep > 1),
            "bit that is selected": sum(count * one.width * (one.deep - 1) for _, count, one in memories),
            "bit of a RAM in logic": sum(count * one.width * one.depth for count, one in logic),
            "bit of a counter": sum(clog2(count) for count in counters),
            "bit of x": simd * (1 - recurrent),
            "bit of x and h": simd * recurrent,
            "padding lane": (x_words * simd - layer.inputs) if self.binary else 0,
            "row of a BGRU": pe * recurrent,
            "bit that is cut": pe * recurrent if piece != pe else 0,
            # The last word of h is put right by a fixed shift where it is short.
            "bit that is joined": simd * recurrent if words(layer.units, piece) % (simd // piece) else 0,
            "layer": 1,
            "BGRU": recurrent,
            "loading": int(folding.weights == "loaded"),
        }

    def resources(self, folding: Folding) -> dict[str, int]:
        """LUT4, and RAM blocks of each kind that the family has."""
        memories = self.memories(folding)
        weight = coefficients(self.family.name)
        lut4 = sum(weight[name] * count for name, count in self._parts(folding, memories).items())
        return {"lut4": round(lut4), **self._blocks(memories)}


def _of(layer: BGRULayer | DenseLayer) -> Estimate:
    return Estimate(layer.layer, layer.engine.family)


def layer_cycles(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """Cycles per frame: `ideal` (sum of ceil(rows / PE) x ceil(columns / SIMD)) and `cycles` (exact)."""
    predicted = predict(layer)
    return {"ideal": predicted.ideal, "cycles": predicted.cycles}


def memory_bits(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """Bits stored: the weights, and everything else (biases, operands, state)."""
    return _of(layer).bits(layer.folding)


def ram_blocks(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """RAM blocks of each kind that the family has: exactly those that Yosys will take."""
    return _of(layer).blocks(layer.folding)


def weight_use(layer: BGRULayer | DenseLayer) -> tuple[int, int]:
    """Bits of weights that are stored, and bits of the RAM blocks that hold them (with their parity bits).

    A block RAM of 18 kbit that is 16,384 words deep is one bit wide and gives 16 of its 18 kbit.
    """
    engine = layer.engine
    matrix = engine.matrix
    kind, blocks = engine.family.weight_blocks(engine.source, len(matrix.weight_words), matrix.weight_width)
    return memory_bits(layer)["weights"], blocks * engine.family.bits_of(kind)


def layer_resources(layer: BGRULayer | DenseLayer) -> dict[str, Any]:
    """LUT4 (docs/planning.md has the error), the bits stored, and the RAM blocks."""
    return {"bits": sum(memory_bits(layer).values()), **_of(layer).resources(layer.folding)}
