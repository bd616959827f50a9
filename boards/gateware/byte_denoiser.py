"""The whole denoiser behind byte streams, for the host link."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network
from hw.gateware.streams import Word

__all__ = ["ByteDenoiser"]


class ByteDenoiser(wiring.Component):
    """Hops of 16-bit samples, low byte first, in and out: the ports of a network with words of a byte.

    Throughput: a byte per cycle while the denoiser takes and gives samples. Latency: the denoiser's, plus a byte.
    Cost on top of the denoiser: about 30 flip-flops and 40 LUT4.

    Members
    -------
    i : In(stream of Word(8)), a hop of samples per vector; `start` begins an utterance with the hop's first sample
    o : Out(stream of Word(8)), a hop for every hop in, without `start`
    passed : In(slots), for hop n bit n modulo `slots`: take every mask bit of its frame as one
    load_<layer> : In(stream of weight words), of each layer whose weights are not in a ROM

    Parameters
    ----------
    network : with words of one bit in, and of a bin's mask bits out
    slots : hops that `passed` covers, a power of two: more than are inside at once
    """

    def __init__(self, network: Network, slots: int) -> None:
        self.slots = slots
        self.denoiser = Denoiser(network, single_port=network.family.single_port_ram is not None)
        super().__init__(
            {
                "i": In(stream.Signature(Word(8))),
                "o": Out(stream.Signature(Word(8))),
                "passed": In(slots),
                **{name: self.denoiser.signature.members[name] for name in self.denoiser.loads},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.denoiser = denoiser = self.denoiser
        for name in denoiser.loads:
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(denoiser, name))

        # Masks come in the order of the hops, one for each, whatever utterance they belong to.
        mask_bin, hop = Signal(range(denoiser.network.bundle.front_end.bins)), Signal(range(self.slots))
        m.d.comb += denoiser.bypass.eq(self.passed.bit_select(hop, 1))
        with m.If(denoiser.mask.valid):
            m.d.sync += mask_bin.eq(mask_bin + 1)
            with m.If(mask_bin == denoiser.network.bundle.front_end.bins - 1):
                m.d.sync += [mask_bin.eq(0), hop.eq(hop + 1)]

        low, high_next = Signal(8), Signal()
        sample = Signal(range(denoiser.network.bundle.front_end.hop))  # a hop is a power of two: it wraps
        m.d.comb += [
            self.i.ready.eq(~high_next | denoiser.i.ready),
            denoiser.i.valid.eq(self.i.valid & high_next),
            denoiser.i.payload.data.eq(Cat(low, self.i.payload.data).as_signed()),
            denoiser.i.payload.start.eq(self.i.payload.start & (sample == 0)),
        ]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += high_next.eq(~high_next)
            with m.If(high_next):
                m.d.sync += sample.eq(sample + 1)
            with m.Else():
                m.d.sync += low.eq(self.i.payload.data)

        high = Signal()
        m.d.comb += [
            self.o.valid.eq(denoiser.o.valid),
            self.o.payload.data.eq(denoiser.o.payload.as_unsigned().word_select(high, 8)),
            denoiser.o.ready.eq(self.o.ready & high),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += high.eq(~high)
        return m
