"""The state of a BGRU layer: h in words and in chunks, r in words, and the initial state."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value
from numpy.typing import NDArray

from hw.gateware.memory import ram
from hw.gateware.popcount import delayed
from hw.shape.layer_spec import LayerSpec
from hw.shape.words import ceil_log2, integers
from model.bundle.bits import unpack
from model.bundle.layers import Layer

__all__ = ["Offer", "RecurrentState", "State", "initial_words"]


class Offer(NamedTuple):
    """What the sequence offers to the engine, for the state to find its operands.

    step : a word of h is chosen this cycle
    h_word, dynamic : its number, and whether it is one of the candidate's
    recurrent, last_x : whether the operand that is wanted now is a word of h, and the last one of x
    """

    step: Value
    h_word: Value
    dynamic: Value
    recurrent: Value
    last_x: Value


class RecurrentState(Protocol):
    """What the sequence asks of the state of a BGRU or gru layer; see `State`."""

    h_cells: Any
    fresh: Signal
    h_complete: Signal
    r_complete: Signal

    def release(self, m: Module, read_all: Signal) -> None: ...

    def bank_read(self, begins: Value, dynamic: Value) -> Value: ...

    def operands(self, m: Module, offer: Offer, x: Value, h: Value) -> Value: ...


def initial_words(layer: Layer, spec: LayerSpec) -> dict[str, tuple[int, list[int]]]:
    """Width and first contents of the memories that hold the initial state, by name."""
    assert layer.initial_state is not None  # so checked with the bundle
    pe, simd = spec.folding.pe, spec.folding.simd
    initial = unpack(layer.initial_state, spec.units)
    word_bank, chunk_bank = 1 << ceil_log2(spec.h_words), 1 << ceil_log2(spec.groups)
    return {
        "h_cells": (simd, [0] * (2 * word_bank) + _words(initial, simd, word_bank)),
        "chunk_cells": (2 * pe, [0] * chunk_bank + _words(initial, pe, chunk_bank)),
    }


def _words(bits: NDArray[np.uint8], width: int, count: int) -> list[int]:
    """A bit vector as `count` memory words, lowest index first, padded with zeros."""
    return integers(np.pad(bits, (0, count * width - len(bits))).reshape(-1, width))


class State:
    """The state memories in a layer's module, and their bank in use.

    h_cells : h in words. Banks 0 and 1 hold h before and after the frame, bank 2 the initial state.
    chunk_cells : per row group the old h and, above it, z; in the upper half the initial state. A chunk is written
        when z arrives, together with the old h or the initial state, and again when the new h arrives.
    off_cells : words of not r: words are padded with zeros, and padding lanes must stay at 0.
    bank : the bank of h_cells that holds h before the frame
    fresh : no frame since reset
    h_complete, r_complete : all words of h before the frame, and of r in the frame, are written

    No reader uses a word in the cycle it is written: h is read from one bank and written to the other, r is written in
    pass 1 and read in pass 2, and a chunk is read again in every cycle until its result may be taken.
    """

    def __init__(self, m: Module, layer: Layer, spec: LayerSpec) -> None:
        self.spec = spec
        bank, fresh = Signal(), Signal(init=1)
        self.bank, self.fresh = bank, fresh
        self.h_cells, self.chunk_cells = (
            ram(width, len(first), first, ram_style="block") for width, first in initial_words(layer, spec).values()
        )
        m.submodules.h_cells, m.submodules.chunk_cells = self.h_cells, self.chunk_cells
        m.submodules.off_cells = self.off_cells = ram(spec.folding.simd, spec.h_words)
        h_complete, r_complete = Signal(init=1), Signal()
        self.h_complete, self.r_complete = h_complete, r_complete

    def release(self, m: Module, read_all: Signal) -> None:
        """The last word of a frame has been read: the next frame waits for its own h and r."""
        with m.If(read_all):
            m.d.sync += [self.h_complete.eq(0), self.r_complete.eq(0)]

    def bank_read(self, begins: Value, dynamic: Value) -> Value:
        """The bank of h_cells to read: h before the frame, whether its lanes are then switched off or not."""
        return Mux(begins, 2, self.bank)

    def operands(self, m: Module, offer: Offer, x: Value, h: Value) -> Value:
        """Both operands of a word; they differ where r switches a lane off."""
        off = Signal(self.spec.folding.simd, reset_less=True)
        off_read = self.off_cells.read_port(domain="comb")
        m.d.comb += off_read.addr.eq(offer.h_word)
        with m.If(offer.step):
            m.d.sync += off.eq(Mux(offer.dynamic, off_read.data, 0))
        operand, off_lanes = Mux(offer.recurrent, h, x), delayed(m, off, 2)
        return Cat(operand | off_lanes, operand & ~off_lanes)

    def write(self, m: Module, words: Any) -> None:
        """Take a stream of words, always ready: r and the new h in turn, in row group order."""
        to_h, back = Signal(), Signal(range(self.spec.h_words))
        last_back = back == self.spec.h_words - 1
        h_write, off_write = self.h_cells.write_port(), self.off_cells.write_port()
        m.d.comb += [
            words.ready.eq(1),
            h_write.addr.eq(Cat(back, ~self.bank)),
            off_write.addr.eq(back),
            h_write.data.eq(words.payload.data),
            off_write.data.eq(words.payload.data),
            h_write.en.eq(words.valid & to_h),
            off_write.en.eq(words.valid & ~to_h),
        ]
        with m.If(words.valid):
            m.d.sync += back.eq(Mux(last_back, 0, back + 1))
            with m.If(last_back):
                m.d.sync += to_h.eq(~to_h)
                with m.If(to_h):
                    m.d.sync += [self.h_complete.eq(1), self.bank.eq(~self.bank), self.fresh.eq(0)]
                with m.Else():
                    m.d.sync += self.r_complete.eq(1)
