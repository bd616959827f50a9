"""Weights that are loaded into a RAM come out in the order in which they came, over and over."""

from functools import partial

from hw.gateware.memory import CyclicMemory
from hw.shape.cyclic_memory import CyclicShape
from proofs.contract import Remembered, counter, held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]


def cyclic(*shapes: CyclicShape) -> str:
    """Memories of several shapes. The environment asks for a word only while the memory is ready."""
    h = Harness()
    for shape in shapes:
        dut = h.component(CyclicMemory(shape), f"words_{shape.depth}")
        h.assume(held(h, dut.load))
        h.assume(~dut.next | dut.ready)
        came = counter(h, moved(dut.load), shape.depth, "came")
        asked = counter(h, dut.next, shape.depth, "asked")
        which = h.fixed(range(shape.depth), "which")
        word = Remembered(h, moved(dut.load) & (came == which), dut.load.payload)
        h.check(~h.past(dut.next & (asked == which), shape.latency) | (dut.o == word.was))
        # It is ready once all words are there, and takes no more.
        h.check(~h.begun | (dut.ready == h.past(dut.ready | (moved(dut.load) & (came == shape.depth - 1)))))
        h.check(dut.load.ready == ~dut.ready)
    return h.rtlil()


PROOFS = (
    Proof(
        "loaded-weights",
        "Words that are loaded come out in order, from the first again after the last, each as it came; the memory is "
        "ready once all are there (2, 3 and 4 words).",
        "hw/gateware/memory.py",
        partial(cyclic, *(CyclicShape(3, depth, 2, False) for depth in (2, 3, 4))),
        "bounded",
        12,
        (
            Mutant(CyclicMemory.elaborate, "last.eq(address == depth - 2)", "last.eq(address == depth - 1)"),
            Mutant(CyclicMemory.elaborate, "self.load.valid & ~self.ready", "self.load.valid"),
        ),
        reach=12,
    ),
)
