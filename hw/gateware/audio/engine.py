"""The audio engine: samples to feature bits, and masks to samples, on one multiplier and one single-port memory."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hw.gateware.audio.cosine import CosineRom
from hw.gateware.audio.gain import Energy
from hw.gateware.audio.levels import POWER_BITS, Levels
from hw.gateware.audio.magnitude import Magnitude
from hw.gateware.audio.multiplier import CUT, MultiplyAccumulate
from hw.gateware.audio.passes import PASSES, passes
from hw.gateware.audio.program import Access, Coefficient, Gate, Index, Mark, Region, Wait
from hw.gateware.audio.ram import SinglePortRam
from hw.gateware.audio.sequencer import Sequencer
from hw.gateware.popcount import delayed
from hw.gateware.streams import Word
from hw.shape.engine_spec import LOADED
from model.bundle.audio_constants import gain_limits, output_scale, quarter_cosine
from model.bundle.audio_widths import widths
from model.bundle.front_end import FrontEnd
from model.errors import BadInput

__all__ = ["AudioEngine", "Sample"]

NUMBER = {name: index for index, name in enumerate(PASSES)}
IN_FLIGHT = 2
"""Frames that may wait for their masks."""


class Sample(data.StructLayout):
    """A sample; `start` begins an utterance."""

    def __init__(self) -> None:
        super().__init__({"data": signed(16), "start": 1})


class AudioEngine(wiring.Component):
    """The bits of docs/exact-meaning.md, rules 12 and 13, one operation after the other (docs/audio.md).

    A hop of samples makes a frame; its feature bits go out at once, its mask may come while later samples are taken,
    before or after the next frame's features. Samples come and go in cycles in which the program leaves the memory
    alone: they cost no time.

    Members
    -------
    i : In(stream of Sample); a `start` within an utterance waits for all masks, then clears ring and gain
    o : Out(stream of signed(16)), as many samples as complete hops came in; the first N - hop are before the first in
    features : Out(stream of Word(1)); mask : In(stream of Word(m)), a word for each bin
    bypass : In(1), count all mask bits as ones
    """

    def __init__(self, front_end: FrontEnd, single_port: bool = False) -> None:
        if front_end.code != "thermometer":
            raise BadInput(f"audio engine: expected features in thermometer code, got {front_end.code} code")
        self.front_end, self.single_port = front_end, single_port
        self.width = widths(front_end).word
        self.bits = exact_log2(front_end.fft_size)
        self.passes = passes(front_end.fft_size, front_end.mask_bits)
        super().__init__(
            {
                "i": In(stream.Signature(Sample())),
                "o": Out(stream.Signature(signed(16))),
                "features": Out(stream.Signature(Word(1))),
                "mask": In(stream.Signature(Word(front_end.mask_bits))),
                "bypass": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        it, bits, width = self.front_end, self.bits, self.width
        scale, output_shift = output_scale(it)
        m.submodules[LOADED] = ram = SinglePortRam(8 * it.fft_size, width, self.single_port)
        m.submodules.sequencer = sequencer = Sequencer(it.fft_size, self.passes)
        m.submodules.mac = mac = MultiplyAccumulate(width, output_shift)
        limits = [limit - (1 << 16 if limit >= 1 << 15 else 0) for limit in gain_limits(it)]
        m.submodules.cosine = cosine = CosineRom(quarter_cosine(it.fft_size, it.table_bits), [-scale, *limits])
        m.submodules.energy = energy = Energy(widths(it).power_sum, it.gain_frames)
        m.submodules.magnitude = magnitude = Magnitude(18 + bits)
        keys = [int(key) for key in it.keys.ravel()]
        m.submodules.levels = levels = Levels(keys, it.bits, magnitude.places)

        word, issue, n = sequencer.instruction, sequencer.issue, sequencer.n
        number = sequencer.number
        m.d.comb += sequencer.ready.eq(
            Mux(word["wait"] == Wait.LEVELS, ~levels.busy, (word["wait"] == Wait.MASK_DONE) | self.mask.valid)
        )

        # Frames and hops.
        frame, fresh, cleared = Signal(range(it.gain_frames + 1)), Signal(), Signal()
        waiting, in_flight, queued = Signal(2), Signal(range(IN_FLIGHT + 1)), Signal(2)
        ring_hop, overlap_hop, queue_hop = Signal(3, init=5), Signal(2), Signal()
        analysed, synthesised = Signal(), Signal()  # which of the two spectra
        arrived, left = Signal(), Signal()

        # Address.
        address, at_port = Signal(bits + 3), Signal(bits + 3)
        b = n | sequencer.half
        index = Signal(bits)
        with m.Switch(word.index):
            with m.Case(Index.N):
                m.d.comb += index.eq(n)
            with m.Case(Index.PARTNER):
                m.d.comb += index.eq(b)
            with m.Default():
                m.d.comb += index.eq(it.fft_size // 2 - n)
        straight = index[: bits - 1]
        ordered = Mux(word.reverse, Cat(*reversed(list(straight))), straight)
        eighth = bits - 3
        synthesis = number >= NUMBER["mask"]
        with m.Switch(word.region):
            with m.Case(Region.RING):
                m.d.comb += address.eq(Cat(word.lane, index[:eighth], (index[eighth:] + ring_hop)[:3]))
            with m.Case(Region.SPECTRUM):
                which = Mux(synthesis, synthesised, analysed)
                with m.If(index[-1]):  # bin M, in what the queue leaves free
                    m.d.comb += address.eq(Cat(word.lane, which, Const(0, bits - 3), Const(0b1111, 4)))
                with m.Else():
                    m.d.comb += address.eq(Cat(word.lane, straight, which, Const(0b10, 2)))
            with m.Case(Region.OVERLAP):
                moved = Cat(index[:eighth], (index[eighth : bits - 1] + overlap_hop)[:2])
                m.d.comb += address.eq(Cat(word.lane, moved, Const(6, 3)))
            with m.Case(Region.QUEUE):
                m.d.comb += address.eq(Cat(word.lane, index[:eighth], queue_hop, Const(0, 1), Const(7, 3)))
            with m.Default():
                lane_of = word.region.as_value()[0] ^ sequencer.swapped
                m.d.comb += address.eq(Cat(word.lane, ordered, lane_of, Const(1, 2)))

        # Samples, in cycles that the program leaves free.
        sample, sample_held, sample_going = Signal(signed(16)), Signal(), Signal()
        into, out_of = Signal(bits + 1), Signal(bits - 1)
        free = ~(issue & (word.access != Access.NONE))
        fetched = Signal(3)  # an output sample on its way
        fetch = free & ~self.o.valid & ~fetched.any() & (queued != 0)
        store = free & ~fetch & sample_held & ~sample_going
        write, storing = Signal(), Signal()
        m.d.sync += [
            at_port.eq(Mux(fetch, Cat(out_of, Const(0b1110, 4)), Mux(store, into, address))),
            write.eq((issue & (word.access == Access.WRITE)) | store),
            storing.eq(store),
            fetched.eq(Cat(fetch, fetched)),
            sample_going.eq(store),
        ]
        result = Signal(signed(width))
        m.d.comb += [
            ram.address.eq(at_port),
            ram.write.eq(write),
            ram.data.eq(Mux(storing, sample << (it.fraction_bits - 1), result)),
        ]
        can_take = Signal()
        m.d.comb += [
            can_take.eq(~sample_held & cleared & (waiting != 3) & (~self.i.payload.start | fresh)),
            self.i.ready.eq(can_take),
        ]
        with m.If(self.i.valid & can_take):
            m.d.sync += [sample.eq(self.i.payload.data), sample_held.eq(1), fresh.eq(0)]
        hop_bits = bits - 2
        with m.If(store):
            m.d.sync += into.eq(into + 1)
        with m.If(sample_going):
            m.d.sync += sample_held.eq(0)
            m.d.comb += arrived.eq(into[:hop_bits] == 0)
        with m.If(fetch):
            m.d.sync += out_of.eq(out_of + 1)
            m.d.comb += left.eq(out_of[:hop_bits].all())

        # Operand and coefficient.
        operand = Signal(signed(width), reset_less=True)
        m.d.sync += operand.eq(ram.word)
        kind_1, kind_2 = Signal(Coefficient), Signal(Coefficient)
        constant = word.coefficient != Coefficient.ANGLE
        m.d.sync += [kind_1.eq(word.coefficient), kind_2.eq(kind_1)]
        limit_index = 1 + Mux(frame == it.gain_frames, it.gain_frames - 1, frame)
        m.d.comb += [
            cosine.angle.eq(sequencer.angle | word.odd),
            cosine.sine.eq(word.sine),
            cosine.other.eq(constant),
            cosine.which.eq(Mux(word.coefficient == Coefficient.SCALE, 0, limit_index)),
            levels.limit.eq(cosine.word),
        ]
        coefficient, flip = Signal(signed(16)), Signal()
        with m.Switch(kind_2):
            with m.Case(Coefficient.OPERAND):
                m.d.sync += [coefficient.eq(ram.word[2:18]), flip.eq(0)]
            with m.Case(Coefficient.POWER):
                m.d.sync += [coefficient.eq(magnitude.power), flip.eq(magnitude.power[-1])]
            with m.Default():
                m.d.sync += [coefficient.eq(cosine.word), flip.eq(~cosine.negative)]
        m.d.comb += [mac.operand.eq(operand), mac.coefficient.eq(coefficient)]

        # Control, on its way beside the operands.
        gate, mask = Signal(), Signal(it.mask_bits)
        m.d.comb += mask.eq(self.mask.payload.data | self.bypass.replicate(it.mask_bits))
        with m.Switch(word.gate):
            with m.Case(Gate.CLOSED):
                m.d.comb += gate.eq(1)
            with m.Case(Gate.LAST_QUARTER):
                m.d.comb += gate.eq(n[bits - 3 : bits - 1].all())
            for place in range(it.mask_bits):
                with m.Case(Gate(Gate.MASK_0.value + place)):
                    m.d.comb += gate.eq(~mask[place])
        negate = delayed(m, word.minus, 4)
        absolute, direct = delayed(m, word.absolute, 4), delayed(m, word.direct, 4)
        turned = Signal()
        m.d.sync += turned.eq(flip)
        invert = Signal()
        m.d.sync += invert.eq(negate ^ (turned & ~direct) ^ (absolute & mac.sign))
        halve = number == NUMBER["inverse"]
        m.d.comb += [
            mac.zero.eq(delayed(m, gate & issue, 4)),
            mac.add.eq(delayed(m, word.add & issue, 5)),
            mac.first.eq(delayed(m, word.first, 5)),
            mac.bias.eq(delayed(m, word.bias.as_value(), 5)),
            mac.direct.eq(delayed(m, word.direct, 5)),
            mac.invert.eq(invert),
            mac.halve.eq(halve),
            mac.energy.eq(energy.energy),
            mac.seed.eq(delayed(m, sequencer.first, 5)),
        ]
        total = mac.sum
        with m.If(delayed(m, word.take & issue, 6)):
            m.d.sync += result.eq(Mux(halve, total >> (CUT + 1), total >> CUT))
        mark = delayed(m, Mux(issue, word.mark.as_value(), 0), 6)
        m.d.comb += [
            magnitude.value.eq(total[CUT:]),
            magnitude.load.eq(mark == Mark.MAGNITUDE),
            magnitude.too.eq(mark == Mark.MAGNITUDE_TOO),
            levels.load.eq(mark == Mark.LOGARITHM),
            levels.power.eq(total[:POWER_BITS]),
            levels.shift.eq(magnitude.shift),
            levels.settle.eq((mark == Mark.MAGNITUDE) & sequencer.first),
            energy.load.eq(mark == Mark.ENERGY),
            energy.value.eq(total),
        ]

        # The energy is forgotten while the window is on, and its logarithm taken in the FFT's second stage.
        begins = sequencer.start & ~sequencer.busy
        shown = Signal()
        logging = Signal()
        second = (number == NUMBER["forward"]) & sequencer.half[1] & ~shown
        m.d.comb += [
            energy.forget.eq(begins & (sequencer.which == NUMBER["window"]) & (frame == it.gain_frames)),
            energy.show.eq(second),
            levels.clear.eq(second),
            levels.bit.eq(energy.bit),
            levels.enable.eq(energy.busy & logging),
        ]
        with m.If(second):
            m.d.sync += [shown.eq(1), logging.eq(1)]
        with m.If(begins):
            m.d.sync += [shown.eq(0), logging.eq(0)]

        # Features out; the utterance's first frame carries `start`.
        begins_utterance = Signal()  # the last bin goes out when its pass is over
        with m.If(mark == Mark.MAGNITUDE):
            m.d.sync += begins_utterance.eq(frame == 0)
        m.d.comb += [
            self.features.valid.eq(levels.o.valid),
            levels.o.ready.eq(self.features.ready),
            self.features.payload.data.eq(levels.o.payload),
            self.features.payload.start.eq(begins_utterance),
            self.mask.ready.eq(issue & (word["wait"] == Wait.MASK_DONE)),
        ]

        # What comes next.
        done = sequencer.done
        go_on, following = Signal(), Signal.like(sequencer.which)
        ends_group = Signal()
        m.d.comb += ends_group.eq(
            (number == NUMBER["clear"]) | (number == NUMBER["keys"]) | (number == NUMBER["output"])
        )
        with m.If(done):
            m.d.sync += [go_on.eq(~ends_group), following.eq(number + 1)]
        restart = self.i.valid & self.i.payload.start & ~fresh & ~sample_held
        # The last bin's power is on its way to the levels when the keys' pass is done.
        closing = Signal()
        with m.If(levels.load):
            m.d.sync += closing.eq(0)
        with m.If(done & (number == NUMBER["keys"])):
            m.d.sync += closing.eq(1)
        idle = ~sequencer.busy & ~levels.busy & ~closing
        analysis_done, synthesis_done = done & (number == NUMBER["keys"]), done & (number == NUMBER["output"])
        with m.If(go_on):
            m.d.comb += [sequencer.start.eq(1), sequencer.which.eq(following)]
            m.d.sync += go_on.eq(0)
        with m.Elif(idle & cleared & (in_flight != 0) & self.mask.valid & (queued != 2)):
            m.d.comb += [sequencer.start.eq(1), sequencer.which.eq(NUMBER["mask"])]
        with m.Elif(idle & cleared & (waiting != 0) & (in_flight != IN_FLIGHT)):
            m.d.comb += [sequencer.start.eq(1), sequencer.which.eq(NUMBER["window"])]
        with m.Elif(idle & (~cleared | (restart & (in_flight == 0) & (waiting == 0)))):
            m.d.comb += [sequencer.start.eq(1), sequencer.which.eq(NUMBER["clear"])]
            m.d.comb += energy.clear.eq(~sequencer.busy)
            m.d.sync += [cleared.eq(0), frame.eq(0), into.eq(0), ring_hop.eq(5), overlap_hop.eq(0)]
        with m.If(done & (number == NUMBER["clear"])):
            m.d.sync += [cleared.eq(1), fresh.eq(1)]
        # A frame has left the ring when its window is done.
        windowed = done & (number == NUMBER["window"])
        m.d.sync += [
            waiting.eq(waiting + arrived - windowed),
            in_flight.eq(in_flight + analysis_done - synthesis_done),
            queued.eq(queued + synthesis_done - left),
        ]
        with m.If(windowed):
            m.d.sync += ring_hop.eq(ring_hop + 1)
        with m.If(analysis_done):
            m.d.sync += analysed.eq(~analysed)
            with m.If(frame != it.gain_frames):
                m.d.sync += frame.eq(frame + 1)
        with m.If(synthesis_done):
            m.d.sync += [synthesised.eq(~synthesised), overlap_hop.eq(overlap_hop + 1), queue_hop.eq(~queue_hop)]

        # A sample leaves: scaled and saturated.
        scaled = operand >> output_shift
        over = ~(scaled[15:].all() | ~scaled[15:].any())
        with m.If(fetched[2]):
            m.d.sync += [
                self.o.valid.eq(1),
                self.o.payload.eq(
                    Mux(over, Cat((~scaled[-1]).replicate(15), scaled[-1]).as_signed(), scaled[:16].as_signed())
                ),
            ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        return m
