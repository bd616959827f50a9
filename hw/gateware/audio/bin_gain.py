"""From a bin's integer gain to the coefficient that its spectrum is multiplied by."""

from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.audio.multiplier import COEFFICIENT
from hw.gateware.memory import ram, read
from model.bundle.audio_constants import gain_coefficients
from model.bundle.front_end import FrontEnd

__all__ = ["BinGain"]


class BinGain(wiring.Component):
    """The coefficient of a mask element of n bits (docs/exact-meaning.md, rule 13.1).

    Latency: 1 cycle. Memory: a ROM of 2^n words of 16 bits. Cost: about 16 LUT4, and 40 with a limit.

    Members
    -------
    element : In(n), in two's complement
    bypass : In(1), as if it were the largest
    floor : In(15), the least coefficient; only where `limited`
    coefficient : Out(signed(16)), where -2^15 means 2^15
    """

    def __init__(self, front_end: FrontEnd, limited: bool) -> None:
        self.front_end, self.limited = front_end, limited
        floor = {"floor": In(COEFFICIENT - 1)} if limited else {}
        bits = front_end.gain_bits
        super().__init__({"element": In(bits), "bypass": In(1), **floor, "coefficient": Out(signed(COEFFICIENT))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        half, coefficients = 1 << (self.front_end.gain_bits - 1), gain_coefficients(self.front_end).tolist()
        by_element = [0, *coefficients]  # from -half, which no layer gives, up
        words = [by_element[(element + half) % (2 * half)] for element in range(2 * half)]
        m.submodules.rom = rom = ram(COEFFICIENT, len(words), words, ram_style="block")
        gain, largest = Signal(COEFFICIENT), coefficients[-1]
        m.d.comb += gain.eq(Mux(self.bypass, largest, read(m, rom, self.element)))
        if self.limited:
            m.d.comb += self.coefficient.eq(Mux(gain < self.floor, self.floor, gain))
        else:
            m.d.comb += self.coefficient.eq(gain)
        return m
