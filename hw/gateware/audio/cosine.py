"""The engine's constants: a quarter of a cosine, which serves twiddles, split and windows, and a few words more."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import ceil_log2

from hw.gateware.memory import ram, read

__all__ = ["CosineRom"]


class CosineRom(wiring.Component):
    """-|cos(2 pi j / N)| and its sign for any j, sines too, out of N/4 + 1 words of 16 bits; and `others` behind them.

    The negative is what is stored, for 2^15 has no place in 16 bits. Latency: 2 cycles from the angle to the word.
    Memory: N/4 + 1 + len(others) words of 16 bits. Cost: about 2 log2(N) LUT4.

    Members
    -------
    angle : In(log2 N), j; sine : In(1), sin(2 pi j / N) instead
    other : In(1), the word `which` of the others instead
    negative : Out(1), the cosine or sine is below zero; with others, it isn't
    word : Out(signed(16))
    """

    def __init__(self, magnitudes: Sequence[int], others: Sequence[int]) -> None:
        self.quarter = len(magnitudes) - 1
        self.contents = [-value for value in magnitudes] + list(others)
        bits = ceil_log2(4 * self.quarter)
        super().__init__(
            {
                "angle": In(bits),
                "sine": In(1),
                "other": In(1),
                "which": In(range(max(2, len(others)))),
                "negative": Out(1),
                "word": Out(signed(16)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        low = len(self.angle) - 2
        quadrant = Signal(2)
        m.d.comb += quadrant.eq(self.angle[low:] - self.sine)
        within = self.angle[:low]
        address = Signal(range(len(self.contents)))
        folded = Mux(quadrant[0], self.quarter - within, within)
        negative = Signal()
        m.d.sync += [
            address.eq(Mux(self.other, Cat(self.which) + self.quarter + 1, folded)),
            negative.eq((quadrant[0] ^ quadrant[1]) & ~self.other),
            self.negative.eq(negative),
        ]
        m.submodules.words = words = ram(signed(16), len(self.contents), self.contents, ram_style="block")
        m.d.comb += self.word.eq(read(m, words, address))
        return m
