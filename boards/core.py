"""Everything between the pins of a board: the same on all of them, and what is simulated of one."""

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.link import HostLink
from boards.uart import Receiver, Transmitter
from hw.network import Network

__all__ = ["BAUD", "BoardCore"]

BAUD = 1_000_000


class BoardCore(wiring.Component):
    """The network behind the link and the UART.

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
