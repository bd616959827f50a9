"""What a network will need, worked out from its shape: cycles exactly, memory at least, LUT4 roughly.

The same keys as the measured reports have, so that they can be subtracted.
"""

from typing import Any

from hw.bgru import BGRULayer
from hw.cycles import predict
from hw.dense import DenseLayer
from hw.memory import BLOCK_FROM_BITS
from hw.popcount import cost

__all__ = ["layer_cycles", "layer_resources", "memory_bits", "ram_blocks", "weight_use"]


def layer_cycles(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """Cycles per frame: `ideal` (sum of ceil(rows / PE) x ceil(columns / SIMD)) and `cycles` (exact)."""
    predicted = predict(layer)
    return {"ideal": predicted.ideal, "cycles": predicted.cycles}


def memory_bits(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """Bits stored: the weights, and everything else (biases, operands, state)."""
    engine = layer.engine
    matrix = engine.matrix
    weights = 0 if engine.source == "streamed" else len(matrix.weight_words) * matrix.weight_width
    biases = len(matrix.bias_words) * matrix.pe * engine.mvu.total.width
    simd = layer.folding.simd
    operand = 2 * -(-layer.layer.inputs // simd) * simd
    state = 0
    if isinstance(layer, BGRULayer):
        state = 4 * layer.h_words * simd + 3 * layer.groups * layer.folding.pe
    return {"weights": weights, "other": biases + operand + state}


def ram_blocks(layer: BGRULayer | DenseLayer) -> dict[str, int]:
    """RAM blocks of the weights and the biases, at least: small memories may or may not take one more each."""
    engine, family = layer.engine, layer.engine.family
    groups, width = len(engine.matrix.bias_words), engine.matrix.pe * engine.mvu.total.width
    biases = family.blocks(groups, width) if groups * width >= BLOCK_FROM_BITS else 0
    kind, weights = _weight_blocks(layer)
    return {"block_ram": biases + weights} if kind == "block_ram" else {"block_ram": biases, kind: weights}


def _weight_blocks(layer: BGRULayer | DenseLayer) -> tuple[str, int]:
    engine = layer.engine
    matrix = engine.matrix
    return engine.family.weight_blocks(engine.source, len(matrix.weight_words), matrix.weight_width)


def weight_use(layer: BGRULayer | DenseLayer) -> tuple[int, int]:
    """Bits of weights that are stored, and bits of the RAM blocks that hold them (with their parity bits).

    A block RAM of 18 kbit that is 16,384 words deep is one bit wide and gives 16 of its 18 kbit.
    """
    kind, blocks = _weight_blocks(layer)
    return memory_bits(layer)["weights"], blocks * layer.engine.family.bits_of(kind)


def layer_resources(layer: BGRULayer | DenseLayer) -> dict[str, Any]:
    """LUT4 by a rule of thumb (see docs/hardware.md for its error), the bits stored, and the blocks at least.

    An MVU row is a LUT4 per product, the popcount and the accumulator (`hw.mvu`). Around the rows: biases per row,
    multiplexers per column, counters.
    """
    pe, simd = layer.folding.pe, layer.folding.simd
    dynamic = isinstance(layer, BGRULayer)
    mvu = layer.engine.mvu
    rows = pe * (mvu.operands * simd + cost(mvu.counted).lut4 + 2 * mvu.total.width)
    columns = (4 if dynamic else 2) * simd
    return {"lut4": rows + columns + 120, "bits": sum(memory_bits(layer).values()), **ram_blocks(layer)}
