"""Which pass is next."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.shape.audio_passes import ANALYSIS, SYNTHESIS, Name

__all__ = ["IN_FLIGHT", "FrameControl"]

IN_FLIGHT = 2
"""Frames that may wait for their masks: as many as there are spectra."""

WAITING = 3
"""Hops in the ring beyond the frame that is windowed, at most. A frame has four, the ring eight."""

QUEUED = 2
"""Hops in the output queue, at most."""


class FrameControl(wiring.Component):
    """Start the passes: synthesis of a frame whose mask comes, else analysis of one that came, else a new utterance.

    A pass starts two cycles after the last one's `done`. Cost: about 40 LUT4.

    Members
    -------
    start : Out(1), begin pass `which`
    number : In(4), the pass that runs; done : In(1), it is in its last cycle; idle : In(1), none runs, all bits are out
    arrived, left : In(1), a hop has come, has left; mask : In(1), a mask word is there
    restart : In(1), an utterance waits to begin; clear : Out(1), it does
    accept : Out(1), a sample may come; queued : Out(1), one may leave
    frame : Out, frames of the utterance that are analysed, `gain_frames` at most
    ring_hop : Out(3), overlap_hop : Out(2), queue_hop : Out(1), where the frame's first hop is
    analysed, synthesised : Out(1), which of the two spectra
    """

    def __init__(self, gain_frames: int) -> None:
        self.gain_frames = gain_frames
        super().__init__(
            {
                "start": Out(1),
                "which": Out(Name),
                "number": In(Name),
                **dict.fromkeys(("done", "idle", "arrived", "left", "mask", "restart"), In(1)),
                **dict.fromkeys(("clear", "accept", "queued", "queue_hop", "analysed", "synthesised"), Out(1)),
                "frame": Out(range(gain_frames + 1)),
                "ring_hop": Out(3),
                "overlap_hop": Out(2),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        waiting, in_flight, queued = Signal(range(WAITING + 1)), Signal(range(IN_FLIGHT + 1)), Signal(range(QUEUED + 1))
        cleared, next_of_group = Signal(), Signal()
        windowed, analysed, synthesised = (
            self.done & (self.number == name) for name in (Name.WINDOW, ANALYSIS[-1], SYNTHESIS[-1])
        )
        m.d.comb += [self.accept.eq(cleared & (waiting != WAITING)), self.queued.eq(queued != 0)]

        ends_group = (self.number == Name.CLEAR) | (self.number == ANALYSIS[-1]) | (self.number == SYNTHESIS[-1])
        m.d.sync += next_of_group.eq(self.done & ~ends_group)
        with m.If(next_of_group):
            m.d.comb += [self.start.eq(1), self.which.eq(self.number + 1)]
        with m.Elif(self.idle):
            m.d.comb += self.start.eq(1)
            with m.If(~cleared):
                m.d.comb += [self.which.eq(Name.CLEAR), self.clear.eq(1)]
            with m.Elif((in_flight != 0) & self.mask & (queued != QUEUED)):
                m.d.comb += self.which.eq(SYNTHESIS[0])
            with m.Elif((waiting != 0) & (in_flight != IN_FLIGHT)):
                m.d.comb += self.which.eq(ANALYSIS[0])
            with m.Elif(self.restart & (in_flight == 0) & (waiting == 0)):
                m.d.comb += [self.which.eq(Name.CLEAR), self.clear.eq(1)]
            with m.Else():
                m.d.comb += self.start.eq(0)

        m.d.sync += [
            waiting.eq(waiting + self.arrived - windowed),
            in_flight.eq(in_flight + analysed - synthesised),
            queued.eq(queued + synthesised - self.left),
            # A frame has left the ring when its window is done.
            self.ring_hop.eq(self.ring_hop + windowed),
            self.overlap_hop.eq(self.overlap_hop + synthesised),
            self.queue_hop.eq(self.queue_hop ^ synthesised),
            self.analysed.eq(self.analysed ^ analysed),
            self.synthesised.eq(self.synthesised ^ synthesised),
            self.frame.eq(self.frame + (analysed & (self.frame != self.gain_frames))),
        ]
        with m.If(self.done & (self.number == Name.CLEAR)):
            m.d.sync += cleared.eq(1)
        with m.If(self.clear):
            # The first frame ends with the first hop that comes: it begins three hops before it in the ring of eight.
            m.d.sync += [cleared.eq(0), self.frame.eq(0), self.ring_hop.eq(5), self.overlap_hop.eq(0)]
        return m
