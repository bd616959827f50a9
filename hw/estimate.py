"""What a network will need, worked out from its shape: cycles exactly, memory at least, LUT4 roughly.

The same keys as the measured reports have, so that they can be subtracted.
"""

from typing import Any

from hw.bgru import BGRULayer
from hw.cycles import predict
from hw.dense import DenseLayer
from hw.memory import BLOCK_FROM_BITS

__all__ = ["layer_cycles", "layer_resources", "memory_bits", "ram_blocks"]


def layer_cycles(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """Cycles per frame: `ideal` (sum of ceil(rows / PE) x ceil(columns / SIMD)) and `cycles` (exact)."""
    predicted = predict(layer)
    return {"ideal": predicted.ideal, "cycles": predicted.cycles}


def memory_bits(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """Bits stored: the weights, and everything else (limits, operands, state)."""
    engine = layer.engine
    weights = engine.weights.depth * engine.weights.width
    limits = len(engine.matrix.limit_words) * engine.matrix.pe * engine.mvu.limit.width
    simd = layer.folding.simd
    operand = 2 * -(-layer.layer.inputs // simd) * simd
    state = 0
    if isinstance(layer, BGRULayer):
        state = 4 * layer.h_words * simd + 3 * layer.groups * layer.folding.pe
    return {"weights": weights, "other": limits + operand + state}


def ram_blocks(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """RAM blocks of the weights and the limits, at least: small memories may or may not take one more each."""
    engine, family = layer.engine, layer.engine.family
    weights, limits = engine.weights, len(engine.matrix.limit_words) * engine.matrix.pe * engine.mvu.limit.width
    if weights.contents is None and family.single_port_ram is not None:
        depth, width = family.single_port_ram
        return {"spram": -(-weights.width // width) * -(-weights.depth // depth), "block_ram": 0}
    slices = -(-weights.width // weights.slice_width)
    blocks = slices * family.blocks(weights.depth, weights.slice_width)
    return {"block_ram": blocks + int(limits >= BLOCK_FROM_BITS)}


def layer_resources(layer: BGRULayer | DenseLayer) -> dict[str, Any]:
    """LUT4 by a rule of thumb (see docs/hardware.md for its error), the bits stored, and the blocks at least.

    A ternary lane is an XNOR with its masks (one LUT4) and about two LUT4 of full adders; where dynamic, all
    of it twice. Around the lanes: accumulator, comparison and limits per row, multiplexers per column, counters.
    """
    pe, simd = layer.folding.pe, layer.folding.simd
    dynamic = isinstance(layer, BGRULayer)
    counts = 2 if dynamic and layer.engine.matrix.arithmetic.has_zero else 1
    lanes = counts * pe * (3 * simd - 2)
    rows = pe * 5 * layer.engine.mvu.limit.width
    columns = (4 if dynamic else 2) * simd
    return {"lut4": lanes + rows + columns + 120, "bits": sum(memory_bits(layer).values()), **ram_blocks(layer)}
