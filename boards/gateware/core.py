"""Everything between the pins of a board: the same on all boards, and what is simulated."""

from dataclasses import replace

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.byte_denoiser import ByteDenoiser
from boards.gateware.link import HostLink
from boards.gateware.link_format import LinkFormat
from boards.gateware.sdram_weights import Memory, SdramWeights
from boards.gateware.uart import Receiver, Transmitter
from boards.gateware.weights import add_weights, pins_of, source_of
from boards.host.protocol import BAUD, Kind
from hw.gateware.network import Network
from model.errors import BadInput

__all__ = ["BoardCore"]


class BoardCore(wiring.Component):
    """The network, or the whole denoiser, behind link and UART, with what loads its weights if they are not in ROM.

    Members
    -------
    rx : In(1), from the host; tx : Out(1), to the host
    overrun : Out(1), a frame found no room and was refused; stays until reset
    failed : Out(1), the weights are missing, damaged or another bundle's: every byte of every answer is 0xFF
    flash : Out(SPI), only if a layer's weights are loaded or streamed
    sdram : Out(PINS), in the domain `sdram`, only if a layer's weights are streamed; so is `flash` then

    Parameters
    ----------
    network : with words of a byte at both ends; in a denoiser as for `ByteDenoiser`
    kind : what the host sends and receives: feature bits and masks, or hops of samples
    flash_offset : start of the weights' image in the flash, in bytes, if a layer's are loaded or streamed
    memory : the SDRAM, if a layer's weights are streamed
    """

    def __init__(
        self,
        network: Network,
        clock_hz: int,
        baud: int = BAUD,
        flash_offset: int | None = None,
        kind: Kind = Kind.NETWORK,
        memory: Memory | None = None,
    ) -> None:
        self.network, self.divisor = network, round(clock_hz / baud)
        self.form = LinkFormat.of(network.bundle, network.family, kind)
        self.engine = ByteDenoiser(network, self.form.slots) if kind == Kind.SOUND else network
        # 2.5 % is a quarter of a bit at the end of a byte: half of the limit.
        if self.divisor < 4 or abs(clock_hz / self.divisor / baud - 1) > 0.025:
            raise BadInput(
                f"UART: expected a clock of 4 x {baud:,} Hz or more, a multiple to 2.5 %, got {clock_hz:,} Hz"
            )
        self.weights = source_of(network, clock_hz, flash_offset, memory, self.form.rom_style)
        if isinstance(self.weights, SdramWeights):  # the host may bring them
            self.form = replace(self.form, image_bytes=self.weights.reader.loader.size)
        flags = {"overrun": Out(1), "failed": Out(1)}
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1), **flags, **pins_of(self.weights)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        network, engine = self.network, self.engine
        m.submodules["network" if engine is network else "denoiser"] = engine
        m.submodules.link = link = HostLink(self.form)
        m.submodules.receiver = receiver = Receiver(self.divisor)
        m.submodules.transmitter = transmitter = Transmitter(self.divisor)
        m.d.comb += [receiver.pin.eq(self.rx), self.tx.eq(transmitter.pin), self.overrun.eq(link.overrun)]
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        wiring.connect(m, link.frames, engine.i)
        wiring.connect(m, engine.o, link.answers)
        if isinstance(engine, ByteDenoiser):
            m.d.comb += engine.passed.eq(link.passed)
        if self.weights is not None:
            loading, failed = add_weights(m, self, self.weights, engine)
            m.d.comb += [link.loading.eq(loading), link.failed.eq(failed), self.failed.eq(failed)]
            if isinstance(self.weights, SdramWeights):
                wiring.connect(m, link.image, self.weights.image)
                m.d.comb += link.loadable.eq(self.weights.loadable)
        return m
