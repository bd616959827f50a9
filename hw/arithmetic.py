"""Number formats: how a word of weights meets a word of bipolar operands.

The schedule and the memories know nothing of the format; they ask an `Arithmetic` for the bits of a weight,
for the integers to compare with, and for the component that multiplies. To add a format, write one of these.

A *static* matrix sees operands of -1 and +1 only. A *dynamic* one also sees lanes that are switched off
(`active` is 0), as in `Uh (r * h)`; there the number of lanes that count depends on the data.
"""

from abc import abstractmethod
from typing import Any, Protocol

import numpy as np
from amaranth.hdl import Module, Shape, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.popcount import Popcount, latency

__all__ = ["Arithmetic", "Binary", "Ternary", "select"]

Weights = NDArray[np.int8]
"""Weights as -1, 0, +1."""


class Arithmetic(Protocol):
    """What a number format must answer."""

    name: str
    weight_bits: int
    has_zero: bool
    """Whether a weight can be 0. If not, padding lanes must be kept out: x 0 and active 0 there."""

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        """Weights (..., simd) to the bits of a memory word, (..., weight_bits * simd), lowest bit first."""
        ...

    def limits(self, weights: Weights, theta: NDArray[np.int32], dynamic: bool) -> NDArray[np.int64]:
        """The integer that the accumulated products must reach, per row: weights (rows, columns), theta (rows,)."""
        ...

    def accumulator(self, columns: int, dynamic: bool) -> Shape:
        """Shape of the accumulator, and of the limits: it must hold any sum over `columns` and one more."""
        ...

    def multiplier(self, pe: int, simd: int, dynamic: bool) -> Any:
        """A component with `i` (weights, x, active), `o` (one sum per PE) and `latency`."""
        ...


class _Counting:
    """What binary and ternary share: sums of +-1 products, found by counting.

    A dynamic sum `a` is kept as it is, signed, and compared with theta. A static one is kept as the count
    of equal lanes only: `a = 2 count - kept`, so `a >= theta` is `count >= ceil((theta + kept) / 2)`, and the
    constant of the row costs nothing (docs/exact-meaning.md, rule 8).
    """

    def limits(self, weights: Weights, theta: NDArray[np.int32], dynamic: bool) -> NDArray[np.int64]:
        columns = weights.shape[-1]
        wide = theta.astype(np.int64)
        if dynamic:
            return np.clip(wide, -columns, columns + 1)
        kept = np.count_nonzero(weights, axis=-1)
        return np.clip(-((-(wide + kept)) // 2), 0, columns + 1)

    def accumulator(self, columns: int, dynamic: bool) -> Shape:
        return Shape.cast(range(-columns, columns + 2) if dynamic else range(columns + 2))


class Ternary(_Counting):
    """Weights of -1, 0, +1 as two planes: `simd` sign bits, then `simd` non-zero bits."""

    name = "ternary"
    weight_bits = 2
    has_zero = True

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        return np.concatenate([weights > 0, weights != 0], axis=-1).astype(np.uint8)

    def multiplier(self, pe: int, simd: int, dynamic: bool) -> "TernaryMultiplier":
        return TernaryMultiplier(pe, simd, dynamic)


class Binary(_Counting):
    """Weights of -1 and +1 as one plane of sign bits. A padding weight (0) is stored as +1."""

    name = "binary"
    weight_bits = 1
    has_zero = False

    def encode(self, weights: Weights) -> NDArray[np.uint8]:
        # Padding operands are 0, that is -1 by sign: stored as +1, a padding weight never equals them.
        return (weights >= 0).astype(np.uint8)

    def multiplier(self, pe: int, simd: int, dynamic: bool) -> "BinaryMultiplier":
        return BinaryMultiplier(pe, simd, dynamic)


def select(kept_all: bool) -> Arithmetic:
    """Binary where no weight of the layer is zero (rho = 1), ternary otherwise."""
    return Binary() if kept_all else Ternary()


class _Multiplier(wiring.Component):
    """`pe` rows of `simd` lanes: the sum of a word's products for each row, one word per cycle.

    Latency: that of a `simd`-bit `Popcount`, plus one cycle where dynamic.

    Members
    -------
    i : In(stream of {weights: pe x (weight_bits * simd), x: simd, active: simd}, always ready)
    o : Out(stream of pe sums, always ready); static: the count of equal lanes, dynamic: the signed sum
    """

    weight_bits: int

    def __init__(self, pe: int, simd: int, dynamic: bool) -> None:
        self.pe, self.simd, self.dynamic = pe, simd, dynamic
        self.latency = latency(simd) + dynamic
        layout = data.StructLayout(
            {"weights": data.ArrayLayout(self.weight_bits * simd, pe), "x": simd, "active": simd}
        )
        shape = Shape.cast(range(-simd, simd + 1) if dynamic else range(simd + 1))
        super().__init__(
            {
                "i": In(stream.Signature(layout, always_ready=True)),
                "o": Out(stream.Signature(data.ArrayLayout(shape, pe), always_ready=True)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        sums = [self._row(m, row, self.i.payload.weights[row]) for row in range(self.pe)]
        # A difference of two counts gets a register of its own; a single count already has one.
        target = m.d.sync if self.dynamic else m.d.comb
        target += [out.eq(value) for out, value in zip(self.o.payload, sums, strict=True)]
        target += self.o.valid.eq(m.submodules["plus_0"].o.valid)
        return m

    @abstractmethod
    def _row(self, m: Module, row: int, weights: Value) -> Value:
        """The sum of one row's products."""

    def _count(self, m: Module, name: str, bits: Value) -> Value:
        m.submodules[name] = count = Popcount(self.simd)
        m.d.comb += [count.i.payload.eq(bits), count.i.valid.eq(self.i.valid)]
        return count.o.payload


class TernaryMultiplier(_Multiplier):
    """XNOR, mask and popcount. Cost per lane: static about 3, dynamic about 6 LUT4 (two popcounts)."""

    weight_bits = Ternary.weight_bits

    def _row(self, m: Module, row: int, weights: Value) -> Value:
        sign, nonzero = weights[: self.simd], weights[self.simd :]
        equal = ~(self.i.payload.x ^ sign)
        if not self.dynamic:
            return self._count(m, f"plus_{row}", equal & nonzero)
        kept = nonzero & self.i.payload.active
        return self._count(m, f"plus_{row}", equal & kept) - self._count(m, f"minus_{row}", ~equal & kept)


class BinaryMultiplier(_Multiplier):
    """XNOR and popcount. Cost per lane: about 3 LUT4; where dynamic, one more popcount for all rows together."""

    weight_bits = Binary.weight_bits

    def _row(self, m: Module, row: int, weights: Value) -> Value:
        equal = ~(self.i.payload.x ^ weights)
        if not self.dynamic:
            return self._count(m, f"plus_{row}", equal)
        active = self.i.payload.active
        if row == 0:
            self._active = self._count(m, "active", active)
        return (self._count(m, f"plus_{row}", equal & active) << 1) - self._active
