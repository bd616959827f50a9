"""A test of all of a board's SDRAM: every word is written, then all are read back."""

from typing import Any

from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import Out

from boards.definitions.board import Board
from boards.definitions.sdram import Chip
from boards.gateware import pll
from boards.gateware.sdram import PINS, SdramController
from boards.gateware.sdram_pads import PADS, SdramPads, chip_clock_lag

__all__ = ["MemoryTest", "MemoryTestTop"]


def pattern(address: Value) -> Value:
    """The word at an address. It differs from that at any address of which one bit differs: a stuck line is found."""
    low, high = address[:16], address[16:]
    return low ^ low[::-1] ^ Cat(high, ~high)[:16]


class MemoryTest(wiring.Component):
    """Write the pattern to the first `words` words, read them back, compare.

    Time: up to 16 cycles for each word, and one to read it. Cost on ECP5 with the controller: docs/sdram.md.

    Members
    -------
    pins : Out(PINS)
    done : Out(1), all words are compared; failed : Out(1), one was wrong. Both stay until reset
    """

    def __init__(self, chip: Chip, clock_hz: float, words: int | None = None, pads: int = 0) -> None:
        self.words = words or chip.words
        self.controller = SdramController(chip, clock_hz, pads)
        super().__init__({"pins": Out(PINS), "done": Out(1), "failed": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.controller = controller = self.controller
        wiring.connect(m, controller.pins, wiring.flipped(self.pins))
        address, last = Signal(controller.bits), Signal()
        m.d.sync += last.eq(address == self.words - 1)
        write, read, o = controller.write, controller.read, controller.o
        expected, pause = Signal(16), Signal(init=1)
        m.d.sync += [expected.eq(pattern(address)), pause.eq(0)]

        def next_word() -> None:
            """The next word goes over two cycles later at the earliest: then `expected` and `last` are its own."""
            m.d.sync += [address.eq(address + 1), pause.eq(1)]

        m.d.comb += [
            write.payload.address.eq(address),
            write.payload.data.eq(expected),
            read.payload.last.eq(self.words - 1),
            read.payload.first.eq(0),
        ]
        with m.FSM():
            with m.State("write"):
                m.d.comb += write.valid.eq(~pause)
                with m.If(write.valid & write.ready):
                    next_word()
                    with m.If(last):
                        m.d.sync += address.eq(0)
                        m.next = "ask"
            with m.State("ask"):
                m.d.comb += read.valid.eq(1)
                with m.If(read.ready):
                    m.next = "read"
            with m.State("read"):
                m.d.comb += o.ready.eq(~pause)
                with m.If(o.valid & o.ready):
                    next_word()
                    m.d.sync += self.failed.eq(self.failed | (o.payload != expected))
                    with m.If(last):
                        m.next = "done"
            with m.State("done"):
                m.d.sync += self.done.eq(1)
        return m


class MemoryTestTop(Elaboratable):
    """`MemoryTest` on a board. The alive LED is lit when it is done, the error LED from the first wrong word on."""

    def __init__(self, board: Board) -> None:
        assert board.sdram is not None
        self.board, self.chip = board, board.sdram
        self.test = MemoryTest(self.chip, board.clock_hz, pads=PADS)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        board = self.board
        m.submodules.pads = pads = SdramPads(platform.request("sdram", 0, dir="-"))
        m.submodules.test = test = self.test
        wiring.connect(m, test.pins, pads.pins)
        for name, resource, lit in (("alive", board.alive, test.done), ("error", board.error, test.failed)):
            m.submodules[name] = led = io.Buffer("o", platform.request(*resource, dir="-"))
            m.d.comb += led.o.eq(lit)

        m.submodules.pin = pin = io.Buffer("i", platform.request(platform.default_clk, 0, dir="-"))
        m.domains.sync, m.domains.chip = sync, chip = ClockDomain("sync"), ClockDomain("chip", reset_less=True)
        locked, found = Signal(), pll.setting(board.family, board.oscillator_hz, board.clock_hz)
        lag = chip_clock_lag(self.chip, board.clock_hz)
        m.submodules.pll = pll.instance(
            board.family, found, board.oscillator_hz, pin.i, sync.clk, locked, [(chip.clk, board.clock_hz, lag)]
        )
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        return m
