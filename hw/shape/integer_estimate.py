"""What a layer of integers will need, from its shape: cycles, RAM blocks and multipliers exactly, LUT4 about."""

from dataclasses import replace
from typing import Any

from hw.shape.estimate import AreaEstimate, LaneLut4, lane_lut4, slices_of
from hw.shape.family import Family
from hw.shape.folding import Folding
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.layer_spec import LayerSpec
from hw.shape.number_format import TRITS
from hw.shape.ram_mapping import Mapped
from hw.shape.row_constants import MULTIPLIER_BITS
from hw.shape.words import ceil_log2, words
from model.bundle.integer_layers import IntegerLayer
from model.bundle.layers import Layer

__all__ = ["IntegerAreaEstimate", "estimate_of", "layer_resources", "ram_blocks"]


def estimate_of(layer: Layer | IntegerLayer, family: Family, lanes: LaneLut4 | None = None) -> AreaEstimate:
    """What a layer needs on a family, at any folding, with lanes as in the calibration or as given."""
    if isinstance(layer, IntegerLayer):
        return IntegerAreaEstimate(layer, family, lanes or lane_lut4(family.name))
    return AreaEstimate(layer, family)


class IntegerAreaEstimate(AreaEstimate):
    """What a layer of integers needs.

    Its weights do not matter; its constants do (`hw.shape.row_constants`), and what a lane takes.
    """

    NUMBERS = "integers"

    def __init__(self, layer: IntegerLayer, family: Family, lanes: LaneLut4) -> None:
        self._start(family)
        self._lanes = lanes
        self._smallest = IntegerLayerSpec.of_integers(layer, Folding(1, 1), family)

    def spec(self, folding: Folding) -> IntegerLayerSpec:
        """The layer's shape at a folding."""
        return replace(self._smallest, folding=folding)

    def memories(self, spec: LayerSpec) -> list[tuple[int, Mapped]]:
        """What Yosys makes of each memory: how many of its slices are alike, and what one of them becomes."""
        return [
            (count, self._mapped(width, memory))
            for memory in spec.memories.values()
            for count, width in slices_of(memory, memory.width)
        ]

    def resources(self, folding: Folding) -> dict[str, int]:
        """LUT4, RAM blocks of each kind that the family has, and multipliers."""
        return super().resources(folding) | {"multiplier": folding.multipliers}

    def _parts(self, spec: LayerSpec, memories: list[tuple[int, Mapped]]) -> dict[str, float]:
        assert isinstance(spec, IntegerLayerSpec)
        return _parts(spec, memories, self._lanes[spec.lanes.name][str(spec.engine.operand_bits)])


def _parts(spec: IntegerLayerSpec, memories: list[tuple[int, Mapped]], lane: float) -> dict[str, float]:
    engine, pe, simd = spec.engine, spec.folding.pe, spec.folding.simd
    recurrent, width = int(spec.recurrent), spec.engine.operand_bits
    # Beyond a multiplexer for each bit, and one for 0, a sign takes the negative operand, which all rows share.
    negative = max(0.0, lane - width - spec.lanes.zero) if spec.lanes.most == 1 else 0
    distributed = [(count, one) for count, one in memories if one.resource == "distributed"]
    logic = [(count, one) for count, one in memories if one.resource == "logic"]
    counters = [spec.words, engine.groups, spec.units, pe]
    if engine.weights is not None:
        counters.append(engine.weight_words)
    return {
        "LUT4 of a lane": lane * (pe * simd - spec.folding.multipliers) - negative * (pe - 1) * simd,
        "bit of an adder": pe * _tree_bits(simd, engine.product_bits),
        "accumulator bit": pe * engine.accumulator_bits,
        "bit of another row": (pe - 1) * sum(engine.sum_bits),
        "trit decoder": words(pe * simd, TRITS) if spec.folding.packed else 0,
        "distributed RAM": sum(count * one.cells for count, one in distributed),
        "bit of a RAM in logic": sum(count * one.width * one.depth for count, one in logic),
        "bit that is selected": sum(count * one.width * (one.deep - 1) for count, one in memories),
        "bit of a counter": sum(ceil_log2(count) for count in counters),
        "bit of x and h": simd * width * recurrent,
        "bit of the requantiser": MULTIPLIER_BITS + spec.requantiser.high_bits,
        "bit of an element": spec.own_bits * recurrent,
        "layer": 1,
        "gru": recurrent,
        "loading": int(spec.folding.weights == "loaded"),
    }


def _tree_bits(count: int, bits: int) -> int:
    """Bits of the adders of a tree over so many values of so many bits."""
    total = 0
    while count > 1:
        bits += 1
        total += count // 2 * bits
        count = -(-count // 2)
    return total


def ram_blocks(layer: Layer | IntegerLayer, spec: LayerSpec) -> dict[str, int]:
    """RAM blocks of each kind that the family has: exactly those that Yosys will take."""
    return estimate_of(layer, spec.family).blocks(spec.folding)


def layer_resources(layer: Layer | IntegerLayer, spec: LayerSpec) -> dict[str, Any]:
    """LUT4 (docs/planning.md has the error), the bits stored, and the RAM blocks."""
    return {"bits": sum(spec.bits.values()), **estimate_of(layer, spec.family).resources(spec.folding)}
