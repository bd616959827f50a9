"""The BGRU layer: which memory words it uses, and when."""

from functools import partial

import numpy as np
from amaranth.hdl import Cat, Mux, Signal

from hw.gateware.bgru import BGRULayer
from hw.gateware.bgru_sequence import add_sequence
from hw.gateware.bgru_state import State
from hw.gateware.bgru_update import add_update
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.layer_spec import LayerSpec
from hw.shape.words import ceil_log2
from model.bundle.random_bundle import random_layer
from proofs.contract import Counted, counter, held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof
from proofs.repack import progress

__all__ = ["PROOFS"]


def memories(*shapes: tuple[int, int, int, int]) -> str:
    """Layers of several shapes (inputs, units, PE, SIMD) in one circuit, each with its own free ends."""
    h = Harness()
    for shape in shapes:
        _one(h, *shape)
    return h.rtlil()


def _one(h: Harness, inputs: int, units: int, pe: int, simd: int) -> None:
    """A layer around an engine whose results are free: any bits, at any time after their row group's last word."""
    name = f"layer_{inputs}_{units}_{pe}_{simd}"
    layer = random_layer(np.random.default_rng(1), "bgru", inputs, units)
    spec = LayerSpec.of(layer, Folding(pe, simd), ECP5)
    dut = BGRULayer(layer, spec)
    engine = h.hollow(dut.engine)
    h.component(dut, name)
    h.m.d.comb += [
        engine.i.ready.eq(h.free(1, f"{name}_ready")),
        engine.o.valid.eq(h.free(1, f"{name}_valid")),
        engine.o.payload.eq(h.free(engine.o.payload.shape(), f"{name}_result")),
    ]
    parts, sequence, update = (h.inside(dut, function) for function in (BGRULayer.elaborate, add_sequence, add_update))
    state, written = parts.state, h.inside(parts.state, State.write)
    repack, h_write, off_write, chunk_write = parts.repack, written.h_write, written.off_write, update.chunk_write
    rows, words, gates = spec.engine.groups, spec.words, 2 * spec.groups

    # What the engine took, what it gave, and the words of r and h that were written.
    entering, leaving = moved(engine.i), moved(engine.o)
    word = counter(h, entering, words, "word")
    ends = entering & (word == words - 1)
    row = counter(h, ends, rows, "row")
    frame = counter(h, ends & (row == rows - 1), 2, "frame")
    result = counter(h, leaving, rows, "result")
    result_frame = counter(h, leaving & (result == rows - 1), 2, "result_frame")
    vector, chunk = update.vector, update.chunk
    came, left = Counted(h, repack.i, spec.groups, "came"), Counted(h, repack.o, spec.h_words, "left")

    # The sequence is a word ahead of the engine where it offers one.
    offered = sequence.offered
    next_word = Mux(word == words - 1, 0, word + 1)
    next_row = Mux(word != words - 1, row, Mux(row == rows - 1, 0, row + 1))
    next_frame = frame ^ ((word == words - 1) & (row == rows - 1))
    read_word, read_row = Mux(offered, next_word, word), Mux(offered, next_row, row)
    read_frame = Mux(offered, next_frame, frame)

    # The environment: a result for each row group that is in, with the start of its frame.
    starts = Signal(2, name="starts")
    with h.m.If(sequence.reading):
        h.m.d.sync += starts.bit_select(read_frame, 1).eq(parts.x.start)
    pending = Signal(range(rows + 2), name="pending")
    h.m.d.sync += pending.eq(pending + ends - leaving)
    h.assume(held(h, dut.i) & held(h, engine.o))
    h.assume(~engine.o.valid | (pending != 0))
    h.assume(engine.o.payload.start == starts.bit_select(result_frame, 1))

    # h is read only when all of it is there, r too.
    recurrent = word >= spec.x_words
    using_h = entering & recurrent
    using_r = using_h & (row >= gates)
    h.check(~using_h | (left.vector[1] == frame))
    h.check(~using_r | (left.vector[0] & (left.vector[1] == frame)))
    # It is the h that was written last, and in an utterance's first frame the initial state, which nobody overwrites.
    newest, fresh = Signal(name="newest"), Signal(init=1, name="fresh")
    finished = moved(repack.o) & left.last & left.vector[0]
    with h.m.If(finished):
        h.m.d.sync += [newest.eq(h_write.addr[-2]), fresh.eq(0)]
    h_bits, initial = ceil_log2(spec.h_words), engine.i.payload.start | fresh
    address = Cat((word - spec.x_words)[:h_bits], Mux(initial, 2, newest))
    h.check(~using_h | (sequence.h_address == address))
    h.check((h_write.addr[-1] == 0) & (chunk_write.addr[-1] == 0))
    begins = starts.bit_select(result_frame, 1) | fresh
    chunk_read = h.past(Cat(chunk, update.begins & (vector == 1)), 2)
    h.check(~(leaving & (vector == 1)) | (chunk_read == Cat(chunk, begins)))
    h.check(~(leaving & (vector == 2)) | (chunk_read == Cat(chunk, 0)))

    # No word is used that is written in the cycle it is read: h, where r is 0, and the chunks.
    h.check(~(using_h & h_write.en & (h_write.addr == sequence.h_address)))
    off_used = sequence.reading & sequence.dynamic
    h.check(~(off_used & off_write.en & (off_write.addr == sequence.h_word)))
    h.check(~(leaving & (vector != 0) & h.past(chunk_write.en, 2) & (h.past(chunk_write.addr, 2) == chunk_read)))

    # How it works.
    h.check((word < words) & (row < rows) & (result < rows))
    h.check(sequence.word == read_word)
    h.check(sequence.group + Mux(sequence.candidate_pass, gates, 0) == read_row)
    h.check((sequence.group < gates) & (~sequence.candidate_pass | (sequence.group < spec.groups)))
    h.check(sequence.h_word == Mux(sequence.recurrent, sequence.word - spec.x_words, 0))
    h.check(~offered | (sequence.offered_recurrent == recurrent))
    h.check(~(offered & recurrent) | (sequence.h_address == address))
    h.check(~offered | (engine.i.payload.start == starts.bit_select(frame, 1)))
    start = parts.x.start == starts.bit_select(read_frame, 1)
    h.check(((read_word == 0) & (read_row == 0)) | (parts.x.full & start))
    # Results follow the row groups; those of a frame's last ones may come while the next one's x is read.
    waits_for_h = (row == 0) & (word <= spec.x_words)
    h.check(pending + result == row + Mux(frame == result_frame, 0, rows))
    h.check((frame == result_frame) | waits_for_h)
    h.check(vector * spec.groups + chunk == result)
    h.check((chunk < spec.groups) & (vector <= 2))
    h.check(came.vector == Cat(result >= spec.groups, result_frame))
    h.check(came.index == Mux(vector == 1, 0, chunk))
    progress(h, repack, came, left)
    # The words that were written: of r, then of h.
    behind = left.vector[1] != read_frame
    h.check((written.back == left.index) & (written.to_h == left.vector[0]))
    h.check(state.h_complete == ~behind)
    h.check(state.r_complete == (left.vector[0] & ~behind))
    h.check(~behind | (left.vector[0] & (read_row == 0) & (read_word <= spec.x_words)))
    waits_for_r = (read_row < gates) | ((read_row == gates) & (read_word <= spec.x_words))
    h.check(behind | left.vector[0] | waits_for_r)
    h.check((state.bank == left.vector[1]) & (state.fresh == fresh) & (fresh | (newest == state.bank)))
    h.check(~fresh | (left.vector[1] == 0))
    h.check((vector == 0) | (update.begins == begins))


