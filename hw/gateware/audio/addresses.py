"""Where an instruction reads or writes."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.gateware.audio.instruction import Instruction
from hw.shape.audio_program import Index, Region

__all__ = ["Addresses"]


class Addresses(wiring.Component):
    """The address of an instruction's word: its region, and there a complex index and a lane.

    | region | words | at |
    |---|---|---|
    | ring: eight hops of samples | 2 N | 0 |
    | source and target of a pass, which change places | N each | 2 N |
    | two spectra, all but the last bin | N each | 4 N |
    | overlapping frames: four hops | N | 6 N |
    | queue: two hops of output | N / 2 | 7 N |
    | last bins of the two spectra | 4 | 8 N - N / 2 |

    Combinational. Cost: about 60 LUT4.

    Members
    -------
    instruction : In(Instruction)
    n, half : In(log2 N), the loop's index, and the butterfly's bit
    swapped : In(1), source and target are the other way round
    ring_hop : In(3), overlap_hop : In(2), queue_hop : In(1), the hop at which the frame begins
    spectrum : In(1), which of the two
    address : Out(log2 N + 3)
    """

    def __init__(self, fft_size: int) -> None:
        self.bits = exact_log2(fft_size)
        super().__init__(
            {
                "instruction": In(Instruction()),
                "n": In(self.bits),
                "half": In(self.bits),
                "swapped": In(1),
                "ring_hop": In(3),
                "overlap_hop": In(2),
                "queue_hop": In(1),
                "spectrum": In(1),
                "address": Out(self.bits + 3),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        bits, word = self.bits, self.instruction
        hop = bits - 3  # of a hop's complex index
        index = Signal(bits)
        with m.Switch(word.index):
            with m.Case(Index.N):
                m.d.comb += index.eq(self.n)
            with m.Case(Index.PARTNER):
                m.d.comb += index.eq(self.n | self.half)
            with m.Default():
                m.d.comb += index.eq((1 << (bits - 1)) - self.n)
        within, straight = index[:hop], index[: bits - 1]
        place = Signal(bits + 2)
        with m.Switch(word.region):
            with m.Case(Region.RING):
                m.d.comb += place.eq(Cat(within, (index[hop:] + self.ring_hop)[:3]))
            with m.Case(Region.SPECTRUM):
                with m.If(index[-1]):
                    m.d.comb += place.eq(Cat(self.spectrum, Const(0, bits - 3), Const(0b1111, 4)))
                with m.Else():
                    m.d.comb += place.eq(Cat(straight, self.spectrum, Const(0b10, 2)))
            with m.Case(Region.OVERLAP):
                m.d.comb += place.eq(Cat(within, (index[hop : bits - 1] + self.overlap_hop)[:2], Const(0b110, 3)))
            with m.Case(Region.QUEUE):
                m.d.comb += place.eq(Cat(within, self.queue_hop, Const(0b1110, 4)))
            with m.Default():
                ordered = Mux(word.reverse, straight[::-1], straight)
                which = (word.region == Region.TARGET) ^ self.swapped
                m.d.comb += place.eq(Cat(ordered, which, Const(0b01, 2)))
        m.d.comb += self.address.eq(Cat(word.lane, place))
        return m
