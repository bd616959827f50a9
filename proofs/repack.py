"""Repack: the vector that goes in comes out, whole, once and in order."""

from functools import partial

from amaranth.hdl import Const, Mux, Signal, Value

from hw.gateware.repack import Repack
from hw.shape.repack import RepackShape
from hw.shape.words import used_lanes, words
from proofs.contract import Counted, Remembered, bit_at, counter, held, moved, stuck
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS", "progress"]


def repack(*shapes: tuple[int, int, int]) -> str:
    """Several shapes in one circuit, each with its own free ends."""
    h = Harness()
    for shape in shapes:
        _one(h, RepackShape(*shape))
    return h.rtlil()


def _one(h: Harness, shape: RepackShape) -> None:
    length, source, sink, width = shape.length, shape.source, shape.sink, shape.piece
    dut = h.component(Repack(shape), f"repack_{length}_{source}_{sink}")
    came, left = Counted(h, dut.i, words(length, source), "in"), Counted(h, dut.o, words(length, sink), "out")

    # An arbitrary bit of an arbitrary vector, as it came in; and the vector's start.
    at, which = h.fixed(range(length), "at"), h.fixed(range(Counted.VECTORS), "which")
    h.assume(at < length)
    offset = came.index * source
    chosen = came.moved & (came.vector == which)
    start = Remembered(h, chosen, dut.i.payload.start)
    bit = Remembered(h, chosen & (at >= offset) & (at < offset + source), bit_at(dut.i.payload.data, at - offset))
    of_vector = Signal(name="of_vector")
    with h.m.If(came.moved):
        h.m.d.sync += of_vector.eq(dut.i.payload.start)
    h.assume((came.index == 0) | (dut.i.payload.start == of_vector))
    h.check((came.index == 0) | (came.vector != which) | (start.was == of_vector))

    h.assume(held(h, dut.i))
    h.check(held(h, dut.o))
    offset = left.index * sink
    with h.m.If((dut.o.valid if shape.joins else left.moved) & (left.vector == which)):
        h.check(dut.o.payload.start == start.now)
        with h.m.If((at >= offset) & (at < offset + sink)):
            h.check(bit_at(dut.o.payload.data, at - offset) == bit.now)
    with h.m.If(dut.o.valid & left.last):
        h.check((dut.o.payload.data & ~Const(used_lanes(length, sink), sink)) == 0)

    index, vector = progress(h, dut, came, left)
    waits = stuck(h, dut.i.valid & dut.o.ready, moved(dut.i) | moved(dut.o), shape.per_source - 1)
    if shape.cuts:
        word, place = index // shape.per_source, index % shape.per_source
        valid, cut = h.inside(dut, Repack.elaborate).valid, h.inside(dut, Repack._cut)
        h.check(~valid | (waits <= place))
        with h.m.If(valid & (vector == which)):
            h.check(cut.start == start.was)
            with h.m.If((at >= index * width) & (at < (word + 1) * source)):
                h.check(bit_at(cut.shift, at - index * width) == bit.was)
    if shape.joins:
        word, place = index // shape.per_sink, index % shape.per_sink
        with h.m.If((place != 0) & (vector == which)):
            h.check(dut.o.payload.start == start.was)
            with h.m.If((at < index * width) & (at >= word * sink)):
                h.check(bit_at(dut.o.payload.data, sink + at - index * width) == bit.was)


def progress(h: Harness, dut: Repack, came: Counted, left: Counted) -> tuple[Value, Signal]:
    """How it works: pieces of the vector, and vectors, that have gone from the cutting to the joining half.

    Tied to the words at both ends.
    """
    shape = dut.shape
    inner = h.inside(dut, Repack.elaborate)
    cut_valid, cut_ready, index = inner.valid, inner.ready, inner.index
    last = index == shape.pieces - 1
    vector = counter(h, cut_valid & cut_ready & last, Counted.VECTORS, "cut_vector")
    h.check(index < shape.pieces)
    h.check(inner.last == last)
    word, place = index // shape.per_source, index % shape.per_source
    if shape.cuts:
        # The word being cut is the one before the next to come.
        follows = Mux(word == words(shape.length, shape.source) - 1, 0, word + 1)
        h.check(came.index == Mux(cut_valid, follows, word))
        h.check(came.vector == (vector + (cut_valid & (follows == 0)))[: len(came.vector)])
        h.check(cut_valid | (place == 0))
        h.check(~cut_valid | (h.inside(dut, Repack._cut).left == shape.per_source - 1 - place))
    else:
        h.check((came.index == index) & (came.vector == vector))
    word, place = index // shape.per_sink, index % shape.per_sink
    if shape.joins:
        # A word that is complete is offered before the next piece is taken.
        offered = dut.o.valid
        before = Mux(index == 0, words(shape.length, shape.sink) - 1, word - 1)
        h.check(left.index == Mux(offered, before, word))
        h.check(vector == (left.vector + (offered & (index == 0)))[: len(vector)])
        h.check(h.inside(dut, Repack._join).place == place)
        h.check(~offered | (place == 0))
    else:
        h.check((left.index == index) & (left.vector == vector))
    return index, vector


SHAPES = ((7, 3, 5), (10, 4, 6), (10, 4, 2), (9, 2, 4), (10, 4, 4), (2, 6, 4))
SMALL = ((1028, 8, 65), (256, 1, 65), (256, 1, 20), (771, 5, 8))
"""Those of `small` on the ULX3S, as its README's foldings make them."""


def _said(shapes: tuple[tuple[int, int, int], ...]) -> str:
    return ", ".join(f"{length} bits in words of {source} to {sink}" for length, source, sink in shapes)


PROOFS = (
    Proof(
        "repack",
        "Every bit comes out once, in its place and order, with its vector's start; padding is zero; what is offered "
        f"stays until it is taken; two willing ends never wait for each other ({_said(SHAPES)}).",
        "hw/gateware/repack.py",
        partial(repack, *SHAPES),
        "induction",
        2,
        (
            Mutant(Repack.elaborate, "index == pieces - 2", "index == pieces - 1"),
            Mutant(Repack._cut, "~valid | finished", "~valid | ready"),
            Mutant(Repack._join, "~self.o.valid | self.o.ready", "Const(1)"),
            Mutant(Repack._join, "~self.o.valid | self.o.ready", "~self.o.valid & self.o.ready"),
            Mutant(Repack.elaborate, "Mux(last, cut & Const(used_lanes(length, width), width), cut)", "cut"),
        ),
    ),
    Proof(
        "repack-small",
        f"The same for the shapes of `small` on the ULX3S ({_said(SMALL)}).",
        "hw/gateware/repack.py",
        partial(repack, *SMALL),
        "induction",
        2,
        (Mutant(Repack._join, "place == count - 1", "place == count - 2"),),
    ),
)
