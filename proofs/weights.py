"""Weights in SDRAM: none is used before all were read back and right, and wrong ones are known for ever."""

from functools import partial

from amaranth.hdl import Cat, Mux, Signal
from amaranth.lib.fifo import SyncFIFOBuffered

from boards.definitions.sdram import ULX3S_SDRAM, Chip
from boards.gateware.sdram_layout import Part
from boards.gateware.sdram_weights import Memory, WeightReader
from boards.gateware.weight_queue import QUEUE_CHUNKS, WeightQueue
from proofs.contract import counter, held, moved
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

CHUNK = 2
"""SDRAM words of a chunk: few, so that a pass takes few cycles. A pass is two chunks."""

IDENTITY = bytes(range(8))


def queue(part: Part) -> str:
    """One queue, whose words come for chunks that it had room for, with pauses anywhere."""
    h = Harness()
    dut = h.component(WeightQueue(part))
    inner = h.inside(dut, WeightQueue.elaborate)
    crc, repack, moving = inner.crc, inner.repack, inner.moving
    fifo = h.inside(inner.queue, SyncFIFOBuffered.elaborate)

    # A chunk is asked for only where there is room, and brings as many words. In the test, from reset to some time
    # after the first verdict, each is asked for once: `sdram-weights`.
    due = Signal(range(CHUNK * QUEUE_CHUNKS + 1), name="due")
    h.m.d.sync += due.eq(due + Mux(dut.asked, CHUNK, 0) - dut.i.valid)
    asks, tested = Signal(range(part.chunks + 1), name="asks"), Signal(name="tested")
    with h.m.If(dut.asked & dut.testing):
        h.m.d.sync += asks.eq(asks + 1)
    h.m.d.sync += tested.eq(tested | dut.right | dut.wrong)
    h.assume(~dut.asked | (dut.room & (~dut.testing | (asks != part.chunks))))
    h.assume(~dut.i.valid | (due != 0))
    h.assume(Mux(h.past(dut.testing) | ~h.begun, dut.testing | tested, ~dut.testing))

    # Every word that comes finds its place.
    h.check(~dut.i.valid | inner.queue.w_rdy)
    inside = fifo.inner_level + inner.queue.r_rdy + inner.full
    h.check((inner.promised == due + inside) & (inner.promised <= CHUNK * QUEUE_CHUNKS))
    h.check(~moving | inner.full)

    # A pass is all words of the part; each is in its CRC, and its verdict is the CRC's.
    place = counter(h, moving, part.size, "place")
    h.check(crc.valid == moving)
    h.check(~moving | ((crc.start == (place == 0)) & (crc.data == inner.word)))
    h.check((dut.right | dut.wrong) == h.past(moving & (place == part.size - 1)))
    h.check(~(dut.right | dut.wrong) | (dut.right == crc.match_detected))
    h.check(~(dut.right & dut.wrong))
    h.check((place < part.size) & (inner.tail == (place >= part.data)) & (inner.begin == (place == 0)))
    h.check(inner.left + place == Mux(inner.tail, part.size, part.data) - 1)

    # The weights are the words before the tail, of whole passes after the test.
    passed = Signal(name="passed")
    h.m.d.sync += passed.eq(passed | (moving & (place == part.size - 1)))
    h.check(moved(repack.i) == (moving & ~dut.testing & (place < part.data)))
    h.check(~moved(repack.i) | passed)
    h.check(~dut.testing | ~passed | ((place == 0) & ~inner.full & (due == 0)))
    h.check(~dut.testing | (CHUNK * asks == Mux(passed, part.size, place + due + inside)))
    h.check(asks <= part.chunks)
    h.check((~tested | passed) & (dut.testing | tested) & (~passed | tested | h.past(moving)))
    h.check(~dut.o.valid | (~dut.testing & (dut.o.payload == inner.word)))
    h.check(held(h, dut.o))
    return h.rtlil()


