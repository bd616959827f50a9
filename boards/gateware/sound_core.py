"""The whole denoiser between the converters' pins: sound in, sound out, on one clock."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.button import SETTLE_SECONDS, Button
from boards.gateware.i2s import I2S
from boards.gateware.noise_shaper import CODE
from boards.gateware.resistor_dac import ResistorDac
from boards.gateware.sample_rate import rate
from boards.gateware.sdram_weights import Memory
from boards.gateware.weights import add_weights, pins_of, source_of
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network

__all__ = ["AHEAD", "SHIFTS", "SoundCore"]

SHIFTS = {"codec": 0, "microphone": 4, "jack": 4}
"""The sound paths, and the level shift of each for its source's 24 bits.

codec : from a codec's ADC to its DAC; microphone : from a microphone to a codec's DAC; jack : from a microphone to the
board's own resistor DAC, without a codec. Speech at 60 dB SPL is near -60 dBFS in an INMP441, which has -26 dBFS at
94 dB SPL. A line input is loud enough."""

AHEAD = 8
"""Samples queued before the first one is played, so a frame that takes a few cycles longer leaves no gap."""

CODE_HZ = 3_000_000
"""Lowest rate of the resistor DAC's codes: about 190 a sample, as many as `bgru dac` measures."""


class SoundCore(wiring.Component):
    """I2S in, denoiser, I2S or a resistor DAC out.

    The left channel is the input, and both channels get the output. While weights are loading the output is silent. If
    the weights failed, or while the button is down, sound passes unchanged with the same delay. Delay from word to
    word: `boards.flow.delay.Delay`. Cost on top of the denoiser: `I2S`, `Button`, `ResistorDac` for the jack, and the
    source of the weights (`boards.gateware.weights`).

    Members
    -------
    sclk, ws : Out(1), sd_in : In(1), the I2S pins
    mclk, sd_out : Out(1), a codec's other pins, unless there is a jack; code : Out(4), its resistors, lowest bit first
    button : In(1), 1 while it is down
    overrun : Out(1), a sample came too early or was missed; stays until reset
    failed : Out(1), the weights are missing, damaged or another bundle's
    flash : Out(SPI), only if a layer's weights are loaded or streamed
    sdram : Out(PINS), in the domain `sdram`, only if a layer's weights are streamed; so is `flash` then

    Parameters
    ----------
    network : with words of one bit in, and of a bin's mask bits out
    way : one of `SHIFTS`
    flash_offset : start of the weights' image in the flash, in bytes, if a layer's are loaded or streamed
    limit : attenuate no bin by more decibels; None is no limit
    memory : the SDRAM, if a layer's weights are streamed
    """

    def __init__(
        self,
        network: Network,
        way: str,
        clock_hz: int,
        flash_offset: int | None = None,
        settle_seconds: float = SETTLE_SECONDS,
        limit: float | None = None,
        memory: Memory | None = None,
    ) -> None:
        self.network = network
        self.denoiser = Denoiser(network, single_port=network.family.single_port_ram is not None, limit=limit)
        self.rate = rate(clock_hz, network.bundle.front_end.sample_rate, mclk=True)
        self.i2s, self.switch = I2S(self.rate, SHIFTS[way]), Button(clock_hz, settle_seconds)
        self.dac = ResistorDac(max(1, (clock_hz // CODE_HZ).bit_length() - 1)) if way == "jack" else None
        self.clocks = ("sclk", "ws") if self.dac else ("mclk", "sclk", "ws", "sd_out")
        members = {name: Out(1) for name in (*self.clocks, "overrun", "failed")}
        if self.dac is not None:
            members["code"] = Out(CODE)
        members |= {"sd_in": In(1), "button": In(1)}
        self.weights = source_of(network, clock_hz, flash_offset, memory)
        super().__init__({**members, **pins_of(self.weights)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.denoiser, m.submodules.i2s = denoiser, i2s = self.denoiser, self.i2s
        m.submodules.button = button = self.switch
        m.d.comb += [
            *(getattr(self, name).eq(getattr(i2s, name)) for name in self.clocks),
            i2s.sd_in.eq(self.sd_in),
            button.pin.eq(self.button),
        ]
        output: I2S | ResistorDac = i2s
        if self.dac is not None:
            m.submodules.dac = output = self.dac
            wiring.connect(m, i2s.beat, output.beat)
            m.d.comb += self.code.eq(output.code)
        m.d.comb += self.overrun.eq(i2s.overrun | output.underrun)
        ready = Signal(init=1)
        if self.weights is not None:
            loading, failed = add_weights(m, self, self.weights, denoiser)
            m.d.comb += [ready.eq(~loading), self.failed.eq(failed)]
        m.d.comb += denoiser.bypass.eq(button.pressed | self.failed)

        # Samples are dropped until the weights are loaded, instead of waiting: they are no overrun.
        m.d.comb += [
            denoiser.i.valid.eq(i2s.o.valid & ready),
            denoiser.i.payload.data.eq(i2s.o.payload),
            i2s.o.ready.eq(denoiser.i.ready | ~ready),
        ]
        ahead = Signal(range(AHEAD + 1))
        with m.If(denoiser.o.valid & i2s.o.valid & i2s.o.ready & (ahead != AHEAD)):
            m.d.sync += ahead.eq(ahead + 1)
        sounding = ahead == AHEAD
        m.d.comb += [
            output.i.valid.eq(denoiser.o.valid & sounding),
            output.i.payload.eq(denoiser.o.payload),
            denoiser.o.ready.eq(output.i.ready & sounding),
        ]
        return m
