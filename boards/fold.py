"""Choose a folding: how many rows and columns of a layer are worked on in a cycle."""

from hw.arithmetic import accumulator, select
from hw.family import Family
from hw.layers import Folding, Source
from hw.streams import words
from model.bundle import Layer

__all__ = ["depth", "fewest_blocks"]


def depth(layer: Layer, folding: Folding) -> int:
    """Words of a layer's weight memory; a frame takes it as many cycles, or a few more."""
    row, matrices = words(layer.inputs, folding.simd), 1
    if layer.kind == "bgru":
        row, matrices = row + words(layer.units, folding.simd), 3
    return matrices * words(layer.units, folding.pe) * row


def fewest_blocks(layer: Layer, family: Family, lanes: int, pace: int, source: Source) -> Folding:
    """The folding whose weights and biases take the fewest RAM blocks, of those the one with the fewest LUT4.

    It has at most `lanes` lanes; its weights are at most `pace` words deep, and no deeper than a RAM block, unless no
    folding's are.
    """
    recurrent = layer.kind == "bgru"
    arithmetic = select(layer.binary)
    total = accumulator(layer.inputs + (layer.units if recurrent else 0), dynamic=recurrent).width
    large = family.single_port_ram if source == "loaded" else None
    deepest = large[0] if large else max(family.block_ram)
    choices = []
    for pe in range(1, min(lanes, layer.units) + 1):
        for simd in range(1, min(lanes // pe, layer.columns) + 1):
            folding = Folding(pe, simd, source)
            words_deep, width = depth(layer, folding), pe * arithmetic.stored_bits(simd)
            _, blocks = family.weight_blocks(source, words_deep, width)
            blocks += family.blocks((3 if recurrent else 1) * words(layer.units, pe), pe * total)
            # Roughly: the lanes, the accumulators, and the operand's memories and multiplexers.
            luts = pe * (3 * simd * (2 if recurrent else 1) + 2 * total) + 6 * simd
            choices.append((words_deep > min(pace, deepest), blocks, luts, pe, simd))
    *_, pe, simd = min(choices)
    return Folding(pe, simd, source)
