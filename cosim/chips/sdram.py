"""The ULX3S's SDRAM: a chip that holds words, and the board's controller that streams them. Simulation only.

The ULX3S manual (github.com/emard/ulx3s, doc/MANUAL.md, "Board Versions") says which chips the boards carry:
MT48LC16M16A2TG and M12L2561616A-6T (2018, 2019), AS4C32M16SB-7TCN (Watterott's), IS42S16160G-7TL (since 2020).
"""

from collections.abc import Sequence

from amaranth.hdl import Const, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Out

from boards.definitions.sdram import ULX3S_SDRAM, Chip
from boards.gateware.sdram import Range, SdramController, start_cycles
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_timing import Rule, Timing

__all__ = ["Sdram"]


class Sdram(wiring.Component):
    """Stream 16-bit words from SDRAM in order, wrapping around after the last.

    First word: after `start` cycles and the time of a READ. Throughput: the controller's.

    Parameters
    ----------
    words : contents from address 0 on
    clock_mhz : clock of the `sync` domain, which chip and controller share
    chip : what the controller knows of the chip
    timing : what the chip requires; by default both are the slowest of the boards' chips

    Members
    -------
    o : Out(stream of unsigned(16))
    broken : Out(Rule), the first rule of the data sheet that the controller broke, until reset
    """

    def __init__(
        self, words: Sequence[int], clock_mhz: float, chip: Chip = ULX3S_SDRAM, timing: Timing | None = None
    ) -> None:
        self.words = words
        self.chip = SdramChip(clock_mhz, words, timing)
        self.controller = SdramController(chip, clock_mhz * 1e6)
        self.start = start_cycles(self.controller.cycles)
        super().__init__({"o": Out(stream.Signature(16)), "broken": Out(Rule)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.chip, m.submodules.controller = chip, controller = self.chip, self.controller
        wiring.connect(m, controller.pins, chip.pins)
        wiring.connect(m, controller.o, wiring.flipped(self.o))
        m.d.comb += [
            controller.read.valid.eq(1),
            controller.read.payload.eq(Const({"first": 0, "last": len(self.words) - 1}, Range(controller.bits))),
            controller.write.valid.eq(0),
            self.broken.eq(chip.broken),
        ]
        return m
