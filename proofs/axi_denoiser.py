"""The denoiser's core: a recording comes out as long as it went in, and the next one starts clean."""

from dataclasses import replace

import numpy as np
from amaranth.hdl import Fragment, Mux, Signal

from hw.gateware.axi_denoiser import OVERLAP_HOPS, AxiDenoiser
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.shape.family import ECP5
from hw.shape.folding import Folding
from model.bundle.random_bundle import random_bundle
from proofs.audio import MOST_HOPS
from proofs.axi import axi, read
from proofs.contract import counter, held, moved, stuck
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]


def recordings() -> str:
    """Recordings of any length, one after the other.

    The environment: the denoiser gives a hop for each that is complete, and takes no sample while more than `MOST_HOPS`
    are inside (`audio-control`).
    """
    h = Harness()
    bundle = random_bundle(np.random.default_rng(0), ())
    bundle = replace(bundle, front_end=replace(bundle.front_end, code="thermometer"))
    denoiser = h.hollow(Denoiser(Network(bundle, {"mask": Folding(1, 1)}, ECP5, 1, 1)))
    for unused in (denoiser.network, denoiser.engine):
        Fragment.get(unused, None)  # Amaranth warns of what nobody elaborates
    dut = h.component(AxiDenoiser(denoiser))
    i, o, hop = denoiser.i, denoiser.o, bundle.front_end.hop
    overlap = OVERLAP_HOPS * hop
    h.m.d.comb += [
        i.ready.eq(h.free(1, "denoiser_ready")),
        o.valid.eq(h.free(1, "denoiser_valid")),
        o.payload.eq(h.free(16, "denoiser_sample")),
    ]
    place, inside = counter(h, moved(i), hop, "place"), Signal(range(16 * hop))
    h.m.d.sync += inside.eq(inside + moved(i) - moved(o))
    complete = inside - place
    h.assume(held(h, o))
    h.assume(~o.valid | (complete != 0))
    h.assume(~i.ready | (inside <= MOST_HOPS * hop))
    s, m = axi(dut, "s_axis", "tlast"), axi(dut, "m_axis", "tlast")
    taken, given = moved(s), moved(m)
    h.assume(held(h, s))
    h.check(held(h, i))
    h.check(held(h, m))

    # In: the samples as they come, the first with `start`; zeros after the last.
    ended, begun = Signal(), Signal()
    h.check((taken & ~ended) == (moved(i) & ~ended))
    h.check(~i.valid | (i.payload.data == Mux(ended, 0, dut.s_axis_tdata.as_signed())))
    h.check(~i.valid | (i.payload.start == ~begun))
    h.check(~(s.ready & ended))
    # Out: the denoiser's samples, from the one `overlap` behind the recording's first to that behind its last.
    owed, skipped, extra = Signal(range(16 * hop)), Signal(range(overlap + 1)), Signal(range(hop))
    last = given & dut.m_axis_tlast
    over = Signal()
    h.m.d.sync += owed.eq(owed + taken - given)
    h.check(~m.valid | ((skipped == overlap) & (owed != 0) & (dut.m_axis_tdata.as_signed() == o.payload)))
    h.check(~given | moved(o))
    h.check(~m.valid | (dut.m_axis_tlast == (ended & (owed == 1))))
    dropped = moved(o) & ~given
    h.check(~dropped | (skipped != overlap) | over)
    h.check(~dropped | ~over | (extra != hop - 1))
    # A recording is done when its last hop is: then the denoiser is empty, and the next one may begin.
    done = h.inside(dut, AxiDenoiser._streams).done
    h.check(~done | ((inside == moved(o)) & (owed == last) & (over | last)))
    with h.m.If(dropped & (skipped != overlap)):
        h.m.d.sync += skipped.eq(skipped + 1)
    with h.m.If(dropped & over):
        h.m.d.sync += extra.eq(extra + 1)
    with h.m.If(last):
        h.m.d.sync += over.eq(1)
    with h.m.If(taken & dut.s_axis_tlast):
        h.m.d.sync += ended.eq(1)
    with h.m.If(moved(i)):
        h.m.d.sync += begun.eq(1)
    with h.m.If(done):
        h.m.d.sync += [ended.eq(0), begun.eq(0), skipped.eq(0), extra.eq(0), over.eq(0)]
    # While the denoiser takes and gives, something moves in every cycle: so each recording ends.
    source, denoised = s.valid | ended, o.valid | (complete == 0)
    stuck(h, m.ready & i.ready & source & denoised, moved(i) | moved(o), 0)

    # How it works: zeros to the end of the hop and `overlap` more; as many samples go in as come out.
    inner = h.inside(dut, AxiDenoiser._streams)
    behind = Signal(range(hop))  # samples between the recording's last and the end of its hop
    with h.m.If(taken):
        h.m.d.sync += behind.eq(hop - 1 - place)
    zeros_left = inner.zeros * hop - Mux(inner.zeros == 0, 0, place)
    zeros_sent = behind + overlap - zeros_left
    h.check((inner.ended == ended) & (inner.over == over) & (inner.first == ~begun))
    h.check((inner.place == place) & (place < hop))
    h.check(inner.owed == owed)
    h.check(Mux(ended, begun & (inside + skipped + extra == owed + zeros_sent), inside + skipped == owed))
    h.check(~ended | ((zeros_left <= behind + overlap) & ((inner.zeros != 0) | (place == 0))))
    h.check(ended | ((inner.zeros == 0) & ~over))
    h.check(over | ((extra == 0) & (~ended | (owed != 0))))
    h.check(~over | ((owed == 0) & (skipped == overlap) & ended))
    h.check(begun | ((inside == 0) & (skipped == 0) & (owed == 0) & (place == 0)))
    h.check((skipped == overlap) | (skipped == (OVERLAP_HOPS - inner.early) * hop + inner.out))
    h.check((skipped <= overlap) & ((skipped == overlap) == (inner.early == 0)))
    h.check(inner.early <= OVERLAP_HOPS)
    h.check(ended | ~begun | (behind == (hop - place)[:2]))
    given_place = counter(h, (given | dropped), hop, "given_place")
    h.check((inner.out == given_place) & (~over | (given_place != 0)))
    h.check((inside >= place) & ((inside + inner.out - place)[:2] == 0))

    # The counters.
    samples_in, samples_out, whole = Signal(32), Signal(32), Signal(32)
    h.m.d.sync += [
        samples_in.eq(samples_in + taken),
        samples_out.eq(samples_out + given),
        whole.eq(whole + last),
    ]
    counts = (("samples_in", samples_in), ("samples_out", samples_out), ("recordings", whole))
    values = h.inside(dut, AxiDenoiser.elaborate).values
    for name, counted in counts:
        asked, value = read(h, dut, name)
        h.check(~asked | (dut.wb_ack_o & (value == h.past(counted))))
        h.check(values[name] == counted)
    asked, status = read(h, dut, "status")
    h.check(~asked | (status[0] == h.past(begun)))
    return h.rtlil()


PROOFS = (
    Proof(
        "axi-denoiser",
        "A recording of any length comes out with as many samples, each the one that the denoiser gives N - hop "
        "samples later, tlast on the last; zeros follow it into the denoiser, which is empty when the next recording "
        "begins, with its start; what is offered stays until it is taken; willing ends never wait (N = 16).",
        "hw/gateware/axi_denoiser.py",
        recordings,
        "induction",
        2,
        (
            Mutant(AxiDenoiser._streams, "Mux(completes, OVERLAP_HOPS, OVERLAP_HOPS + 1)", "OVERLAP_HOPS"),
            Mutant(AxiDenoiser._streams, "ended & (owed == 1)", "ended & (owed == 2)"),
            Mutant(AxiDenoiser._streams, "self.s_axis_tready.eq(~ended & i.ready)", "self.s_axis_tready.eq(i.ready)"),
            Mutant(AxiDenoiser._streams, "done.eq(fills & (over | last))", "done.eq(over | last)"),
        ),
        reach=60,
    ),
)
