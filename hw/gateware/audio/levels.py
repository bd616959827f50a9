"""From a bin's power to its features: the key and its comparison with the bin's thresholds, or its level."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.audio.logarithm import MANTISSA, SerialLogarithm
from hw.gateware.memory import ram, read

__all__ = ["POWER_BITS", "Levels"]

POWER_BITS = 34


class Levels(wiring.Component):
    """Features of a bin from its power q, and the gain's exponent: a bit per threshold, the lowest first, or one level.

    q goes through the serial logarithm, `power_bits` cycles; then a threshold is compared each cycle that `o` takes
    one: `power_bits + thresholds + 1` cycles a bin. A level is the difference to the one threshold of a bin, shifted
    and clipped (docs/exact-meaning.md, rule 12.10). Between frames the energy uses the logarithm. Memory: bins x bits
    thresholds of 16 bits (17 where one is out of reach). Cost: about 150 LUT4.

    Members
    -------
    load : In(1), take `power` and `shift`, of the next bin; only while not `busy`
    busy : Out(1)
    bit, enable, clear : In, of the logarithm while no bin is in work
    limit : In(16), the gain's C_n; settle : In(1), the exponent e is that of the number in the logarithm
    o : Out(stream of `width` bits): a feature bit, or with more than one bit a level in two's complement

    Parameters
    ----------
    keys, each : thresholds of all bins, so many for each bin
    width : bits of a feature
    power_bits : bits of q
    """

    def __init__(
        self, keys: Sequence[int], each: int, width: int, shift_limit: int, power_bits: int = POWER_BITS
    ) -> None:
        self.keys, self.each, self.width, self.power_bits = list(keys), each, width, power_bits
        super().__init__(
            {
                "load": In(1),
                "busy": Out(1),
                "power": In(power_bits),
                "shift": In(range(shift_limit + 1)),
                "bit": In(1),
                "enable": In(1),
                "clear": In(1),
                "limit": In(16),
                "settle": In(1),
                "o": Out(stream.Signature(width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.logarithm = logarithm = SerialLogarithm()
        q, left, shift = Signal(self.power_bits), Signal(range(self.power_bits + 1)), Signal.like(self.shift)
        exponent = Signal(signed(7), init=-60)
        emitting, which = Signal(), Signal(range(max(2, self.each)))
        m.d.comb += [
            self.busy.eq((left != 0) | emitting),
            logarithm.bit.eq(Mux(left != 0, q[0], self.bit)),
            logarithm.enable.eq((left != 0) | self.enable),
            logarithm.clear.eq(self.load | self.clear),
        ]
        log = Cat(logarithm.mantissa, logarithm.exponent)
        with m.If(self.settle):
            difference = (log - self.limit) >> MANTISSA
            m.d.sync += exponent.eq(Mux(logarithm.some, difference, -60))
        with m.If(left != 0):
            m.d.sync += [q.eq(q >> 1), left.eq(left - 1), emitting.eq(left == 1)]
        with m.If(self.load):
            m.d.sync += [q.eq(self.power), left.eq(self.power_bits), shift.eq(self.shift)]

        address = Signal(range(len(self.keys)))
        m.submodules.thresholds = thresholds = ram(
            max(16, max(self.keys).bit_length()), len(self.keys), self.keys, ram_style="block"
        )
        threshold = read(m, thresholds, address)
        above, prepared, fetched = Signal(signed(9)), Signal(), Signal()
        level = Cat(logarithm.mantissa, above).as_signed()
        m.d.sync += [
            above.eq(logarithm.exponent + (shift << 1) - 1 - exponent),
            prepared.eq(emitting),
        ]
        m.d.comb += [
            self.o.valid.eq(emitting & prepared & fetched),
            self.o.payload.eq(self._feature(logarithm.some, level, threshold)),
        ]
        m.d.sync += fetched.eq(~(self.o.valid & self.o.ready))
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [
                address.eq(Mux(address == len(self.keys) - 1, 0, address + 1)),
                which.eq(Mux(which == self.each - 1, 0, which + 1)),
            ]
            with m.If(which == self.each - 1):
                m.d.sync += [emitting.eq(0), prepared.eq(0)]
        return m

    def _feature(self, some: Value, level: Value, threshold: Value) -> Value:
        if self.width == 1:
            return (threshold == 0) | (some & (level >= threshold))
        steps = (level - threshold) >> (MANTISSA + 4 - self.width)
        most = (1 << self.width) - 1
        clipped = Mux(~some | (steps < 0), 0, Mux(steps > most, most, steps))[: self.width]
        return Cat(clipped[:-1], ~clipped[-1])  # less half of the range
