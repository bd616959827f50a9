"""Five ternary weights in eight bits: 243 of 256 codes, 1.6 bits a weight instead of 2.

A code is the five signs, unchanged, and three bits p, q and w. With the signs, these say which trits are not zero.
The sign of a zero trit does not affect the product, so it is free to carry information:

- Trits 3 and 4: w = 1 means both; w = 0 means one, and their signs say which (equal: trit 3). If both are zero there is
  no code here: that case is the *escape*.
- Trits 0 and 2: p means trit 0, q means trit 2.
- Trit 1: p = q = 1 always means it. If one of them is 1, the sign of the other's trit decides. If neither is, it is not
  zero only if both their signs are 0.
- If trit 1 is zero, its sign is free: if it equals that of trit 4, *both* trits 0 and 2 are not zero after all.

This leaves 5 of the 32 combinations of p, q, both and the signs of trits 0 and 2. They are the escape: the sign of
trit 3 then says whether trit 1 is zero, and w says so for trit 0 or 2.

The rules are written once, for anything with `& | ^ ~`: Amaranth's single bits and NumPy's booleans. The encoder is a
look-up table of the decoder's inverse.
"""

from functools import cache
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from hw.shape.number_format import CODE_BITS, TRITS, packed_bits

__all__ = ["DECODER", "TritDecoder", "Unpack", "pack_trits"]

DECODER = "trits"
"""Name of a decoder's module; `hw.flow.synth` keeps these separate until everything else is mapped."""


def pack_trits(weights: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Weights of -1, 0, +1, (..., count), to bits (..., packed_bits(count)), lowest first.

    A last code of fewer than five weights is padded with trits that differ from vector to vector. They are never read,
    but constant padding would make some bits constant; Yosys would remove those from the memory, and
    `boards.flow.bram_patch` could not find it in a placed design.
    """
    missing, vectors = -weights.shape[-1] % TRITS, np.prod(weights.shape[:-1], dtype=int)
    scattered = np.arange(vectors, dtype=np.uint64) * np.uint64(0x9E3779B1) >> np.uint64(16)  # Fibonacci hashing
    filling = (scattered[:, None] // 3 ** np.arange(missing, dtype=np.uint64) % 3).astype(np.int8) - np.int8(1)
    filled = np.concatenate([weights, filling.reshape(*weights.shape[:-1], missing)], axis=-1)
    fives = filled.reshape(*weights.shape[:-1], -1, TRITS)
    return np.unpackbits(_codes()[_number(fives)], axis=-1, bitorder="little")


class Unpack(wiring.Component):
    """`count` packed weights to the two planes of `hw.gateware.arithmetic.Ternary`. Combinational: see `TritDecoder`.

    Members
    -------
    i : In(packed_bits(count)); o : Out(2 * count), the signs, then the non-zeros
    """

    def __init__(self, count: int) -> None:
        self.count = count
        super().__init__({"i": In(packed_bits(count)), "o": Out(2 * count)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        signs, nonzeros = [], []
        for place in range(-(-self.count // TRITS)):
            m.submodules[f"{DECODER}_{place}"] = decoder = TritDecoder()
            m.d.comb += decoder.code.eq(self.i.word_select(place, CODE_BITS))
            signs.append(decoder.signs)
            nonzeros.append(decoder.nonzeros)
        m.d.comb += self.o.eq(Cat(Cat(signs)[: self.count], Cat(nonzeros)[: self.count]))
        return m


class TritDecoder(wiring.Component):
    """An 8-bit code to five sign and five non-zero bits; the sign of a zero trit is arbitrary.

    Cost: 8 LUT4, four levels deep; the signs are wires. It is a separate module because Yosys, optimising it with other
    logic, trades LUTs for depth and makes 12 to 13 LUT4.
    """

    def __init__(self) -> None:
        super().__init__({"code": In(CODE_BITS), "signs": Out(TRITS), "nonzeros": Out(TRITS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        signs, nonzeros = _decode([self.code[place] for place in range(CODE_BITS)])
        m.d.comb += [self.signs.eq(Cat(signs)), self.nonzeros.eq(Cat(nonzeros))]
        return m


def _decode(bits: list[Any]) -> tuple[list[Any], list[Any]]:
    *signs, p, q, w = bits
    s0, s1, s2, s3, s4 = signs
    n1 = (p | ~(s0 ^ q)) & (q | ~(s2 ^ p))
    both = ~n1 & ~(s1 ^ s4)
    escape = (p & both) | (~p & s2 & ~(q ^ both))
    nonzeros = [
        (~escape & (p | both)) | (escape & ((p & w) | (~p & ~both))),
        n1 | (escape & s3),
        (~escape & (q | both)) | (escape & (w | (both & ~q))),
        ~escape & (w | ~(s3 ^ s4)),
        ~escape & (w | (s3 ^ s4)),
    ]
    return signs, nonzeros


@cache
def _codes() -> NDArray[np.uint8]:
    """The lowest code of each of the 3**5 vectors of trits, in the order of `_number`."""
    codes = np.arange(1 << CODE_BITS)
    signs, nonzeros = _decode([(codes >> bit & 1).astype(bool) for bit in range(CODE_BITS)])
    values = np.where(nonzeros, np.where(signs, 1, -1), 0)
    return np.unique(_number(values.T), return_index=True)[1].astype(np.uint8)


def _number(trits: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """Trits of -1, 0, +1, (..., 5), as numbers from 0 to 242: base 3, the first trit lowest."""
    return (trits + 1) @ 3 ** np.arange(TRITS)
