"""What a layer will need, from its shape: cycles and RAM blocks exactly, LUT4 within 10 %.

The keys are those of the measured reports, so that the two can be subtracted. LUT4 are counted part by part, with
weights that `cosim/measure/calibrate.py` fits to synthesised layers and keeps in `hw/shape/calibration.json`.
"""

import json
from collections.abc import Mapping
from functools import cache
from math import gcd
from pathlib import Path
from typing import Any

import numpy as np

from hw.shape.biases import bias_words, layer_biases
from hw.shape.cycles import predict
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec, Memory
from hw.shape.number_format import TRITS
from hw.shape.popcount import popcount_cost
from hw.shape.ram_mapping import Mapped, mapped
from hw.shape.words import ceil_log2, words
from model.bundle.layers import Layer

__all__ = [
    *("CALIBRATION", "AreaEstimate", "LaneLut4"),
    *("calibrated", "lane_lut4", "layer_cycles", "slices_of", "weight_use"),
]

CALIBRATION = Path(__file__).parent / "calibration.json"


LaneLut4 = Mapping[str, Mapping[str, float]]
"""LUT4 of a lane of integers without a multiplier, by the weights' format and the operand's bits."""


@cache
def _recorded(family: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(CALIBRATION.read_text())[family]
    return found


def calibrated(family: str) -> Mapping[str, Mapping[str, float]]:
    """LUT4 for one of each part of a layer, as calibrated, by the part's name: of "bits" and of "integers"."""
    found = _recorded(family)
    return {"bits": found["coefficients"], "integers": found["integers"]["coefficients"]}


def lane_lut4(family: str) -> LaneLut4:
    """What a lane takes on a family, as synthesised by `cosim.measure.lane_lut4`."""
    found: LaneLut4 = _recorded(family)["integers"]["lanes"]
    return found


class AreaEstimate:
    """What a layer needs on a family, at any folding: a tenth of a millisecond each, for a search through all of them.

    The layer's weights matter only for its biases, of which Yosys leaves out what is the same in all words.
    """

    NUMBERS = "bits"
    """The layers' numbers in the calibration."""

    def __init__(self, layer: Layer, family: Family) -> None:
        self._start(family)
        self._begin = layer_biases(layer)
        self._facts = (layer.name, layer.kind, layer.inputs, layer.units, layer.binary)
        self._bias_bits: dict[int, int] = {}

    def _start(self, family: Family) -> None:
        self.family = family
        self.kinds = sorted({kind for kind, _ in family.cells.values()} & {"block_ram", "spram"})

    def spec(self, folding: Folding) -> LayerSpec:
        """The layer's shape at a folding."""
        return LayerSpec(*self._facts, folding, self.family)

    def bias_bits(self, spec: LayerSpec) -> int:
        """Bits of a word of the bias memory that are not the same in all words."""
        pe, bits = spec.folding.pe, spec.engine.accumulator_bits
        if pe not in self._bias_bits:
            rows = bias_words(self._begin, pe, spec.columns, spec.recurrent)
            different = np.bitwise_or.reduce(rows ^ rows[0], axis=0) & ((1 << bits) - 1)
            self._bias_bits[pe] = int(np.bitwise_count(different).sum())
        return self._bias_bits[pe]

    def memories(self, spec: LayerSpec) -> list[tuple[int, Mapped]]:
        """What Yosys makes of each memory: how many of its slices are alike, and what one of them becomes."""
        return [
            (count, self._mapped(width, memory))
            for name, memory in spec.memories.items()
            for count, width in slices_of(memory, self._stored_width(spec, name, memory))
        ]

    def _stored_width(self, spec: LayerSpec, name: str, memory: Memory) -> int:
        """Bits of a word that Yosys keeps: it doesn't store what it knows to be constant."""
        pe, simd = spec.folding.pe, spec.folding.simd
        if name == "engine.biases" and spec.engine.biases and not spec.engine.biases.spare_words:
            return self.bias_bits(spec)
        if name == "x" and spec.binary:
            return min(simd, spec.inputs)  # padding of one word
        if name in ("h_cells", "off_cells") and gcd(pe, simd) >= spec.units:
            return spec.units  # padding of an h that comes in one go
        return memory.width

    def _mapped(self, width: int, memory: Memory) -> Mapped:
        return mapped(
            self.family.name,
            width,
            memory.depth,
            memory.rom,
            memory.block,
            memory.synchronous,
            memory.one_port,
            memory.cleared,
        )

    def blocks(self, folding: Folding) -> dict[str, int]:
        """RAM blocks of each kind that the family has: exactly those that Yosys will take."""
        return self._blocks(self.memories(self.spec(folding)))

    def _blocks(self, memories: list[tuple[int, Mapped]]) -> dict[str, int]:
        found = dict.fromkeys(self.kinds, 0)
        for count, memory in memories:
            if memory.resource in found:
                found[memory.resource] += count * memory.cells
        return found

    def parts(self, folding: Folding) -> dict[str, float]:
        """How many there are of each thing that takes LUT4, by its name in the calibration."""
        spec = self.spec(folding)
        return self._parts(spec, self.memories(spec))

    def resources(self, folding: Folding) -> dict[str, int]:
        """LUT4, and RAM blocks of each kind that the family has."""
        spec = self.spec(folding)
        memories = self.memories(spec)
        weight = calibrated(self.family.name)[self.NUMBERS]
        lut4 = sum(weight[name] * count for name, count in self._parts(spec, memories).items())
        return {"lut4": round(lut4), **self._blocks(memories)}

    def _parts(self, spec: LayerSpec, memories: list[tuple[int, Mapped]]) -> dict[str, float]:
        return _parts(spec, memories)


def slices_of(memory: Memory, width: int) -> list[tuple[int, int]]:
    """How many slices of a memory are alike, and their width, of the `width` bits of a word that are stored."""
    whole, rest = divmod(width, memory.slice_width)
    return [(count, bits) for count, bits in ((whole, memory.slice_width), (1, rest)) if count and bits]


def _parts(spec: LayerSpec, memories: list[tuple[int, Mapped]]) -> dict[str, float]:
    engine, repack, pe, simd = spec.engine, spec.repack, spec.folding.pe, spec.folding.simd
    products = engine.products
    counters = [engine.groups, spec.x_words, spec.groups]
    if engine.weights is not None:
        counters.append(engine.weight_words)
    if spec.recurrent:
        counters += [spec.words, spec.h_words, spec.h_words, spec.groups, spec.groups]
    distributed = [(count, one) for count, one in memories if one.resource == "distributed"]
    logic = [(count, one) for count, one in memories if one.resource == "logic"]
    recurrent = int(spec.recurrent)
    return {
        "ternary product": 0 if spec.binary else pe * products,
        "binary product": pe * products if spec.binary else 0,
        "popcount": pe * popcount_cost(products - 1).lut4,
        "accumulator bit": pe * engine.accumulator_bits,
        "trit decoder": pe * words(simd, TRITS) if spec.folding.packed else 0,
        "distributed RAM": sum(count * one.cells for count, one in distributed),
        "bank of distributed RAM": sum(count * one.deep for count, one in distributed if one.deep > 1),
        "bit that is selected": sum(count * one.width * (one.deep - 1) for count, one in memories),
        "bit of a RAM in logic": sum(count * one.width * one.depth for count, one in logic),
        "bit of a counter": sum(ceil_log2(count) for count in counters),
        "bit of x": simd * (1 - recurrent),
        "bit of x and h": simd * recurrent,
        "padding lane": (spec.x_words * simd - spec.inputs) if spec.binary else 0,
        "row of a BGRU": pe * recurrent,
        "bit that is cut": pe * recurrent if repack.cuts else 0,
        # The last word of h is put right by a fixed shift where it is short.
        "bit that is joined": simd * recurrent if repack.pieces % repack.per_sink else 0,
        "layer": 1,
        "BGRU": recurrent,
        "loading": int(spec.folding.weights == "loaded"),
    }


def layer_cycles(spec: LayerSpec) -> dict[str, int]:
    """Cycles per frame: `ideal` (sum of ceil(rows / PE) x ceil(columns / SIMD)) and `cycles` (exact)."""
    predicted = predict(spec)
    return {"ideal": predicted.ideal, "cycles": predicted.cycles}


def weight_use(spec: LayerSpec) -> tuple[int, int]:
    """Bits of weights that are stored, and bits of the RAM blocks that hold them (with their parity bits).

    A block RAM of 18 kbit that is 16,384 words deep is one bit wide and gives 16 of its 18 kbit.
    """
    family, engine = spec.family, spec.engine
    kind, blocks = family.weight_blocks(spec.folding.weights, engine.weight_words, engine.weight_width)
    return spec.bits["weights"], blocks * family.bits_of(kind)
