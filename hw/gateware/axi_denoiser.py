"""The denoiser's core: recordings in and out over AXI4-Stream, registers over Wishbone."""

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.wiring import In

from hw.gateware.axi import IDENTITY, AxiStream, Register
from hw.gateware.denoiser import Denoiser

__all__ = ["SAMPLE_BITS", "AxiDenoiser"]

SAMPLE_BITS = 16

OVERLAP_HOPS = 3
"""Hops of silence that flush a recording's last sample: N - hop samples."""

HOPS_INSIDE = 16
"""More hops than the core ever holds: 3 of overlap, 3 that wait, 1 in the window, 2 in flight, 2 in the queue."""


class AxiDenoiser(AxiStream):
    """The denoiser's core: an input packet is a recording of any length, an output packet the denoised recording.

    As many samples come out as went in, without the overlap-add's delay, bit for bit `model.reference.denoise.denoise`.
    The last one needs N - hop samples of silence after it, which the core adds after `tlast`. `s_axis_tready` is then
    low until the last sample is out. A live source never sends `tlast`: each sample comes out while the N-th after it
    goes in.

    Latency and throughput: the denoiser's. Cost: 333 LUT4 and 194 FF on top of it (`tiny`, ECP5), mostly counters. No
    memory.

    Members
    -------
    s_axis_*, m_axis_* : samples, 16 bits in two's complement, at the bundle's sample rate
    bypass : In(1), take every mask bit as one; the delay is the same
    """

    registers = (
        *IDENTITY,
        Register("sample_rate", "samples per second, of the bundle"),
        Register("hop", "samples from frame to frame"),
        Register("status", "bit 0: busy; bit 2: weights are missing"),
        Register("samples_in", "samples taken"),
        Register("samples_out", "samples sent"),
        Register("recordings", "complete recordings sent"),
        Register("stalled", "cycles in which a sample waited for m_axis_tready"),
    )
    version = 2

    def __init__(self, denoiser: Denoiser) -> None:
        super().__init__(denoiser, SAMPLE_BITS, SAMPLE_BITS, {"bypass": In(1)})
        self.denoiser = denoiser

    @property
    def sizes(self) -> dict[str, int]:
        """Bits per sample, and samples that go in before the first one comes out."""
        return {"SAMPLE_BITS": SAMPLE_BITS, "DELAY": self.network.bundle.front_end.fft_size}

    def _streams(self, m: Module, loading: Value, cleared: Value) -> dict[str, Value | int]:
        i, o, hop = self.denoiser.i, self.denoiser.o, self.network.bundle.front_end.hop
        m.d.comb += self.denoiser.bypass.eq(self.bypass)
        ended, done = Signal(), Signal()  # tlast has come; all that belongs to the recording has left the denoiser
        first = Signal(init=1)

        # In: the recording, then zeros to the end of its hop and OVERLAP_HOPS more.
        place, zeros = Signal(range(hop)), Signal(range(OVERLAP_HOPS + 2))
        completes = place == hop - 1
        m.d.comb += [
            i.valid.eq(Mux(ended, zeros != 0, self.s_axis_tvalid)),
            i.payload.data.eq(Mux(ended, 0, self.s_axis_tdata)),
            i.payload.start.eq(first),
            self.s_axis_tready.eq(~ended & i.ready),
        ]
        taken = self.s_axis_tvalid & self.s_axis_tready
        with m.If(i.valid & i.ready):
            m.d.sync += [place.eq(place + 1), first.eq(0), zeros.eq(zeros - (ended & completes))]
        with m.If(taken & self.s_axis_tlast):
            m.d.sync += [ended.eq(1), zeros.eq(Mux(completes, OVERLAP_HOPS, OVERLAP_HOPS + 1))]

        # Out: OVERLAP_HOPS are dropped, then comes the recording, then the rest of its last hop is dropped.
        out, early, over = Signal(range(hop)), Signal(range(OVERLAP_HOPS + 1), init=OVERLAP_HOPS), Signal()
        owed = Signal(range(HOPS_INSIDE * hop))  # samples of the recording that are inside
        sounding, fills = (early == 0) & ~over, out == hop - 1
        m.d.comb += [
            self.m_axis_tdata.eq(o.payload),
            self.m_axis_tvalid.eq(o.valid & sounding),
            self.m_axis_tlast.eq(ended & (owed == 1)),  # the last goes in long before it comes out
            o.ready.eq(self.m_axis_tready | ~sounding),
        ]
        given = self.m_axis_tvalid & self.m_axis_tready
        m.d.sync += owed.eq(owed + taken - given)
        last = given & self.m_axis_tlast
        with m.If(o.valid & o.ready):
            m.d.sync += [out.eq(out + 1), early.eq(early - (fills & (early != 0))), over.eq(over | last)]
            m.d.comb += done.eq(fills & (over | last))
        with m.If(done):
            m.d.sync += [ended.eq(0), first.eq(1), early.eq(OVERLAP_HOPS), over.eq(0)]

        return {
            "sample_rate": self.network.bundle.front_end.sample_rate,
            "hop": hop,
            "status": Cat(~first, 0, loading),
            "samples_in": self.count(m, "samples_in", taken),
            "samples_out": self.count(m, "samples_out", given),
            "recordings": self.count(m, "recordings", last),
            "stalled": self.count(m, "stalled", self.m_axis_tvalid & ~self.m_axis_tready),
        }
