"""The ULX3S's SDRAM and an ideal controller that reads it in order, over and over. Simulation only.

Which chips the boards carry says the ULX3S manual (github.com/emard/ulx3s, doc/MANUAL.md, "Board Versions"):
MT48LC16M16A2TG and M12L2561616A-6T (2018, 2019), AS4C32M16SB-7TCN (Watterott's), IS42S16160G-7TL (since 2020).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import ceil, floor

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import Out
from amaranth.utils import exact_log2

from hw.gateware.memory import ram, read

__all__ = ["BURST", "QUEUE", "Command", "Cycles", "Sdram", "Timing", "data_share"]

BURST = 8
"""Words that one READ brings: the mode register's longest, so that seven of eight command slots are free."""

BURST_BITS = exact_log2(BURST)

QUEUE = 32
"""Words of room behind the chip: a full queue outlasts a refresh, which stops the data for some 16 cycles."""


class Command(IntEnum):
    """What the controller says to the chip in a cycle."""

    NOP = 0
    ACTIVATE = 1
    READ = 2
    PRECHARGE = 3
    PRECHARGE_ALL = 4
    REFRESH = 5


@dataclass(frozen=True)
class Cycles:
    """`Timing` in cycles of one clock, and the CAS latency that it needs."""

    rcd: int
    rp: int
    ras: int
    rc: int
    rrd: int
    rfc: int
    refi: int
    cas: int

    @property
    def gap(self) -> int:
        """Cycles for which a refresh stops the data: precharge, refresh, activate again."""
        return self.rp + self.rfc + self.rcd


@dataclass(frozen=True)
class Timing:
    """What a chip asks for, in ns, and its shape: the slowest figure of the chips that the boards carry.

                    tRCD  tRP  tRAS  tRC  tRRD  tRFC  tCK at CL 2, CL 3
    AS4C32M16SB-7    21   21    42   63    14    63    10     7     Alliance, data sheet, Table 16
    MT48LC16M16A2    20   20    44   66    15    66    10     7.5   Micron 256Mb SDR SDRAM, Table 12, grade -75
    IS42S16160       20   20     -   70     -    70     -     -     LiteDRAM, litedram/modules.py

    AS4C16M16SA-7 (Rev. 3.0, March 2015, Table 16) is the same as the first. The manual does not say Micron's grade:
    -75 is the slowest. ISSI's own sheet was not at hand; LiteDRAM's figures stand for it, and as ISSI states one
    figure for tRC and tRFC, so does this. ESMT's chip, of the faster grade -6, was not looked up.

    All refresh 8192 rows in 64 ms; Alliance rounds that down to 7.8 us per row, and so does this. A row may stay
    open for 100 us, which refreshes see to. Four banks of 8192 rows; rows of 512 columns, AS4C32M16SB's of 1024.
    Here they are powers of two, and a row has one burst at least.
    """

    rcd: float = 21
    rp: float = 21
    ras: float = 44
    rc: float = 70
    rrd: float = 15
    rfc: float = 70
    refi: float = 7800
    period_at_cas_2: float = 10
    period_at_cas_3: float = 7.5
    banks: int = 4
    rows: int = 8192
    columns: int = 512

    def cycles(self, clock_mhz: float) -> Cycles:
        """Rounded up, for they are least times; the refresh interval, a greatest one, down."""
        period = 1000 / clock_mhz
        if period < self.period_at_cas_3:
            limit = 1000 / self.period_at_cas_3
            raise ValueError(f"clock_mhz: expected at most {limit:.1f}, got {clock_mhz}")
        return Cycles(
            rcd=ceil(self.rcd / period),
            rp=ceil(self.rp / period),
            ras=ceil(self.ras / period),
            rc=ceil(self.rc / period),
            rrd=max(2, ceil(self.rrd / period)),  # a pin-compatible chip, W9825G6JH (Rev. A04, 9.5), says two clocks
            rfc=ceil(self.rfc / period),
            refi=floor(self.refi / period),
            cas=2 if period >= self.period_at_cas_2 else 3,
        )


