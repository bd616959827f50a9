"""The engine: credits keep its queue from overflowing, and every row group gives one result, in order."""

from functools import partial

import numpy as np
from amaranth.hdl import Mux, Signal
from amaranth.lib.fifo import SyncFIFO

from hw.gateware.engine import Engine, FoldedMatrix
from hw.shape.engine_spec import EngineSpec
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from hw.shape.number_format import TERNARY
from proofs.arithmetic import total
from proofs.contract import held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]


def credit(words: int) -> str:
    """Row groups of `words` words through an engine whose weights are streamed, so that any can come.

    The credit counts the results in the queue and in the pipeline, and the open row group. The pipeline is a delay, so
    its contents are the transfers of the last cycles.
    """
    h = Harness()
    groups = 2
    spec = EngineSpec(TERNARY, Folding(1, 2, "streamed"), 2 * words, False, groups, words, ECP5)
    rows = np.zeros((groups, 2 * words), dtype=np.int8)
    dut = h.component(Engine(spec, FoldedMatrix(spec, rows, np.zeros(groups, dtype=np.int64))))
    inner = h.inside(dut, Engine.elaborate)
    queue, mvu = inner.queue, inner.mvu

    # The environment: a row group is `words` words, marked, and what is offered stays.
    h.assume(held(h, dut.i))
    index = Signal(range(words), name="index")
    with h.m.If(moved(dut.i)):
        h.m.d.sync += index.eq(Mux(index == words - 1, 0, index + 1))
    h.check(index < words)
    h.assume(dut.i.payload.first == (index == 0))
    h.assume(dut.i.payload.last == (index == words - 1))

    # From a row group's last word to the queue: the weights' way and the MVU's.
    ending = moved(dut.i) & dut.i.payload.last
    cycles = spec.latency - 1
    h.check(mvu.o.valid == h.past(ending, cycles))
    in_pipeline = total([h.past(ending, cycle) for cycle in range(1, cycles + 1)])
    leaving = h.past(moved(dut.o))
    pending = inner.pending
    h.check(pending == in_pipeline + queue.level + (index != 0) + leaving)
    h.check(inner.room == (pending != spec.queue_words))

    h.check(pending <= spec.queue_words)
    h.check(~queue.w_en | queue.w_rdy)
    h.check(held(h, dut.o))
    fifo, depth = h.inside(queue, SyncFIFO.elaborate), spec.queue_words
    h.check((fifo.produce < depth) & (fifo.consume < depth) & (queue.level <= depth))
    ahead = fifo.consume + queue.level
    h.check((fifo.produce == ahead) | (fifo.produce + depth == ahead))
    h.check(dut.i.ready | ~dut.load.valid | (pending == spec.queue_words) | (index != 0) | ~dut.i.valid)
    return h.rtlil()


PROOFS = tuple(
    Proof(
        f"engine-credits-{words}",
        "The credits are exactly what is in the pipeline and the queue, so the queue never overflows, every row group "
        f"of {words} word{'s' if words > 1 else ''} gives one result, and a row group waits only for a full queue or "
        "its weights.",
        "hw/gateware/engine.py",
        partial(credit, words),
        "induction",
        14,
        (
            Mutant(Engine.elaborate, "next_pending != spec.queue_words", "next_pending <= spec.queue_words"),
            Mutant(Engine.elaborate, "pending + entering - leaving", "pending + entering"),
        ),
    )
    for words in (1, 3)
)
