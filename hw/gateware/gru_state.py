"""The state of a gru layer: h and v = r h in words, h and z by unit, and the initial state."""

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from numpy.typing import NDArray

from hw.gateware.bgru_state import Offer
from hw.gateware.integer_operands import extended, input_operands
from hw.gateware.memory import ram
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.words import ceil_log2, integers
from model.bundle.integer_layers import IntegerLayer

__all__ = ["GruState"]

V_BANK = 3


class GruState:
    """The state memories in a layer's module, and their bank in use.

    h_cells : words of h and v. Banks 0 and 1 hold h before and after the frame, bank 2 the initial state, bank 3 v.
    unit_cells : for each unit the old h and, above it, z; in the upper half the initial state. A unit is written when
        its z arrives, together with the old h or the initial state, and again when its new h arrives.
    bank : the bank of h_cells that holds h before the frame
    fresh : no frame since reset
    h_complete, r_complete : all words of h before the frame, and of v in the frame, are written

    No reader uses a word in the cycle it is written: h is read from one bank and written to the other, v is written in
    pass 1 and read in pass 2, and a unit is read again in every cycle until its result may be taken.
    """

    def __init__(self, m: Module, layer: IntegerLayer, spec: IntegerLayerSpec) -> None:
        assert layer.initial_state is not None  # so checked with the bundle
        self.spec = spec
        own, simd = spec.own_bits, spec.folding.simd
        words, units = 1 << ceil_log2(spec.h_words), 1 << ceil_log2(spec.units)
        first = [0] * (2 * words) + _words(layer.initial_state, own, simd, words) + [0] * words
        m.submodules.h_cells = self.h_cells = ram(simd * own, len(first), first, ram_style="block")
        first = [0] * units + _words(layer.initial_state, own, 1, units)
        m.submodules.unit_cells = self.unit_cells = ram(2 * own, len(first), first, ram_style="block")
        self.bank, self.fresh = Signal(), Signal(init=1)
        self.h_complete, self.r_complete = Signal(init=1), Signal()

    def release(self, m: Module, read_all: Signal) -> None:
        """The last word of a frame has been read: the next frame waits for its own h and v."""
        with m.If(read_all):
            m.d.sync += [self.h_complete.eq(0), self.r_complete.eq(0)]

    def bank_read(self, begins: Value, dynamic: Value) -> Value:
        """The bank of h_cells to read: v for the candidate, h before the frame for the gates."""
        return Mux(dynamic, V_BANK, Mux(begins, 2, self.bank))

    def operands(self, m: Module, offer: Offer, x: Value, h: Value) -> Value:
        """The operands of a word, each as wide as a lane."""
        lane, own = self.spec.engine.operand_bits, self.spec.own_bits
        states = Cat(extended(h.word_select(index, own), lane) for index in range(self.spec.folding.simd))
        return Mux(offer.recurrent, states, input_operands(self.spec, x, offer.last_x))

    def write(self, m: Module, words: Any) -> None:
        """Take a stream of words, always ready: v and the new h in turn, in the order of units."""
        to_h, back = Signal(), Signal(range(self.spec.h_words))
        last_back = back == self.spec.h_words - 1
        h_write = self.h_cells.write_port()
        m.d.comb += [
            words.ready.eq(1),
            h_write.addr.eq(Cat(back, Mux(to_h, ~self.bank, Const(V_BANK, 2)))),
            h_write.data.eq(words.payload.data),
            h_write.en.eq(words.valid),
        ]
        with m.If(words.valid):
            m.d.sync += back.eq(Mux(last_back, 0, back + 1))
            with m.If(last_back):
                m.d.sync += to_h.eq(~to_h)
                with m.If(to_h):
                    m.d.sync += [self.h_complete.eq(1), self.bank.eq(~self.bank), self.fresh.eq(0)]
                with m.Else():
                    m.d.sync += self.r_complete.eq(1)


def _words(values: NDArray[np.int8], bits: int, per_word: int, count: int) -> list[int]:
    """Integers in two's complement as `count` memory words, lowest index first, padded with zeros."""
    planes = (values[:, None] >> np.arange(bits) & 1).astype(np.uint8)
    filled = np.pad(planes, ((0, count * per_word - len(values)), (0, 0)))
    return integers(filled.reshape(count, -1))
