"""The top level for a board: the core on its pins, with clock, reset and LEDs."""

from typing import Any

from amaranth.build import ResourceError
from amaranth.hdl import ClockDomain, Const, DomainRenamer, Elaboratable, Instance, Module, Signal, Value
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer

from boards.definitions.board import Board, Resource
from boards.definitions.sound import CODEC, MICROPHONE
from boards.gateware import pll
from boards.gateware.core import BoardCore
from boards.gateware.leds import alive
from boards.gateware.sdram_pads import PADS, SdramPads, chip_clock_lag
from boards.gateware.sdram_weights import DOMAIN, Memory, SdramWeights
from boards.gateware.sound_core import SoundCore
from boards.host.protocol import Kind
from hw.gateware.network import Network
from model.errors import BadInput

__all__ = ["UART", "BoardTop", "check_clock"]

UART = "uart"
"""The denoiser's sound comes over the link, in hops of samples."""

SETTLE_SECONDS = 20e-6
"""Reset after configuration: an iCE40's block RAM reads as zeros for its first 3 us (issue 76 of YosysHQ/icestorm)."""


def check_clock(board: Board, streams: bool = False) -> pll.Setting | None:
    """The PLL's setting for the board's clock, None if that is the oscillator's; `BadInput` if there is none.

    With `streams`, the PLL also makes the SDRAM's clock.
    """
    if streams:
        return pll.setting(board.family, board.oscillator_hz, board.clock_hz, board.sdram_clock_hz)
    if board.clock_hz == board.oscillator_hz:
        return None
    return pll.setting(board.family, board.oscillator_hz, board.clock_hz)


