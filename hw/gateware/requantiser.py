"""The requantiser of a layer of integers: sums of a row to an entry of a table, row after row."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.integer_mvu import Sums
from hw.gateware.memory import CyclicMemory, ram, read
from hw.gateware.popcount import delayed
from hw.gateware.streams import Word
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.requantiser import ROW_CYCLES
from hw.shape.row_constants import MULTIPLIER_BITS, ONE, SHIFT_BITS, THRESHOLD_BITS, constant_words
from model.bundle.integer_layers import IntegerLayer

__all__ = ["Requantiser", "table_words"]


def table_words(layer: IntegerLayer, bits: int) -> list[int]:
    """The tables in words of `bits`, by the index in two's complement: tanh, then sigmoid."""
    tables = [layer.tanh, *([] if layer.sigmoid is None else [layer.sigmoid])]
    return [value % (1 << bits) for table in tables for value in np.roll(table, len(table) // 2).tolist()]


class Requantiser(wiring.Component):
    """Rules 14.4 and 14.5 of docs/exact-meaning.md on one row at a time, without a multiplier.

    Both products grow together, a bit of their 16-bit multipliers each cycle, the lowest first: the register adds what
    the two bits say and shifts right. Then it goes on shifting as far as the row's shift says, by 8 or by 1, clips, and
    addresses the table. The tables of a gru layer are in one memory: r and z use sigmoid, h~ uses tanh.

    Throughput: a row in `hw.shape.requantiser.ROW_CYCLES`, whatever its constants, if `o` does not wait.
    Memory: the constants of all rows (`hw.shape.row_constants`), an entry for each index. Cost: about 300 LUT4 in a gru
    layer, and a flip-flop for each bit of all words of a row's constants but the last.

    Members
    -------
    i : In(stream of the sums of a row group); it is taken with its last row
    o : Out(stream of Word(own_bits)), the entries of all rows that are no padding
    """

    def __init__(self, layer: IntegerLayer, spec: IntegerLayerSpec) -> None:
        self.layer, self.spec = layer, spec
        super().__init__(
            {
                "i": In(stream.Signature(Sums(spec.engine))),
                "o": Out(stream.Signature(Word(spec.own_bits))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, shape = self.spec, self.spec.requantiser
        contents = table_words(self.layer, spec.own_bits)
        m.submodules.table = table = ram(spec.own_bits, shape.entries, contents, ram_style="block")

        load, step = Signal(), Signal(range(ROW_CYCLES))
        constants = self._constants(m, load, step)
        threshold, rest = constants[:THRESHOLD_BITS].as_signed(), constants[THRESHOLD_BITS:]
        w_multiplier, u_multiplier = (rest[SHIFT_BITS:].word_select(place, MULTIPLIER_BITS) for place in range(2))

        row, unit, matrix = (Signal(range(n)) for n in (spec.folding.pe, spec.units, spec.matrices))
        last_unit = unit == spec.units - 1
        last_row = (row == spec.folding.pe - 1) | last_unit
        sums = self.i.payload.data[row]
        m.d.comb += [
            load.eq((step == 0) & self.i.valid),
            self.i.ready.eq((step == 0) & last_row),
        ]

        # The product is `high` and, below it, `low`, in which the multiplier of W makes room for it.
        w, high = Signal(signed(shape.w_bits), reset_less=True), Signal(signed(shape.high_bits), reset_less=True)
        low, fine, coarse = (Signal(bits, reset_less=True) for bits in (MULTIPLIER_BITS, 3, 3))
        multiplying, gate = Signal(reset_less=True), Signal(reset_less=True)
        added: Value = high + Mux(multiplying & low[0], w, 0)
        if len(spec.engine.sum_bits) > 1:
            u, factor = (
                Signal(signed(spec.engine.sum_bits[1]), reset_less=True),
                Signal(MULTIPLIER_BITS, reset_less=True),
            )
            added += Mux(factor[0], u, 0)
            with m.If(load):
                m.d.sync += [u.eq(sums.u), factor.eq(u_multiplier)]
            with m.Elif(multiplying):
                m.d.sync += factor.eq(factor >> 1)
        product = Cat(low, high).as_signed()
        with m.If(load):
            m.d.sync += [
                step.eq(1),
                row.eq(Mux(last_row, 0, row + 1)),
                unit.eq(Mux(last_unit, 0, unit + 1)),
                w.eq(sums.w - threshold),
                Cat(low, high).eq(w_multiplier),
                Cat(fine, coarse).eq(rest[:SHIFT_BITS]),
                multiplying.eq(1),
                gate.eq(matrix != spec.matrices - 1),
                self.o.payload.start.eq(self.i.payload.start),
            ]
            with m.If(last_unit):
                m.d.sync += matrix.eq(Mux(matrix == spec.matrices - 1, 0, matrix + 1))
        with m.Else():
            with m.If(step == MULTIPLIER_BITS):
                m.d.sync += multiplying.eq(0)
            with m.If(multiplying | (fine != 0)):
                m.d.sync += Cat(low, high).eq(Cat(low, added).as_signed() >> 1)
                with m.If(~multiplying):
                    m.d.sync += fine.eq(fine - 1)
            with m.Elif(coarse != 0):
                m.d.sync += [Cat(low, high).eq(product >> 8), coarse.eq(coarse - 1)]
            with m.If((step != 0) & ((step != ROW_CYCLES - 1) | self.o.ready)):
                m.d.sync += step.eq(Mux(step == ROW_CYCLES - 1, 0, step + 1))

        # Its bits from the sign of an index up are all the same, unless it is beyond.
        negative, bits = high[-1], shape.bits
        index = Signal(bits, reset_less=True)
        within = product[bits - 1 :] == negative.replicate(len(product) - bits + 1)
        m.d.sync += index.eq(Mux(within, product[:bits], Cat((~negative).replicate(bits - 1), negative)))
        address = Cat(index, gate) if spec.recurrent else index
        m.d.comb += [self.o.valid.eq(step == ROW_CYCLES - 1), self.o.payload.data.eq(read(m, table, address))]
        return m

    def _constants(self, m: Module, load: Value, step: Value) -> Value:
        """All bits of the next row's constants, while `step` is 0: bits of a memory, copies of them, and constants.

        All words of a row but the last go into a register, while the row before is computed; the last stays at the
        memory's output. After reset the first row's are in the register, and the memory begins with its last word.
        """
        shape = self.spec.requantiser
        if shape.constants is None:
            stored: Value = Const(0, 0)
        else:
            words = shape.stored.words(constant_words(self.layer), shape.constants)
            early = shape.reads - 1
            m.submodules.constants = memory = CyclicMemory(shape.constants, words[early:] + words[:early])
            m.d.comb += memory.next.eq(load | ((step != 0) & (step <= early)))
            width = shape.constants.width
            held = Signal(early * width, init=sum(word << place * width for place, word in enumerate(words[:early])))
            if early:
                taken = delayed(m, (step != 0) & (step <= early), shape.constants.latency, reset=True)
                with m.If(taken):
                    m.d.sync += held.eq(Cat(held, memory.o) >> width)
            stored = Cat(held, memory.o)
        return Cat(stored[bit] if bit >= 0 else Const(int(bit == ONE), 1) for bit in shape.stored.sources)