def reader(parts: tuple[Part, ...]) -> str:
    """The reader, with a loader and an SDRAM that give anything."""
    h = Harness()
    dut = WeightReader(parts, IDENTITY, Memory(Chip.slowest([ULX3S_SDRAM]), 100e6), 0)
    for hollowed in (dut.loader, dut.controller, *dut.queues):
        h.hollow(hollowed)
    loader, controller = dut.loader, dut.controller
    h.component(dut)
    asking = h.inside(dut, WeightReader._ask)
    inner = h.inside(dut, WeightReader.elaborate)

    # The loader: `flash-loader` says what it never does. A new image may come after one that failed.
    h.m.d.comb += [loader.done.eq(h.free(1, "done")), loader.failed.eq(h.free(1, "failed"))]
    h.m.d.comb += [loader.o.valid.eq(h.free(1, "word_valid")), loader.o.payload.eq(h.free(16, "word"))]
    h.assume(held(h, loader.o))
    h.assume(~(loader.done & loader.failed) & (h.begun | ~(loader.done | loader.failed)))
    h.assume(~h.past(loader.done) | loader.done)

    # The SDRAM takes what it likes, and gives any words.
    h.m.d.comb += [controller.read.ready.eq(h.free(1, "reads")), controller.write.ready.eq(h.free(1, "writes"))]
    h.m.d.comb += [controller.o.valid.eq(h.free(1, "comes")), controller.o.payload.eq(h.free(16, "word_read"))]
    h.check(held(h, controller.read))

    # The queues: `weight-queue` says that a verdict is one on a whole pass, and that no weight leaves in the test.
    testing, rights, wrongs = ~dut.ready, [], []
    for part, queue in zip(parts, dut.queues, strict=True):
        right, wrong, given = (h.free(1, f"{part.name}_{name}") for name in ("right", "wrong", "given"))
        h.m.d.comb += [queue.right.eq(right), queue.wrong.eq(wrong), queue.room.eq(h.free(1, f"{part.name}_room"))]
        h.m.d.comb += [queue.o.valid.eq(given), queue.o.payload.eq(h.free(part.width, f"{part.name}_weights"))]
        h.assume(~(right & wrong) & (~given | ~queue.testing))
        asks, judged = Signal(range(part.chunks + 1), name=f"{part.name}_asks"), Signal(name=f"{part.name}_judged")
        failing = Signal(name=f"{part.name}_wrong")
        with h.m.If(queue.asked & testing):
            h.m.d.sync += asks.eq(asks + 1)
        h.m.d.sync += [judged.eq(judged | right | wrong), failing.eq(failing | wrong)]
        h.assume(~(right | wrong) | ((asks == part.chunks) & (~judged | ~testing)))
        rights.append(right)
        wrongs.append(failing)

        # In the test each chunk is asked for once, in order.
        chunk, once = asking.chunks[parts.index(part)], h.signal(dut, f"{part.name}_once")
        h.check(~testing | ~queue.asked | (asks != part.chunks))
        h.check((chunk >= part.first) & (chunk < part.first + part.chunks) & (asks <= part.chunks))
        h.check(~testing | ((once == (asks == part.chunks)) & (chunk == part.first + Mux(once, 0, asks))))
        h.check(~testing | ~judged | (failing ^ inner.checked[parts.index(part)]))
        h.check((~inner.checked[parts.index(part)] & ~failing) | judged)
        h.check(testing | once)
        h.check((~judged | (asks == part.chunks)) & ((asks == 0) | h.past(loader.done)))
        # No weight leaves before all are right.
        h.check(~getattr(dut, f"load_{part.name}").valid | dut.ready)

    # Loading: each word goes to the next address, from 0 again after an image that failed.
    written = Signal(controller.bits, name="written")
    h.m.d.sync += written.eq(Mux(loader.failed, 0, written + moved(loader.o)))
    h.check(controller.write.valid == loader.o.valid)
    h.check(~controller.write.valid | (controller.write.payload.data == loader.o.payload))
    h.check(controller.write.payload.address == written)
    # Reading: after a right image alone, a chunk at a time.
    first, last = controller.read.payload.first, controller.read.payload.last
    h.check(~controller.read.valid | h.past(loader.done))
    h.check(~controller.read.valid | ((first % CHUNK == 0) & (last == first + CHUNK - 1) & (last < dut.words)))

    # Ready: every part has been read back, whole and right, and nothing was wrong until then.
    right, wrong = Signal(len(parts), name="right"), Cat(*wrongs).any()
    h.m.d.sync += right.eq(right | Cat(*rights))
    h.check(inner.checked == right)
    h.check(~dut.ready | right.all())
    h.check(~h.past(dut.ready) | dut.ready)
    h.check(~h.past(wrong) | h.past(dut.ready) | ~dut.ready)
    # Whatever was wrong once has failed for ever; a wrong image, until another comes.
    h.check(inner.spoilt == wrong)
    h.check(~h.begun | (dut.failed == h.past(wrong | loader.failed)))
    return h.rtlil()


PARTS = (Part("gru0", 16, 2, 0, CHUNK), Part("mask", 16, 1, 2, CHUNK))

PROOFS = (
    Proof(
        "weight-queue",
        "Each word that was asked for finds its place; each pass over a part "
        "is whole, and its verdict is that of the CRC register; no weight leaves in the test, and afterwards those of "
        "the part alone (chunks of 2 words).",
        "boards/gateware/weight_queue.py",
        partial(queue, PARTS[0]),
        "induction",
        4,
        (
            Mutant(WeightQueue.elaborate, "promised <= depth - part.chunk", "promised <= depth"),
            Mutant(WeightQueue.elaborate, "kept = ~tail & ~self.testing", "kept = ~tail"),
            Mutant(WeightQueue.elaborate, "crc.start.eq(begin)", "crc.start.eq(begin & self.testing)"),
        ),
        reach=24,
    ),
    Proof(
        "sdram-weights",
        "Whatever lies in the flash and the SDRAM: no weight leaves before every part has been read back with the "
        "right CRC, after a right image; what was wrong once has failed for ever, and if that was before, no weight "
        "ever leaves; each word of an image goes to its own address (two parts of 4 words).",
        "boards/gateware/sdram_weights.py",
        partial(reader, PARTS),
        "induction",
        3,
        (
            Mutant(WeightReader.elaborate, "checked.all()", "checked.any()"),
            Mutant(WeightReader.elaborate, "spoilt | Cat", "Cat"),
            Mutant(WeightReader.elaborate, "queue.testing.eq(~self.ready)", "queue.testing.eq(~loader.done)"),
            Mutant(WeightReader.elaborate, "address.eq(0)", "address.eq(1)"),
            Mutant(WeightReader._ask, "(self.ready | ~once)", "1"),
        ),
        reach=24,
    ),
)
