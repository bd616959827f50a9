"""The bitwise GRU layer (Kim, Maity and Kim, ICASSP 2019, eq. 4)."""

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal

from hw.gateware.layers import LayerComponent
from hw.gateware.memory import ram, read
from hw.gateware.popcount import delayed
from hw.gateware.repack import Repack
from hw.shape.words import ceil_log2
from model.bundle.bits import unpack

__all__ = ["BGRULayer"]


class BGRULayer(LayerComponent):
    """Six matrices on one MVU, in two passes over the rows, with the state in two small memories.

    Pass 1 (gates):     r and then z, row group by row group: words of x against W, then words of h against U.
    Pass 2 (candidate): h~, row group by row group: words of x against Wh, then words of r * h against Uh; each
                        result meets its z and its old h and becomes the new h.

    The passes follow one another without a gap, frame after frame. Only two things wait: words of r * h for the
    last of r, and words of h for the last of the frame before; the words of x that come before them in a row group
    go ahead meanwhile, and mostly outlast the wait. Then the layer takes the ideal `3 * groups * words` cycles
    exactly; `hw.shape.cycles` predicts its cycles for any shape.

    The state lives twice: as `pe`-bit chunks, for `h = z ? h : h~`, and as `simd`-bit words, for U h. The words
    are in two banks, since the old h is still read while the new one is written. Both memories also hold the
    initial state, which is read in place of the old h in an utterance's first frame (and in the first after
    reset), so starting over costs no cycle.

    Memory: the engine's, twice the input vector, h five times, r and z once.
    """

    def initial_words(self) -> dict[str, tuple[int, list[int]]]:
        """Width and first contents of the memories that hold the initial state, by name."""
        spec = self.spec
        pe, simd = spec.folding.pe, spec.folding.simd
        assert self.layer.initial_state is not None  # so checked with the bundle
        initial = unpack(self.layer.initial_state, spec.units)
        word_bank, chunk_bank = 1 << ceil_log2(spec.h_words), 1 << ceil_log2(spec.groups)
        return {
            "h_cells": (simd, [0] * (2 * word_bank) + _words(initial, simd, word_bank)),
            "chunk_cells": (2 * pe, [0] * chunk_bank + _words(initial, pe, chunk_bank)),
        }

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spec, pe, simd = self.spec, self.spec.folding.pe, self.spec.folding.simd
        m.submodules.engine = engine = self.engine
        m.submodules.repack = repack = Repack(spec.repack)
        x = self._input(m)
        self._load(m)

        # State. Word banks 0 and 1 hold h before and after the frame, bank 2 the initial state. Where r is 0 is
        # kept rather than where it is 1: words are padded with zeros, and padding lanes must stay at 0.
        bank, fresh = Signal(), Signal(init=1)
        # A chunk is the old h and, above it, z: it is written when z comes, with the old h or the initial state
        # beside it, and when the new h does.
        # No read below uses a word that is being written: h is read in one bank and written in the other, r is
        # read in pass 2 and written in pass 1, and a chunk is read again in every cycle until its result may be taken.
        h_cells, chunk_cells = (
            ram(width, len(first), first, ram_style="block") for width, first in self.initial_words().values()
        )
        m.submodules.h_cells, m.submodules.chunk_cells = h_cells, chunk_cells
        m.submodules.off_cells = off_cells = ram(simd, spec.h_words)

        # Sequence: which word of which row group of which pass is read next.
        n = spec.x_words + spec.h_words
        word, group, candidate_pass = Signal(range(n)), Signal(range(2 * spec.groups)), Signal()
        last_word = word == n - 1
        last_group = group == Mux(candidate_pass, spec.groups - 1, 2 * spec.groups - 1)
        recurrent = word >= spec.x_words
        h_word = Signal(range(spec.h_words))
        h_complete, r_complete = Signal(init=1), Signal()
        offered, offered_recurrent = Signal(), Signal()
        step = ~offered | engine.i.ready
        ready = x.full & (~recurrent | Mux(candidate_pass, r_complete, h_complete))
        reading = ready & step
        # The memories are read at the word that is offered, again and again until it is taken; the operand comes two
        # cycles later, out of block RAM's own registers. (The buffer is released while the last word, one of h, is on
        # its way to be offered: the words of x are through by then.)
        x_address, h_address = Signal(range(spec.x_words)), Signal(range(3 << ceil_log2(spec.h_words)))
        h_data = read(m, h_cells, h_address)
        dynamic = recurrent & candidate_pass
        off = Signal(simd, reset_less=True)
        off_read = off_cells.read_port(domain="comb")
        operand = Mux(delayed(m, offered_recurrent, 2), delayed(m, h_data, 1), delayed(m, x.data, 1))
        off_lanes = delayed(m, off, 2)
        m.d.comb += [
            x.address.eq(x_address),
            x.enable.eq(1),
            off_read.addr.eq(h_word),
            engine.i.valid.eq(offered),
            engine.x[0].eq(operand | off_lanes),
            engine.x[1].eq(operand & ~off_lanes),
        ]
        with m.If(step):
            m.d.sync += [
                offered.eq(ready),
                offered_recurrent.eq(recurrent),
                x_address.eq(word),
                h_address.eq(Cat(h_word, Mux(x.start | fresh, 2, bank))),
                off.eq(Mux(dynamic, off_read.data, 0)),
                engine.i.payload.first.eq(word == 0),
                engine.i.payload.last.eq(last_word),
                engine.i.payload.start.eq(x.start),
            ]
        with m.If(reading):
            m.d.sync += word.eq(Mux(last_word, 0, word + 1))
            with m.If(recurrent):
                m.d.sync += h_word.eq(Mux(last_word, 0, h_word + 1))
            with m.If(last_word):
                m.d.sync += group.eq(Mux(last_group, 0, group + 1))
                with m.If(last_group):
                    m.d.sync += candidate_pass.eq(~candidate_pass)
        read_all = reading & last_word & last_group & candidate_pass
        m.d.comb += x.release.eq(read_all)
        with m.If(read_all):
            m.d.sync += [h_complete.eq(0), r_complete.eq(0)]

        # Results: r to its words, z to its chunks, h~ through the update to both and out. The reader may be in the
        # next frame meanwhile, so whether this one begins an utterance is noted with its r.
        vector, chunk, begins = Signal(range(3)), Signal(range(spec.groups)), Signal()
        last_chunk = chunk == spec.groups - 1
        # Block RAM is far away: a chunk takes a cycle to be addressed, one in the memory and one out of it, and is
        # written a cycle late. The next result waits for that.
        chunk_data = delayed(m, read(m, chunk_cells, Cat(chunk, begins & (vector == 1))), 1)
        old_data, z_data = chunk_data[:pe], chunk_data[pe:]
        taken = engine.o.valid & engine.o.ready
        waits = Signal(range(spec.result_interval))
        with m.If(waits != 0):
            m.d.sync += waits.eq(waits - 1)
        with m.If(taken):
            m.d.sync += waits.eq(spec.result_interval - 1)
            m.d.sync += chunk.eq(Mux(last_chunk, 0, chunk + 1))
            with m.If(last_chunk):
                m.d.sync += vector.eq(Mux(vector == 2, 0, vector + 1))
            with m.If(vector == 0):
                m.d.sync += begins.eq(engine.o.payload.start | fresh)
        valid = engine.o.valid & (waits == 0)
        new = Signal(pe)
        chunk_write = chunk_cells.write_port()
        written = Mux(vector == 1, Cat(old_data, engine.o.payload.data), new)
        m.d.sync += [chunk_write.addr.eq(chunk), chunk_write.data.eq(written), chunk_write.en.eq(taken & (vector != 0))]
        m.d.comb += [
            new.eq((z_data & old_data) | (~z_data & engine.o.payload.data)),
            repack.i.payload.data.eq(Mux(vector == 0, ~engine.o.payload.data, new)),
            self.o.payload.data.eq(new),
            self.o.payload.start.eq(engine.o.payload.start),
        ]
        # r and the new h go to their words, the new h also out: both must take it, each exactly once, and `repack`
        # says whether it can without being asked.
        m.d.comb += [
            repack.i.valid.eq(valid & ((vector == 0) | ((vector == 2) & self.o.ready))),
            self.o.valid.eq(valid & (vector == 2) & repack.i.ready),
            engine.o.ready.eq((waits == 0) & ((vector == 1) | (repack.i.ready & ((vector == 0) | self.o.ready)))),
        ]

        to_h, back = Signal(), Signal(range(spec.h_words))
        last_back = back == spec.h_words - 1
        h_write, off_write = h_cells.write_port(), off_cells.write_port()
        m.d.comb += [
            repack.o.ready.eq(1),
            h_write.addr.eq(Cat(back, ~bank)),
            off_write.addr.eq(back),
            h_write.data.eq(repack.o.payload.data),
            off_write.data.eq(repack.o.payload.data),
            h_write.en.eq(repack.o.valid & to_h),
            off_write.en.eq(repack.o.valid & ~to_h),
        ]
        with m.If(repack.o.valid):
            m.d.sync += back.eq(Mux(last_back, 0, back + 1))
            with m.If(last_back):
                m.d.sync += to_h.eq(~to_h)
                with m.If(to_h):
                    m.d.sync += [h_complete.eq(1), bank.eq(~bank), fresh.eq(0)]
                with m.Else():
                    m.d.sync += r_complete.eq(1)

        m.d.comb += [
            self.probe.valid.eq(taken),
            self.probe.vector.eq(vector),
            self.probe.data.eq(engine.o.payload.data),
            self.probe.h.eq(new),
            self.probe.busy.eq(x.full),
            self.probe.released.eq(x.release),
        ]
        return m


def _words(bits: np.ndarray[tuple[int], np.dtype[np.uint8]], width: int, count: int) -> list[int]:
    """A bit vector as `count` memory words, lowest index first, padded with zeros."""
    padded = np.pad(bits, (0, count * width - len(bits))).reshape(-1, width)
    return [int.from_bytes(row.tobytes(), "little") for row in np.packbits(padded, axis=-1, bitorder="little")]
