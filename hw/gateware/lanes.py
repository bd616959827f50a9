"""The lanes of an integer MVU: how a weight is stored, and how it is multiplied by an operand.

A lane is a strategy that is handed to the one MVU (`hw.gateware.integer_mvu`). Cost: docs/hardware.md has the table.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from amaranth.hdl import Array, Const, Module, Mux, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from model.bundle.formats import WeightFormat

__all__ = ["MULTIPLIER", "Lanes", "Multiplier", "lanes"]

MULTIPLIER = "times"
"""Name of the modules with a multiplier; `hw.flow.synth` keeps these separate until everything else is mapped."""

Codes = NDArray[np.int8]
Bits = NDArray[np.uint8]


class Lanes(Protocol):
    """The interface of a format's lanes."""

    format: WeightFormat

    def encode(self, weights: Codes) -> Bits:
        """Codes (..., simd) as they are stored, (..., simd * format.bits), lowest bit first. Padding has code 0."""
        ...

    def products(self, stored: Value, x: Sequence[Value]) -> list[Value]:
        """The products of the weights stored and the signed operands."""
        ...


class Signs:
    """Weights of -1 and +1 as a sign bit each. Padding is stored as +1: its operands must be 0."""

    def __init__(self, format: WeightFormat) -> None:
        self.format = format

    def encode(self, weights: Codes) -> Bits:
        return (weights >= 0).astype(np.uint8)

    def products(self, stored: Value, x: Sequence[Value]) -> list[Value]:
        return [Mux(stored[lane], value, -value) for lane, value in enumerate(x)]


class SignsAndZeros:
    """Weights of -1, 0 and +1 as two planes: sign bits, then non-zero bits, as in bitwise layers."""

    def __init__(self, format: WeightFormat) -> None:
        self.format = format

    def encode(self, weights: Codes) -> Bits:
        return np.concatenate([weights > 0, weights != 0], axis=-1).astype(np.uint8)

    def products(self, stored: Value, x: Sequence[Value]) -> list[Value]:
        return [Mux(stored[len(x) + lane], Mux(stored[lane], value, -value), 0) for lane, value in enumerate(x)]


class TwosComplement:
    """Weights of 3 to 8 bits in two's complement, lane by lane. A product is a sum of shifted operands, in LUTs."""

    def __init__(self, format: WeightFormat) -> None:
        self.format = format

    def encode(self, weights: Codes) -> Bits:
        bits = weights[..., None] >> np.arange(self.format.bits) & 1
        return bits.reshape(*weights.shape[:-1], -1).astype(np.uint8)

    def products(self, stored: Value, x: Sequence[Value]) -> list[Value]:
        bits = self.format.bits
        weights = [stored.word_select(lane, bits) for lane in range(len(x))]
        return [self._product(weight, value) for weight, value in zip(weights, x, strict=True)]

    def _product(self, weight: Value, x: Value) -> Value:
        """A balanced sum of shifted operands; the highest bit of the weight subtracts."""
        terms = [Mux(bit, x << place, 0) for place, bit in enumerate(weight[:-1])]
        while len(terms) > 1:
            pairs = [terms[index] + terms[index + 1] for index in range(0, len(terms) - 1, 2)]
            terms = pairs + terms[2 * len(pairs) :]
        return terms[0] - Mux(weight[-1], x << (len(weight) - 1), 0)


class Multiplier(wiring.Component):
    """A weight in two's complement times an operand, for which Yosys takes a multiplier of the device.

    It is a separate module (`hw.flow.synth` keeps it), because Yosys' `ice40_dsp` would otherwise put the adder behind
    the product into the SB_MAC16 too, on which ABC crashes.

    Members
    -------
    weight : In(signed(bits)); x : In(signed(operand_bits)); product : Out(signed), all of its bits
    """

    def __init__(self, bits: int, operand_bits: int) -> None:
        super().__init__(
            {"weight": In(signed(bits)), "x": In(signed(operand_bits)), "product": Out(signed(bits + operand_bits))}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.product.eq(self.weight * self.x)
        return m


class Shifts:
    """Weights of a sign and an exponent: sign and magnitude of the code. The product is a shift."""

    def __init__(self, format: WeightFormat) -> None:
        self.format = format

    def encode(self, weights: Codes) -> Bits:
        wide = weights.astype(np.int16)
        stored = np.abs(wide) | (wide < 0).astype(np.int16) << (self.format.bits - 1)
        bits = stored[..., None] >> np.arange(self.format.bits) & 1
        return bits.reshape(*weights.shape[:-1], -1).astype(np.uint8)

    def products(self, stored: Value, x: Sequence[Value]) -> list[Value]:
        bits = self.format.bits
        return [self._product(stored.word_select(lane, bits), value) for lane, value in enumerate(x)]

    def _product(self, code: Value, x: Value) -> Value:
        magnitude, negative = code[:-1], code[-1]
        shifted = Array([Const(0, 1), *(x << place for place in range(self.format.most))])[magnitude]
        return Mux(negative, -shifted, shifted)


def lanes(format: WeightFormat) -> Lanes:
    """The lanes of a weight format."""
    if format.exponent:
        return Shifts(format)
    return Signs(format) if not format.zero else SignsAndZeros(format) if format.most == 1 else TwosComplement(format)
