"""The AXI4-Stream core of the network: whole frames in and whole packets out, whatever the packets."""

from types import SimpleNamespace

import numpy as np
from amaranth.hdl import Cat, Mux, Signal, Value

from hw.gateware.axi import AxiNetwork, AxiStream
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.random_bundle import random_bundle
from proofs.contract import Counted, Remembered, counter, held, moved, stuck
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

IN_WIDTH, OUT_WIDTH = 8, 16
BINS = 19
"""Features and mask bits of the network: three words in, two words out, of which the last has one byte."""

MOST_INSIDE = (1 << 16) - 1
"""Frames in the network, at most; the core counts them in 16 bits."""


def axi(dut: AxiStream, prefix: str, *parts: str) -> SimpleNamespace:
    """A stream of the core as `proofs.contract` knows them; the payload is its parts in a row."""
    payload = Cat(getattr(dut, f"{prefix}_{part}") for part in ("tdata", *parts))
    valid, ready = getattr(dut, f"{prefix}_tvalid"), getattr(dut, f"{prefix}_tready")
    return SimpleNamespace(payload=payload, valid=valid, ready=ready)


def core(h: Harness) -> AxiNetwork:
    """The core around a network whose streams are free, but hold what they offer."""
    bundle = random_bundle(np.random.default_rng(0), (), bins=BINS)
    network = h.hollow(Network(bundle, {"mask": Folding(1, 1, "streamed")}, ECP5, IN_WIDTH, OUT_WIDTH))
    dut = h.component(AxiNetwork(network))
    h.m.d.comb += [
        network.i.ready.eq(h.free(1, "network_ready")),
        network.o.valid.eq(h.free(1, "network_valid")),
        network.o.payload.eq(h.free(network.o.payload.shape(), "network_payload")),
        network.load_mask.ready.eq(h.free(1, "network_load")),
    ]
    h.assume(held(h, network.o))
    return dut


def read(h: Harness, dut: AxiStream, name: str) -> tuple[Value, Value]:
    """Whether a register was read in the cycle before, and the data now on the bus."""
    address = next(place for place, register in enumerate(dut.registers) if register.name == name)
    asked = dut.wb_cyc_i & dut.wb_stb_i & ~dut.wb_ack_o & (dut.wb_adr_i == address)
    return h.past(asked), dut.wb_dat_o


def features() -> str:
    """Packets of any length into the network: three words of each, or zeros in place of those that it lacks."""
    h = Harness()
    dut = core(h)
    i, s = dut.network.i, axi(dut, "s_axis", "tlast", "tuser")
    inner, count = h.inside(dut, AxiNetwork._features), dut.sizes["FRAME_WORDS"]
    frame = Counted(h, i, count, "frame")
    place, packet = Signal(range(count + 1)), Signal(2)
    with h.m.If(moved(s)):
        h.m.d.sync += place.eq(Mux(dut.s_axis_tlast, 0, Mux(place == count, count, place + 1)))
        h.m.d.sync += packet.eq(packet + dut.s_axis_tlast)
    h.assume(held(h, s))
    h.check(held(h, i))

    # A word of the packet is the frame's word of the same place, in the same cycle; words beyond the frame go nowhere.
    passed = moved(s) & (place != count)
    h.check(~passed | (moved(i) & (packet == frame.vector) & (place == frame.index)))
    h.check(~passed | (i.payload.data == dut.s_axis_tdata))
    # Other words of the frame are zeros behind the end of its packet.
    ended = packet == (frame.vector + 1)[:2]
    h.check(~moved(i) | passed | (ended & (i.payload.data == 0) & (frame.index != 0)))
    # A frame begins an utterance if its first word says so, or if it is the first one.
    start = Remembered(h, moved(i), i.payload.start)
    fresh = Signal(init=1)
    with h.m.If(moved(i)):
        h.m.d.sync += fresh.eq(0)
    h.check(~moved(i) | (i.payload.start == Mux(frame.index == 0, dut.s_axis_tuser | fresh, start.was)))
    stuck(h, s.valid & i.ready, moved(s) | moved(i), 0)

    # A packet is complete before its frame is, or with it, or still has words beyond the frame.
    beyond = frame.vector == (packet + 1)[:2]
    h.check((inner.filling == ended) & (inner.dropping == beyond))
    h.check((inner.index == frame.index) & (frame.index < count))
    h.check(Mux(ended, place == 0, Mux(beyond, place == count, (packet == frame.vector) & (place == frame.index))))
    h.check(~ended | (frame.index != 0))
    h.check(~beyond | (frame.index == 0))
    h.check((inner.fresh == fresh) & Mux(fresh, frame.index == 0, inner.start == start.was))

    # The counters: frames, and packets that were too short or too long.
    frames, errors = Signal(32), Signal(32)
    wrong = moved(s) & Mux(dut.s_axis_tlast, place < count - 1, place == count - 1)
    h.m.d.sync += [frames.eq(frames + (moved(i) & frame.last)), errors.eq(errors + wrong)]
    for name, counted in (("frames", frames), ("errors", errors)):
        asked, value = read(h, dut, name)
        h.check(~asked | (dut.wb_ack_o & (value == h.past(counted))))
        h.check(getattr(h.inside(dut, AxiNetwork._counters), name) == counted)
    return h.rtlil()


