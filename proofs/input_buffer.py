"""InputBuffer: the reader sees whole vectors, bit by bit as they came, in order."""

from amaranth.hdl import Cat, Const

from hw.gateware.input_buffer import InputBuffer
from hw.shape.words import used_lanes, words
from proofs.contract import Counted, Remembered, bit_at, counter, held, stuck
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]


def input_buffer() -> str:
    """Two shapes: a last word that is short and cleaned, and a single word per vector.

    The environment: the reader releases a vector only while there is one. It may read any word in any cycle.
    """
    h = Harness()
    for length, simd, clean in ((5, 3, True), (3, 4, False)):
        _one(h, length, simd, clean)
    return h.rtlil()


def _one(h: Harness, length: int, simd: int, clean: bool) -> None:
    count = words(length, simd)
    dut = h.component(InputBuffer(length, simd, clean), f"buffer_{length}_{simd}")
    inner = h.inside(dut, InputBuffer.elaborate)
    came = Counted(h, dut.i, count, "in")
    h.assume(held(h, dut.i))
    h.assume(~dut.release | dut.full)
    h.assume(dut.address < count)
    reading = counter(h, dut.release, Counted.VECTORS, "reading")

    at, which = h.fixed(range(length), "at"), h.fixed(range(Counted.VECTORS), "which")
    h.assume(at < length)
    offset = came.index * simd
    chosen = came.moved & (came.vector == which)
    bit = Remembered(h, chosen & (at >= offset) & (at < offset + simd), bit_at(dut.i.payload.data, at - offset))
    start = Remembered(h, chosen & came.last, dut.i.payload.start)

    # Two banks, in turn: as many vectors are complete as were written and not released.
    h.check(inner.index == came.index)
    h.check((inner.filling == came.vector[0]) & (inner.reading == reading[0]))
    held_vectors = (came.vector - reading)[: len(reading)]
    full = inner.full
    h.check(held_vectors <= 2)
    h.check((full[0] & full[1]) == (held_vectors == 2))
    h.check((full[0] | full[1]) == (held_vectors != 0))
    h.check((held_vectors != 1) | full.bit_select(reading[0], 1))

    # What the reader gets, a cycle later. A word that is read is never written in the same cycle.
    address = h.past(dut.address)
    right = h.past(dut.full & dut.enable & (reading == which)) & (address == at // simd)
    h.check(~right | (bit_at(dut.data, at - address * simd) == h.past(bit.was)))
    h.check(~(dut.full & (reading == which)) | (dut.start == start.was))
    write = inner.write
    h.check(~(write.en & dut.full & (write.addr == Cat(dut.address, inner.reading))))
    if clean:
        padding = Const(~used_lanes(length, simd), simd)
        h.check(~h.past(dut.full & dut.enable & (dut.address == count - 1)) | ((dut.data & padding) == 0))
    stuck(h, dut.i.valid & (held_vectors < 2), came.moved, 0)


PROOFS = (
    Proof(
        "input-buffer",
        "The reader sees each vector whole, every bit as it came, in order, with its start and clean padding; no word "
        "is read in the cycle it is written; while there is room, a word is taken at once (5 bits in words of 3, "
        "3 in 4).",
        "hw/gateware/input_buffer.py",
        input_buffer,
        "bounded",
        14,
        (
            Mutant(InputBuffer.elaborate, "~full.bit_select(filling, 1)", "1"),
            Mutant(InputBuffer.elaborate, "Mux(last, used, -1)", "-1"),
            Mutant(InputBuffer.elaborate, "Cat(self.address, reading)", "Cat(self.address, ~reading)"),
            Mutant(InputBuffer.elaborate, "start.bit_select(filling, 1)", "start.bit_select(reading, 1)"),
        ),
    ),
)
