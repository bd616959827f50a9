"""The ULX3S's SDRAM: a chip, and an ideal controller that streams its contents. Simulation only.

The ULX3S manual (github.com/emard/ulx3s, doc/MANUAL.md, "Board Versions") says which chips the boards carry:
MT48LC16M16A2TG and M12L2561616A-6T (2018, 2019), AS4C32M16SB-7TCN (Watterott's), IS42S16160G-7TL (since 2020).
"""

from collections.abc import Sequence

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_controller import SdramController
from cosim.chips.sdram_timing import Command, Timing

__all__ = ["Sdram"]


class Sdram(wiring.Component):
    """Stream 16-bit words from SDRAM in order, wrapping around after the last.

    A command in cycle c has its first word on the pins in cycle c + CL and on `o` in cycle c + CL + 1. First word:
    rcd + CL + 1 cycles from reset. Throughput: `data_share` words per cycle.

    Parameters
    ----------
    words : contents from address 0 on
    clock_mhz : clock of the `sync` domain, which chip and controller share
    timing : the chip

    Members
    -------
    o : Out(stream of unsigned(16))
    command, bank, row, column : Out, the bus between the two, for observation
    """

    def __init__(self, words: Sequence[int], clock_mhz: float, timing: Timing | None = None) -> None:
        self.words, self.timing = words, timing or Timing()
        self.cycles = self.timing.cycles(clock_mhz)
        self.chip = SdramChip(words, self.cycles.cas, self.timing)
        self.controller = SdramController(len(words), self.cycles, self.timing)
        super().__init__(
            {
                "o": Out(stream.Signature(16)),
                "command": Out(Command),
                "bank": Out(range(self.timing.banks)),
                "row": Out(range(self.timing.rows)),
                "column": Out(range(self.timing.columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.chip, m.submodules.controller = chip, controller = self.chip, self.controller
        for name in ("command", "bank", "row", "column"):
            driven = getattr(controller, name)
            m.d.comb += [getattr(chip, name).eq(driven), getattr(self, name).eq(driven)]
        m.d.comb += controller.data.eq(chip.data)
        wiring.connect(m, controller.o, wiring.flipped(self.o))
        return m