def masks() -> str:
    """Masks out of the network, and what the registers say of the frames inside.

    The environment: packets have the right length, a mask leaves the network only after its frame is in, and its words
    agree on `start`.
    """
    h = Harness()
    dut = core(h)
    i, o = dut.network.i, dut.network.o
    s, m = axi(dut, "s_axis", "tlast", "tuser"), axi(dut, "m_axis", "tlast", "tkeep", "tuser")
    entering, leaving = Counted(h, i, dut.sizes["FRAME_WORDS"], "in"), Counted(h, o, dut.sizes["MASK_WORDS"], "out")
    start = Remembered(h, moved(o), o.payload.start)
    h.assume(held(h, s) & (dut.s_axis_tlast == entering.last))
    h.assume(~o.valid | (leaving.index == 0) | (o.payload.start == start.was))

    # Each word of a mask, with the marks of its place.
    h.check(held(h, m))
    h.check((moved(m) == moved(o)) & (m.valid == o.valid))
    h.check(dut.m_axis_tdata == o.payload.data)
    h.check(dut.m_axis_tlast == leaving.last)
    h.check(dut.m_axis_tkeep == Mux(leaving.last, 0b01, 0b11))
    h.check(~m.valid | (dut.m_axis_tuser == o.payload.start))

    # The frames inside, from their first word in to their mask's last word out.
    begins, left = moved(i) & (entering.index == 0), moved(o) & leaving.last
    inside = Signal(16)
    between = entering.index != 0
    h.m.d.sync += inside.eq(inside + begins - left)
    h.assume(~o.valid | (inside > between))
    h.assume((inside != MOST_INSIDE) | ~begins)
    inner = h.inside(dut, AxiNetwork._counters)
    asked, status = read(h, dut, "status")
    h.check(~asked | (status[0] == h.past(inside != 0)))
    h.check(inner.between == between)
    h.check((h.inside(dut, AxiNetwork._features).index == entering.index) & (entering.index < dut.sizes["FRAME_WORDS"]))
    h.check(~h.inside(dut, AxiNetwork._features).filling & ~h.inside(dut, AxiNetwork._features).dropping)
    h.check(h.inside(dut, AxiNetwork._masks).index == leaving.index)
    h.check((inner.frames - inner.masks)[:32] + between == inside)

    # The latency of an arbitrary frame, if it is one of those that are timed.
    which, age = h.fixed(16, "which"), Signal(32)
    h.m.d.sync += age.eq(Mux(begins & (inner.frames[:16] == which), 1, age + 1))
    ahead = (inner.timed - inner.masks)[:16]
    h.check(~inner.timing | (ahead < inside))
    h.check(~inner.timing | (inner.timed != which) | (inner.elapsed == age))
    ready = inner.timing & left & (inner.masks[:16] == inner.timed)
    h.check(~h.past(ready & (inner.timed == which)) | (inner.latency == h.past(age)))
    h.check(h.past(ready) | (inner.latency == h.past(inner.latency)))

    # The counters: masks, and cycles in which one waited.
    count, stalled = Signal(32), Signal(32)
    h.m.d.sync += [count.eq(count + left), stalled.eq(stalled + (m.valid & ~m.ready))]
    for name, counted in (("masks", count), ("stalled", stalled)):
        asked, value = read(h, dut, name)
        h.check(~asked | (dut.wb_ack_o & (value == h.past(counted))))
        h.check(getattr(inner, name) == counted)
    return h.rtlil()


