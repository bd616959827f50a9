"""A pin-level model of an SDRAM chip, for reading: open rows, bursts, CAS latency. Simulation only."""

from collections.abc import Sequence

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cosim.chips.sdram_timing import BURST_BITS, Command, Timing
from hw.gateware.memory import ram, read

__all__ = ["SdramChip"]


class SdramChip(wiring.Component):
    """Answer READ with a burst of the open row's words, the first `cas` cycles later.

    A burst stays within its aligned block of `BURST` columns; the next READ, or closing its bank, cuts it short.
    Initialisation is left out: the memory is filled, the mode register is set, banks are closed. The chip relies on the
    controller to keep the rules of `Timing`; the tests check them on the bus.

    A word's address is (row, bank, column), column in the lowest bits.

    Parameters
    ----------
    words : contents from address 0 on
    cas : CAS latency in cycles
    timing : banks, rows and columns

    Members
    -------
    command, bank, row, column : In; ACTIVATE uses bank and row, READ bank and column, PRECHARGE the bank
    data : Out(16), 0 while the chip does not drive it
    """

    def __init__(self, words: Sequence[int], cas: int, timing: Timing) -> None:
        if not 0 < len(words) <= timing.capacity:
            raise ValueError(f"words: expected 1 to {timing.capacity}, got {len(words)}")
        self.words, self.cas, self.timing = words, cas, timing
        super().__init__(
            {
                "command": In(Command),
                "bank": In(range(timing.banks)),
                "row": In(range(timing.rows)),
                "column": In(range(timing.columns)),
                "data": Out(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        open_rows = Array(Signal(range(self.timing.rows), name=f"row_{bank}") for bank in range(self.timing.banks))
        with m.If(self.command == Command.ACTIVATE):
            m.d.sync += open_rows[self.bank].eq(self.row)

        # The burst: its bank, its next column, and how many words are left of it.
        from_bank, next_column = Signal.like(self.bank), Signal.like(self.column)
        left = Signal(BURST_BITS)
        bank, column, drive = Signal.like(self.bank), Signal.like(self.column), Signal()
        starts = self.command == Command.READ
        ends = (self.command == Command.PRECHARGE_ALL) | (
            (self.command == Command.PRECHARGE) & (self.bank == from_bank)
        )
        m.d.comb += [
            bank.eq(Mux(starts, self.bank, from_bank)),
            column.eq(Mux(starts, self.column, next_column)),
            drive.eq(starts | ((left != 0) & ~ends)),
        ]
        within, block = column[:BURST_BITS], column[BURST_BITS:]
        m.d.sync += [from_bank.eq(bank), next_column.eq(Cat((within + 1)[:BURST_BITS], block))]
        m.d.sync += left.eq(Mux(starts, -1, Mux(drive, left - 1, 0)))

        # To the pins: a cycle for the memory, then the rest of the CAS latency.
        m.submodules.cells = cells = ram(16, len(self.words), self.words)
        word, driven = read(m, cells, Cat(column, bank, open_rows[bank])), Signal()
        m.d.sync += driven.eq(drive)
        for _ in range(self.cas - 1):
            earlier, before = word, driven
            word, driven = Signal(16, reset_less=True), Signal()
            m.d.sync += [word.eq(earlier), driven.eq(before)]
        m.d.comb += self.data.eq(Mux(driven, word, 0))
        return m
