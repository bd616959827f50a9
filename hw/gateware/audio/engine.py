"""The audio engine: samples to feature bits, and masks to samples, on one multiplier and one single-port memory."""

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hw.gateware.audio.addresses import Addresses
from hw.gateware.audio.bin_gain import BinGain
from hw.gateware.audio.control import FrameControl
from hw.gateware.audio.datapath import Datapath
from hw.gateware.audio.features import Features
from hw.gateware.audio.ram import SinglePortRam
from hw.gateware.audio.samples import Sample, SamplePort
from hw.gateware.audio.sequencer import Sequencer
from hw.gateware.streams import Word
from hw.shape.audio import check_gains
from hw.shape.audio_passes import Name, passes
from hw.shape.audio_program import Access, Gate, Wait
from hw.shape.engine_spec import LOADED
from model.bundle.audio_widths import widths
from model.bundle.front_end import WORD_LENGTHS, FrontEnd
from model.errors import BadInput

__all__ = ["AudioEngine", "Sample"]


class AudioEngine(wiring.Component):
    """The bits of docs/exact-meaning.md, rules 12 and 13, one operation after the other (docs/audio.md).

    A hop of samples makes a frame; its feature bits go out at once, its mask may come while later samples are taken,
    before or after the next frame's features. Samples come and go in cycles in which the program leaves the memory
    alone: they cost no time.

    Cycles and cost: docs/audio.md. Memory: 8 N words of the front end's width, behind one port.

    Members
    -------
    i : In(stream of Sample); a `start` within an utterance waits for all masks, then clears ring and gain
    o : Out(stream of signed(16)), as many samples as complete hops came in; the first N - hop are before the first in
    features : Out(stream of Word(feature_bits)), a feature bit or a level
    mask : In(stream of Word(bin_bits)), a word for each bin: m bits, or an integer in two's complement
    bypass : In(1), count all mask bits as ones, or integers as the largest
    floor : In(15), what a mask bit of 0 counts, or the least gain of a bin, in units of 2^-15
        (`model.bundle.audio_constants.attenuation_floor`); taken at every bin, so change it in silence; only where
        `limited`

    Parameters
    ----------
    single_port : the memory is single-port RAM (iCE40 UltraPlus)
    limited : there is an attenuation limit. It takes no cycle.

    Raises `BadInput` for features in binary code, for more than one integer per bin in the mask, and for word lengths
    other than T = 15, f = 2, p = 10.
    """

    def __init__(self, front_end: FrontEnd, single_port: bool = False, limited: bool = False) -> None:
        if front_end.code not in ("thermometer", "level"):
            raise BadInput(f"audio engine: expected features in thermometer code or levels, got {front_end.code} code")
        check_gains(front_end)
        lengths = front_end.table_bits, front_end.fraction_bits, front_end.mantissa_bits
        if lengths != WORD_LENGTHS[0]:
            raise BadInput(f"audio engine: expected word lengths {WORD_LENGTHS[0]}, got {lengths}")
        self.front_end, self.single_port, self.limited = front_end, single_port, limited
        super().__init__(
            {
                "i": In(stream.Signature(Sample())),
                "o": Out(stream.Signature(signed(16))),
                "features": Out(stream.Signature(Word(front_end.feature_bits))),
                "mask": In(stream.Signature(Word(front_end.bin_bits))),
                "bypass": In(1),
                **({"floor": In(15)} if limited else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        it, width = self.front_end, widths(self.front_end).word
        program = passes(it.fft_size, it.mask_bits, self.limited, integers=it.gain_bits > 1)
        m.submodules.sequencer = sequencer = Sequencer(it.fft_size, program)
        m.submodules.addresses = addresses = Addresses(it.fft_size)
        m.submodules[LOADED] = ram = SinglePortRam(8 * it.fft_size, width, self.single_port)
        m.submodules.datapath = datapath = Datapath(it)
        m.submodules.bits = features = Features(it, len(datapath.sum))
        m.submodules.control = control = FrameControl(it.gain_frames)
        m.submodules.samples = samples = SamplePort(it.fft_size, width, datapath.output_shift)
        word, issue, number = sequencer.instruction, sequencer.issue, sequencer.number

        m.d.comb += [
            addresses.instruction.eq(word),
            addresses.n.eq(sequencer.n),
            addresses.half.eq(sequencer.half),
            addresses.swapped.eq(sequencer.swapped),
            addresses.ring_hop.eq(control.ring_hop),
            addresses.overlap_hop.eq(control.overlap_hop),
            addresses.queue_hop.eq(control.queue_hop),
            addresses.spectrum.eq(Mux(number >= Name.MASK, control.synthesised, control.analysed)),
        ]

        # The memory's port is the program's, or the samples' where it leaves it alone.
        write, storing = Signal(), Signal()
        m.d.sync += [
            ram.address.eq(Mux(samples.access, samples.address, addresses.address)),
            write.eq((issue & (word.access == Access.WRITE)) | samples.write),
            storing.eq(samples.write),
        ]
        m.d.comb += [
            ram.write.eq(write),
            ram.data.eq(Mux(storing, samples.sample << (it.fraction_bits - 1), datapath.result)),
            samples.free.eq(~(issue & (word.access != Access.NONE))),
        ]

        self._gate(m, sequencer, datapath, features.power)
        m.d.comb += [
            datapath.instruction.eq(word),
            datapath.issue.eq(issue),
            datapath.first.eq(sequencer.first),
            datapath.angle.eq(sequencer.angle),
            datapath.frame.eq(control.frame),
            datapath.halve.eq(number == Name.INVERSE),
            datapath.word.eq(ram.word),
            datapath.energy.eq(features.energy),
            features.mark.eq(datapath.mark),
            features.sum.eq(datapath.sum),
            features.limit.eq(datapath.limit),
            features.first.eq(sequencer.first),
            features.frame.eq(control.frame),
            features.clear.eq(control.clear),
            features.begin.eq(control.start & (control.which == Name.WINDOW)),
            features.second.eq((number == Name.FORWARD) & sequencer.half[1]),
            features.closes.eq(sequencer.done & (number == Name.KEYS)),
        ]
        wiring.connect(m, features.o, wiring.flipped(self.features))

        waits_for_levels = word["wait"] == Wait.LEVELS
        m.d.comb += [
            sequencer.ready.eq(Mux(waits_for_levels, ~features.busy, self.mask.valid)),
            self.mask.ready.eq(issue & (word["wait"] == Wait.MASK_DONE)),
            sequencer.start.eq(control.start),
            sequencer.which.eq(control.which),
            control.number.eq(number),
            control.done.eq(sequencer.done),
            control.idle.eq(~sequencer.busy & ~features.busy),
            control.mask.eq(self.mask.valid),
            control.arrived.eq(samples.arrived),
            control.left.eq(samples.left),
            control.restart.eq(samples.restart),
            samples.accept.eq(control.accept),
            samples.clear.eq(control.clear),
            samples.queued.eq(control.queued),
            samples.operand.eq(datapath.operand),
        ]
        wiring.connect(m, wiring.flipped(self.i), samples.i)
        wiring.connect(m, samples.o, wiring.flipped(self.o))
        return m

    def _gate(self, m: Module, sequencer: Sequencer, datapath: Datapath, power: Value) -> None:
        """Whether the instruction's term counts; with an attenuation limit, one that does not counts `floor` times.

        In a mask of integers all terms count, times the bin's coefficient.
        """
        closed, floored, n, mask_bits = Signal(), Signal(), sequencer.n, self.front_end.mask_bits
        mask = self.mask.payload.data | self.bypass.replicate(mask_bits)
        with m.Switch(sequencer.instruction.gate):
            with m.Case(Gate.CLOSED):
                m.d.comb += closed.eq(1)
            with m.Case(Gate.LAST_QUARTER):
                m.d.comb += closed.eq(n[-3:-1].all())
            for place in range(mask_bits):
                with m.Case(Gate(Gate.MASK_0.value + place)):
                    m.d.comb += closed.eq(~mask[place])
        masks = sequencer.number == Name.MASK
        if self.front_end.gain_bits > 1:
            m.submodules.gain = gain = BinGain(self.front_end, self.limited)
            m.d.comb += [gain.element.eq(self.mask.payload.data), gain.bypass.eq(self.bypass)]
            if self.limited:
                m.d.comb += gain.floor.eq(self.floor)
            power = Mux(masks, gain.coefficient, power)
        elif self.limited:
            m.d.comb += floored.eq(closed & masks)
            power = Mux(masks, self.floor, power)
        m.d.comb += [datapath.closed.eq(closed & ~floored), datapath.floored.eq(floored), datapath.power.eq(power)]
