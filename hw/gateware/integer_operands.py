"""Operands of an integer MVU: elements of a vector, each as wide as a lane."""

from amaranth.hdl import Cat, Const, Value

from hw.shape.integer_layer_spec import IntegerLayerSpec

__all__ = ["extended", "input_operands", "outgoing"]


def extended(element: Value, bits: int) -> Value:
    """A signed element, sign-extended to `bits`."""
    return Cat(element, element[-1].replicate(bits - len(element)))


def outgoing(element: Value, bits: int) -> Value:
    """An element inside a layer as an output of `bits`; with one bit, -1 and +1 become 0 and 1."""
    return ~element[-1] if bits == 1 else element[:bits]


def input_operands(spec: IntegerLayerSpec, x: Value, last: Value) -> Value:
    """A word of the input as operands; `last` says that it is a vector's last.

    One bit is -1 or +1. Where every weight has a sign, the lanes beyond the vector are 0; elsewhere their weights are.
    """
    given, bits = spec.input_bits, spec.engine.operand_bits
    used = spec.inputs - (spec.x_words - 1) * spec.folding.simd
    found = []
    for lane in range(spec.folding.simd):
        element = x.word_select(lane, given)
        operand = extended(Cat(Const(1, 1), ~element) if given == 1 else element, bits)
        padding = lane >= used and not spec.lanes.zero
        found.append(operand & (~last).replicate(bits) if padding else operand)
    return Cat(found)
