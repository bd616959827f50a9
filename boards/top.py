"""The top level for a board: its UART, the link and the network, in its default clock domain."""

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from boards.link import HostLink
from boards.uart import Receiver, Transmitter
from hw.network import Network

__all__ = ["BAUD", "BoardTop", "Pins"]

BAUD = 1_000_000


class Pins(wiring.Component):
    """Everything behind the UART's two pins: what is simulated of a board.

    Members
    -------
    rx : In(1), from the host; tx : Out(1), to the host
    """

    def __init__(self, network: Network, clock_hz: int, baud: int = BAUD) -> None:
        self.network, self.divisor = network, round(clock_hz / baud)
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.link = link = HostLink(self.network)
        m.submodules.receiver = receiver = Receiver(self.divisor)
        m.submodules.transmitter = transmitter = Transmitter(self.divisor)
        m.d.comb += [receiver.pin.eq(self.rx), self.tx.eq(transmitter.pin)]
        wiring.connect(m, receiver.o, link.i)
        wiring.connect(m, link.o, transmitter.i)
        return m


class BoardTop(Elaboratable):
    """`Pins` on the `uart` of an amaranth-boards platform."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pins = pins = Pins(self.network, int(platform.default_clk_frequency))
        uart = platform.request("uart", dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [pins.rx.eq(rx.i), tx.o.eq(pins.tx)]
        return m
