"""The top level for a board: the core on its pins."""

from typing import Any

from amaranth.hdl import Elaboratable, Module
from amaranth.lib import io

from boards.core import BoardCore
from hw.network import Network

__all__ = ["BoardTop"]


class BoardTop(Elaboratable):
    """`BoardCore` on the `uart` of an amaranth-boards platform."""

    def __init__(self, network: Network) -> None:
        self.network = network

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.core = core = BoardCore(self.network, int(platform.default_clk_frequency))
        uart = platform.request("uart", dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.d.comb += [core.rx.eq(rx.i), tx.o.eq(core.tx)]
        return m