SMALL = (1, 2, 2, 1)
SHAPES = ((2, 3, 2, 2), (1, 3, 1, 2), (1, 3, 2, 1))


def _said(*shapes: tuple[int, int, int, int]) -> str:
    return "; ".join("{} inputs, {} units, PE {}, SIMD {}".format(*shape) for shape in shapes)


PROOFS = (
    Proof(
        "bgru-memories",
        "No word of h, r or the state's chunks is used that is written in the cycle it is read; h and r are read only "
        "when all of them are written, and it is the h that was written last; an utterance's first frame reads the "
        f"initial state, which nobody overwrites ({_said(SMALL)}).",
        "hw/gateware/bgru.py",
        partial(memories, SMALL),
        "induction",
        6,
        (
            Mutant(add_sequence, "state.r_complete, state.h_complete", "1, state.h_complete"),
            Mutant(add_sequence, "state.r_complete, state.h_complete", "state.r_complete, 1"),
            Mutant(add_sequence, "x.start | state.fresh", "state.fresh"),
            Mutant(State.write, "Cat(back, ~self.bank)", "Cat(back, self.bank)"),
            Mutant(add_update, "results.payload.start | state.fresh", "state.fresh"),
        ),
        reach=25,
    ),
    Proof(
        "bgru-memories-repacked",
        f"The same for {_said(*SHAPES)}.",
        "hw/gateware/bgru.py",
        partial(memories, *SHAPES),
        "induction",
        6,
        (Mutant(add_update, "waits.eq(spec.result_interval - 1)", "waits.eq(spec.result_interval - 2)"),),
        reach=25,
    ),
)