def weights() -> str:
    """Words of a streamed layer's weights through the queue in front of it."""
    h = Harness()
    dut = core(h)
    load, s = dut.network.load_mask, axi(dut, "s_axis_mask")
    h.assume(held(h, s))
    h.check(held(h, load))
    came, left = counter(h, moved(s), 8, "came"), counter(h, moved(load), 8, "left")
    which = h.fixed(3, "which")
    word = Remembered(h, moved(s) & (came == which), s.payload[: len(load.payload)])
    h.check(~(load.valid & (left == which)) | ((came != left) & (load.payload == word.was)))
    stuck(h, s.valid & load.ready, moved(s) | moved(load), 0)
    return h.rtlil()


PROOFS = (
    Proof(
        "axi-features",
        "A packet of any length makes one frame: its words in order, and zeros for those it lacks; words beyond the "
        "frame go nowhere; tuser of the first word is the frame's start; what is offered stays until it is taken; two "
        "willing ends never wait; frames and framing errors are counted exactly.",
        "hw/gateware/axi.py",
        features,
        "induction",
        2,
        (
            Mutant(AxiNetwork._features, "early | late\n", "early\n"),
            Mutant(AxiNetwork._features, "Mux(filling, 0, self.s_axis_tdata)", "self.s_axis_tdata"),
            Mutant(AxiNetwork._features, "~filling & (dropping | i.ready)", "dropping | i.ready"),
            Mutant(AxiNetwork._features, "Mux(first, self.s_axis_tuser | fresh, start)", "self.s_axis_tuser | fresh"),
            Mutant(AxiNetwork._features, "with m.Elif(moving & last):", "with m.Elif(last):"),
        ),
    ),
    Proof(
        "axi-masks",
        "Each word of a mask leaves once, with tlast and the short tkeep on the last and tuser on all of a frame that "
        "began an utterance; status is busy exactly while a frame is inside; latency is that of the frame it timed.",
        "hw/gateware/axi.py",
        masks,
        "induction",
        2,
        (
            Mutant(AxiNetwork._masks, "index == count - 1", "index == count - 2"),
            Mutant(AxiNetwork._masks, "with m.If(o.valid & o.ready):", "with m.If(o.valid):"),
            Mutant(AxiNetwork._counters, "between.eq(~entered)", "between.eq(entered)"),
            Mutant(AxiNetwork._counters, "timing & left & (masks[:IN_FLIGHT_BITS] == timed)", "timing & left"),
        ),
    ),
    Proof(
        "axi-weights",
        "Each word of a streamed layer's weights reaches it once, in order; what is offered stays until it is taken; "
        "two willing ends never wait.",
        "hw/gateware/axi.py",
        weights,
        "bounded",
        12,
        (Mutant(AxiStream._weights, "queue.r_en.eq(load.ready)", "queue.r_en.eq(1)"),),
    ),
)
