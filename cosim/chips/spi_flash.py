"""A model of an SPI NOR flash for reading. Simulation only."""

from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.flash import SPI

__all__ = ["CAPACITY", "Command", "Fault", "Flash", "Timing"]

CAPACITY = 1 << 24
"""Bytes of the iCEBreaker's chip, all that a 24-bit address reaches. After the last, reading continues at 0."""

ID = bytes.fromhex("ef7018")
"""Answer to READ_ID: a W25Q128JV."""

ERASED = 0xFF


class Command(IntEnum):
    """Commands of the model; NONE also stands for one that it ignores."""

    NONE = 0
    READ = 0x03
    READ_ID = 0x9F
    RELEASE = 0xAB
    SLEEP = 0xB9


class Fault(IntEnum):
    """A violation of the data sheet by the controller, or a command that this model doesn't know."""

    NONE = 0
    TOO_EARLY = 1
    TOO_FAST = 2
    UNKNOWN_COMMAND = 3


@dataclass(frozen=True)
class Timing:
    """The chip's timing: the slowest that the gateware supports (sources in `boards/gateware/flash.py`).

    release : seconds after RELEASE during which it must not be selected
    sleep : the same for SLEEP; not from a data sheet, but enough to catch a controller that doesn't wait
    read_hz : fastest clock of READ
    """

    release: float = 30e-6
    sleep: float = 10e-6
    read_hz: float = 20e6


class Flash(wiring.Component):
    """READ, READ_ID, SLEEP (deep power-down) and RELEASE from it; SPI mode 0, sampled by the `sync` clock.

    Asleep, it ignores everything but RELEASE. If it is selected too early, or read too fast, it sets `fault` and does
    not answer; an undriven line is 1. The first fault stays until reset.

    A bit is on `cipo` one cycle after the clock falls, so half a period may be a single cycle.

    Parameters
    ----------
    contents : its bytes from `offset` on; all others are erased. They are in `memory`, so a bench can change them
    clock_hz : of the `sync` domain
    asleep : whether SLEEP has just ended when the simulation begins, as after the configuration of an iCE40

    Members
    -------
    spi : In(SPI); fault : Out(Fault)
    """

    def __init__(
        self, contents: bytes, clock_hz: int, offset: int = 0, asleep: bool = True, timing: Timing | None = None
    ) -> None:
        timing = timing or Timing()
        assert contents and offset + len(contents) <= CAPACITY
        self.offset, self.size, self.asleep = offset, len(contents), asleep
        self.memory = memory.Memory(shape=8, depth=len(contents), init=contents)
        self.release, self.sleep = (ceil(seconds * clock_hz) for seconds in (timing.release, timing.sleep))
        self.period = ceil(clock_hz / timing.read_hz)
        super().__init__({"spi": In(SPI), "fault": Out(Fault)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spi = self.spi
        selected, clk = Signal(), Signal()  # a cycle ago
        m.d.sync += [selected.eq(spi.cs), clk.eq(spi.clk)]
        rises, falls = spi.cs & spi.clk & ~clk, spi.cs & ~spi.clk & clk

        # Bits received since the chip was selected: 8 of the command, 24 of the address. From 40 it wraps to 32, so
        # the lowest three bits are always the index in the byte.
        bits, shift = Signal(range(40)), Signal(24)
        came = Cat(spi.copi, shift)
        command, asleep, deaf = Signal(Command), Signal(init=self.asleep), Signal()
        busy = Signal(range(max(self.release, self.sleep) + 1), init=self.sleep if self.asleep else 0)
        since_rise = Signal(range(self.period + 1), init=self.period)
        address = Signal(range(CAPACITY))

        def blame(fault: Fault) -> None:
            m.d.sync += command.eq(Command.NONE)
            with m.If(self.fault == Fault.NONE):
                m.d.sync += self.fault.eq(fault)

        with m.If(busy != 0):
            m.d.sync += busy.eq(busy - 1)
        with m.If(since_rise != self.period):
            m.d.sync += since_rise.eq(since_rise + 1)
        with m.If(rises):
            m.d.sync += [bits.eq(Mux(bits == 39, 32, bits + 1)), shift.eq(came), since_rise.eq(1)]
            with m.If(bits == 31):
                m.d.sync += address.eq(came)
            with m.If((bits == 7) & ~deaf):
                code = came[:8]
                with m.If(~asleep | (code == Command.RELEASE)):
                    m.d.sync += command.eq(code)
                    known = [int(value) for value in Command if value != Command.NONE]
                    with m.If(~code.matches(*known)):
                        blame(Fault.UNKNOWN_COMMAND)
            with m.If((command == Command.READ) & (since_rise < self.period)):
                blame(Fault.TOO_FAST)

        m.submodules.memory = self.memory
        port = self.memory.read_port(domain="comb")
        within = (address >= self.offset) & (address < self.offset + self.size)
        m.d.comb += port.addr.eq(address - self.offset)
        answer = Const(int.from_bytes(b"\xff" + ID, "little"), 32)  # the byte after that of the same number
        out = Signal(8, init=0xFF)  # its highest bit is on the line
        m.d.comb += spi.cipo.eq(out[7])
        with m.If(falls):
            m.d.sync += out.eq(Cat(Const(1, 1), out))
            with m.If(bits[:3] == 0):
                with m.If((command == Command.READ) & (bits >= 32)):
                    m.d.sync += [out.eq(Mux(within, port.data, ERASED)), address.eq(address + 1)]
                with m.If((command == Command.READ_ID) & (bits <= 8 * len(ID))):
                    m.d.sync += out.eq(answer.word_select(bits[3:], 8))

        with m.If(spi.cs & ~selected):
            m.d.sync += deaf.eq(busy != 0)
            with m.If(busy != 0):
                blame(Fault.TOO_EARLY)
        with m.If(selected & ~spi.cs):
            m.d.sync += [bits.eq(0), command.eq(Command.NONE), out.eq(0xFF)]
            with m.If((command == Command.SLEEP) & (bits == 8)):
                m.d.sync += [asleep.eq(1), busy.eq(self.sleep)]
            with m.If(command == Command.RELEASE):
                m.d.sync += [asleep.eq(0), busy.eq(self.release)]
        return m