class BoardTop(Elaboratable):
    """`BoardCore` on a board's UART, or `SoundCore` on its converters; LEDs; flash and SDRAM where weights need them.

    `sound` : None for the network alone, `UART` for the denoiser behind the link, otherwise one of `SHIFTS`.
    `limit` : between converters, attenuate no bin by more decibels; None is no limit.

    The clock is the oscillator's if the frequency matches, otherwise the PLL's. The PLL also makes the SDRAM's two
    clocks: the controller's, and the chip's, which lags. Reset lasts until `SETTLE_SECONDS` after the PLL has locked.
    """

    def __init__(self, network: Network, board: Board, sound: str | None = None, limit: float | None = None) -> None:
        self.network, self.board, self.sound = network, board, sound
        self.core: BoardCore | SoundCore
        memory = None if board.sdram is None else Memory(board.sdram, board.sdram_clock_hz, PADS)
        if sound in (None, UART):
            kind = Kind.NETWORK if sound is None else Kind.SOUND
            self.core = BoardCore(network, board.clock_hz, flash_offset=board.flash_offset, kind=kind, memory=memory)
        else:
            self.core = SoundCore(
                network, sound, board.clock_hz, flash_offset=board.flash_offset, limit=limit, memory=memory
            )
        self.streams = isinstance(self.core.weights, SdramWeights)
        self.pll = check_clock(board, self.streams)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = self.core
        self._clock(m, platform)

        (self._uart if isinstance(core, BoardCore) else self._sound)(m, platform)
        if core.weights is not None:
            self._flash(m, platform)
        if self.streams:
            pads = SdramPads(self._pins(platform, ("sdram", 0)))
            m.submodules.pads = DomainRenamer(DOMAIN)(pads)
            wiring.connect(m, core.sdram, pads.pins)

        self._led(m, platform, "alive", self.board.alive, alive(m, self.board.clock_hz, core.overrun))
        self._led(m, platform, "error", self.board.error, core.failed)
        return m

    def _uart(self, m: Module, platform: Any) -> None:
        uart = self._pins(platform, ("uart", 0))
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [self.core.rx.eq(rx.i), tx.o.eq(self.core.tx)]

    def _flash(self, m: Module, platform: Any) -> None:
        """The flash's pins. The clock of an ECP5 is that of its configuration, which a primitive drives."""
        if self.board.family.name == "ecp5":
            flash = self._pins(platform, ("spi_flash", 0))
            m.submodules.clk = Instance("USRMCLK", i_USRMCLKI=self.core.flash.clk, i_USRMCLKTS=Const(0))
        else:
            flash = self._pins(platform, ("spi_flash_1x", 0))
            m.submodules.clk = clk = io.Buffer("o", flash.clk)
            m.d.comb += clk.o.eq(self.core.flash.clk)
        for name in ("cs", "copi"):
            m.submodules[name] = pin = io.Buffer("o", getattr(flash, name))
            m.d.comb += pin.o.eq(getattr(self.core.flash, name))
        m.submodules.cipo = cipo = io.Buffer("i", flash.cipo)
        m.d.comb += self.core.flash.cipo.eq(cipo.i)
        for name in ("wp", "hold"):  # no write protection, no hold
            m.submodules[name] = pin = io.Buffer("o", getattr(flash, name))
            m.d.comb += pin.o.eq(0)

    def _sound(self, m: Module, platform: Any) -> None:
        """A microphone or the codec in, the codec or the jack out; each converter has its own clock pins."""
        platform.add_resources(self.board.sound)
        if self.sound == "jack":
            assert self.board.jack is not None
            jack = self._pins(platform, self.board.jack)
            for side in ("l", "r"):
                m.submodules[f"jack_{side}"] = pin = io.Buffer("o", getattr(jack, side))
                m.d.comb += pin.o.eq(self.core.code)
        else:
            codec = self._pins(platform, CODEC)
            for name, driven in (("mclk", "mclk"), ("lrck", "ws"), ("sclk", "sclk"), ("sdin", "sd_out")):
                m.submodules[name] = pin = io.Buffer("o", getattr(codec, name))
                m.d.comb += pin.o.eq(getattr(self.core, driven).replicate(len(pin.o)))
        if self.sound == "codec":
            data = codec.sdout
        else:
            microphone = self._pins(platform, MICROPHONE)
            data = microphone.sd
            for name, driven in (("sck", "sclk"), ("ws", "ws")):
                m.submodules[f"microphone_{name}"] = pin = io.Buffer("o", getattr(microphone, name))
                m.d.comb += pin.o.eq(getattr(self.core, driven))
        m.submodules.data = heard = io.Buffer("i", data)
        m.submodules.bypass = bypass = io.Buffer("i", self._pins(platform, self.board.bypass))
        m.d.comb += [self.core.sd_in.eq(heard.i), self.core.button.eq(bypass.i)]

    def _pins(self, platform: Any, resource: Resource) -> Any:
        try:
            return platform.request(*resource, dir="-")
        except ResourceError as error:
            name, number = resource
            raise BadInput(
                f"{self.board.name}: expected {name} {number} among the pins of {type(platform).__name__}, "
                "found none, or one in use"
            ) from error

    def _led(self, m: Module, platform: Any, name: str, resource: Resource, lit: Value) -> None:
        m.submodules[name] = led = io.Buffer("o", self._pins(platform, resource))
        register = Signal()
        m.d.sync += register.eq(lit)
        m.d.comb += led.o.eq(register)

    def _clock(self, m: Module, platform: Any) -> None:
        """The domain `sync` and, where weights are streamed, `sdram` and `chip`; and their resets."""
        board = self.board
        pin = self._pins(platform, (platform.default_clk, 0))
        clock, locked = Signal(), Signal()
        further: list[tuple[Signal, float, float]] = []
        if self.streams:
            assert board.sdram is not None
            lag = chip_clock_lag(board.sdram, board.sdram_clock_hz)
            m.domains.sdram, m.domains.chip = sdram, chip = ClockDomain("sdram"), ClockDomain("chip", reset_less=True)
            further = [(sdram.clk, board.sdram_clock_hz, 0), (chip.clk, board.sdram_clock_hz, lag)]
        if self.pll is not None and board.family.name == "ice40":
            source = pin.io  # the PLL takes the pin itself
        else:
            m.submodules.pin = buffer = io.Buffer("i", pin)
            source = buffer.i
        if self.pll is None:
            m.d.comb += [clock.eq(source), locked.eq(1)]
        else:
            m.submodules.pll = pll.instance(board.family, self.pll, board.oscillator_hz, source, clock, locked, further)
        m.domains.sync = sync = ClockDomain()
        m.domains.start = start = ClockDomain(reset_less=True)
        m.d.comb += [sync.clk.eq(clock), start.clk.eq(clock)]
        settled = round(SETTLE_SECONDS * self.board.clock_hz)
        count, done = Signal(range(settled + 1)), Signal()
        with m.If(locked & ~done):
            m.d.start += [count.eq(count + 1), done.eq(count == settled)]
        m.submodules.reset = ResetSynchronizer(~done, domain="sync")
        if self.streams:
            m.submodules.sdram_reset = ResetSynchronizer(~done, domain=DOMAIN)