def data_share(clock_mhz: float, timing: Timing | None = None) -> float:
    """The share of cycles that carry a word to a reader that always takes it: only refreshes stop the data.

    Exact where rows have two bursts or more and the contents are whole rows, the last of which is not in the
    first one's bank; otherwise a few cycles per round of the contents are lost besides.
    """
    cycles = (timing or Timing()).cycles(clock_mhz)
    return 1 - cycles.gap / cycles.refi


class Sdram(wiring.Component):
    """Stream 16-bit words from SDRAM in order, from the first again after the last, for ever.

    A word's address is (row, bank, column), column fastest: consecutive rows lie in different banks, so the next
    one is activated, and the one before precharged, while a row is read, and rows follow without a gap.
    Every `refi` cycles a refresh is due; it waits for the end of a burst, or of the next if a row was activated
    less than `ras` ago. Data that has been asked for always has a place: a READ is held back until the queue has
    room for a burst. The chip's initialisation is left out: mode register set, contents written, banks closed.

    Signals are those of the chip's pins: a command in cycle c has its first word on the pins in cycle c + CL and
    on `o` in cycle c + CL + 1. Throughput: `data_share` words per cycle. First word: rcd + CL + 1 cycles from
    reset. Memory: the words, and a queue of `QUEUE` of them.

    Parameters
    ----------
    words : contents from address 0 on
    clock_mhz : clock of the `sync` domain, which the chip shares
    timing : the chip

    Members
    -------
    o : Out(stream of unsigned(16))
    command, bank, row, column : Out, the command bus; ACTIVATE heeds bank and row, READ bank and column (row says
        which one is being read), PRECHARGE the bank
    """

    def __init__(self, words: Sequence[int], clock_mhz: float, timing: Timing | None = None) -> None:
        self.words, self.timing = words, timing or Timing()
        self.cycles = self.timing.cycles(clock_mhz)
        capacity = self.timing.banks * self.timing.rows * self.timing.columns
        if not 0 < len(words) <= capacity:
            raise ValueError(f"words: expected 1 to {capacity}, got {len(words)}")
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
        timing, cycles = self.timing, self.cycles
        last_page, last_column = divmod(len(self.words) - 1, timing.columns)

        # The next word to fetch. A page is a row of one bank; pages are numbered in the order in which they are read.
        page, column = Signal(range(last_page + 1)), Signal(range(timing.columns))
        next_page = Signal.like(page)
        between_bursts, fetch, page_ends, burst_ends_page = Signal(), Signal(), Signal(), Signal()
        end = Mux(page == last_page, last_column, timing.columns - 1)
        m.d.comb += [
            next_page.eq(Mux(page == last_page, 0, page + 1)),
            between_bursts.eq(column[:BURST_BITS] == 0),
            fetch.eq(~between_bursts | (self.command == Command.READ)),
            page_ends.eq(column == end),
            burst_ends_page.eq(column[BURST_BITS:] == end[BURST_BITS:]),
        ]

        # Three pages may be open: the one that is read, the next one, and the one before, soon to be precharged.
        opened, ahead, stale = Signal(), Signal(), Signal()
        stale_bank = Signal.like(self.bank)

        # Cycles until the chip takes an ACTIVATE or a REFRESH, a READ of the page activated last, a PRECHARGE.
        # One timer each does for all banks: ACTIVATEs are at least tRCD apart, so that only the page activated
        # last can be waiting for it, and rows are held open for tRC - tRP, so that tRC holds where tRP does.
        until_row, until_read, until_precharge = (
            Signal(range(max(cycles.rc, cycles.rfc, cycles.rrd))) for _ in range(3)
        )
        for timer in (until_row, until_read, until_precharge):
            with m.If(timer != 0):
                m.d.sync += timer.eq(timer - 1)

        refresh_due, until_due = Signal(), Signal(range(cycles.refi), init=cycles.refi - 1)
        m.d.sync += until_due.eq(Mux(until_due == 0, cycles.refi - 1, until_due - 1))
        with m.If(until_due == 0):
            m.d.sync += refresh_due.eq(1)

        # Words asked for and not yet taken; their places in the queue are theirs.
        promised = Signal(range(QUEUE + 1))
        m.d.sync += promised.eq(promised + fetch - (self.o.valid & self.o.ready))

        to_activate = Mux(opened, next_page, page)
        bank_bits = len(self.bank)  # so many bits of a page's number are its bank, the others its row
        may_read = opened & (ahead | (until_read == 0)) & (promised <= QUEUE - BURST) & ~(burst_ends_page & stale)
        may_activate = ~stale & ~ahead & (until_row == 0) & (~opened | (next_page[:bank_bits] != page[:bank_bits]))
        m.d.comb += [self.bank.eq(page[:bank_bits]), self.row.eq(page[bank_bits:]), self.column.eq(column)]
        # A refresh that is due goes ahead as soon as the burst is over and all banks may be closed; until they may,
        # reading goes on. Other than that, READ comes first: a burst leaves room for everything else.
        with m.If(refresh_due & ~(opened | ahead | stale)):
            with m.If(until_row == 0):
                m.d.comb += self.command.eq(Command.REFRESH)
                m.d.sync += [refresh_due.eq(0), until_row.eq(cycles.rfc - 1)]
        with m.Elif(refresh_due & between_bursts & (until_precharge == 0)):
            m.d.comb += self.command.eq(Command.PRECHARGE_ALL)
            m.d.sync += [opened.eq(0), ahead.eq(0), stale.eq(0), until_row.eq(cycles.rp - 1)]
        with m.Elif(between_bursts & may_read):
            m.d.comb += self.command.eq(Command.READ)
        with m.Elif(stale & (until_precharge == 0)):
            m.d.comb += [self.command.eq(Command.PRECHARGE), self.bank.eq(stale_bank)]
            m.d.sync += [stale.eq(0), until_row.eq(cycles.rp - 1)]
        with m.Elif(may_activate):
            m.d.comb += [
                self.command.eq(Command.ACTIVATE),
                self.bank.eq(to_activate[:bank_bits]),
                self.row.eq(to_activate[bank_bits:]),
            ]
            m.d.sync += [
                opened.eq(1),
                ahead.eq(opened),
                until_row.eq(max(cycles.rrd, cycles.rcd) - 1),
                until_read.eq(cycles.rcd - 1),
                until_precharge.eq(max(cycles.ras, cycles.rc - cycles.rp) - 1),
            ]

        with m.If(fetch):
            m.d.sync += column.eq(column + 1)
            with m.If(page_ends):
                m.d.sync += [
                    column.eq(0),
                    page.eq(next_page),
                    # The next page may be activated in this very cycle.
                    opened.eq(ahead | (self.command == Command.ACTIVATE)),
                    ahead.eq(0),
                    stale.eq(1),
                    stale_bank.eq(page[:bank_bits]),
                ]

        # From the fetch to the pins: a cycle for the memory, then the rest of the CAS latency.
        m.submodules.cells = bank = ram(16, len(self.words), self.words)
        word, on_pins = read(m, bank, Cat(column, page), fetch), Signal()
        m.d.sync += on_pins.eq(fetch)
        for _ in range(cycles.cas - 1):
            earlier, fetched = word, on_pins
            word, on_pins = Signal(16, reset_less=True), Signal()
            m.d.sync += [word.eq(earlier), on_pins.eq(fetched)]

        m.submodules.queue = queue = SyncFIFO(width=16, depth=QUEUE)
        m.d.comb += [
            queue.w_en.eq(on_pins),
            queue.w_data.eq(word),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m
