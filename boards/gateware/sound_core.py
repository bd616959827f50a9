"""The whole denoiser between a converter's pins: sound in, sound out, on one clock."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.button import SETTLE_SECONDS, Button
from boards.gateware.flash import SPI, loaded_layer, loader_of
from boards.gateware.i2s import I2S
from boards.gateware.sample_rate import rate
from hw.gateware.denoiser import Denoiser
from hw.gateware.network import Network

__all__ = ["AHEAD", "SHIFTS", "SoundCore"]

SHIFTS = {"codec": 0, "microphone": 4}
"""Where sound comes from, and the bits that its 24 are turned up by.

Speech at 60 dB SPL is near -60 dBFS in an INMP441, which has -26 dBFS at 94 dB SPL. A line in is loud enough."""

AHEAD = 8
"""Samples that wait before the first one sounds, so that a frame that takes a few cycles longer is no gap."""


class SoundCore(wiring.Component):
    """I2S in, denoiser, I2S out.

    The left channel is heard, and both channels get what comes out. While weights are loaded nothing is heard. Weights
    that failed, or the button, make it pass sound on as it is, as late as ever. Delay from word to word: N + `AHEAD`
    samples, a frame of the converter, and the cycles of engine and network. Cost next to the denoiser: `I2S`, `Button`
    and the loader.

    Members
    -------
    mclk, sclk, ws, sd_out : Out(1), sd_in : In(1), the converter's pins
    button : In(1), 1 while it is down
    overrun : Out(1), a sample came too early or was missed; stays until reset
    failed : Out(1), the flash has damaged weights or another bundle's
    flash : Out(SPI), only if a layer's weights are loaded

    Parameters
    ----------
    network : with words of one bit in, and of a bin's mask bits out
    source : one of `SHIFTS`
    flash_offset : start of the weights' image in the flash, in bytes, if a layer's are loaded
    """

    def __init__(
        self,
        network: Network,
        source: str,
        clock_hz: int,
        flash_offset: int | None = None,
        settle_seconds: float = SETTLE_SECONDS,
    ) -> None:
        self.network = network
        self.denoiser = Denoiser(network, single_port=network.family.single_port_ram is not None)
        self.rate = rate(clock_hz, network.bundle.front_end.sample_rate, mclk=True)
        self.i2s, self.switch = I2S(self.rate, SHIFTS[source]), Button(clock_hz, settle_seconds)
        members = {name: Out(1) for name in ("mclk", "sclk", "ws", "sd_out", "overrun", "failed")}
        members |= {"sd_in": In(1), "button": In(1)}
        self.loaded, self.loader = loaded_layer(network), loader_of(network, clock_hz, flash_offset)
        if self.loader is not None:
            members["flash"] = Out(SPI)
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.denoiser, m.submodules.i2s = denoiser, i2s = self.denoiser, self.i2s
        m.submodules.button = button = self.switch
        m.d.comb += [
            *(getattr(self, name).eq(getattr(i2s, name)) for name in ("mclk", "sclk", "ws", "sd_out")),
            i2s.sd_in.eq(self.sd_in),
            button.pin.eq(self.button),
            self.overrun.eq(i2s.overrun | i2s.underrun),
        ]
        ready = Signal(init=1)
        if self.loader is not None:
            m.submodules.loader = loader = self.loader
            wiring.connect(m, loader.spi, wiring.flipped(self.flash))
            wiring.connect(m, loader.o, getattr(denoiser, f"load_{self.loaded}"))
            m.d.comb += [ready.eq(loader.done | loader.failed), self.failed.eq(loader.failed)]
        m.d.comb += denoiser.bypass.eq(button.pressed | self.failed)

        # Samples before the weights are there are dropped, not kept waiting: they are no overrun.
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
            i2s.i.valid.eq(denoiser.o.valid & sounding),
            i2s.i.payload.eq(denoiser.o.payload),
            denoiser.o.ready.eq(i2s.i.ready & sounding),
        ]
        return m
