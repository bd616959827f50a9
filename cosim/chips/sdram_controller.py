"""An ideal SDRAM controller that reads words cyclically. Simulation only."""

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out

from cosim.chips.sdram_timing import BURST, BURST_BITS, Command, Cycles, Timing

__all__ = ["QUEUE", "SdramController"]

QUEUE = 32
"""Words of room behind the chip: a full queue outlasts a refresh, which stops the data for some 16 cycles."""


class SdramController(wiring.Component):
    """Read `count` words from address 0 up, wrapping around after the last.

    A word's address is (row, bank, column), column in the lowest bits. Consecutive rows lie in different banks: while
    one is read, the next is activated and the last one precharged, so rows follow without a gap.
    Every `refi` cycles a refresh is due; it waits for the end of the burst, or of the next one if a row was activated
    less than `ras` ago. A READ waits until the queue has room for its burst.

    Throughput: `data_share` words per cycle. Latency: a word is on `o` a cycle after the chip drives it.
    Memory: a queue of `QUEUE` words.

    Members
    -------
    o : Out(stream of unsigned(16))
    command, bank, row, column : Out, to the chip; with READ, `row` is the one being read
    data : In(16), from the chip
    """

    def __init__(self, count: int, cycles: Cycles, timing: Timing) -> None:
        self.count, self.cycles, self.timing = count, cycles, timing
        super().__init__(
            {
                "o": Out(stream.Signature(16)),
                "command": Out(Command),
                "bank": Out(range(timing.banks)),
                "row": Out(range(timing.rows)),
                "column": Out(range(timing.columns)),
                "data": In(16),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timing, cycles = self.timing, self.cycles
        last_page, last_column = divmod(self.count - 1, timing.columns)

        # The next word to fetch. A page is a row of one bank; pages are numbered in reading order.
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

        # Up to three pages are open: the one being read, the next, and the last one until it is precharged.
        opened, ahead, stale = Signal(), Signal(), Signal()
        stale_bank = Signal.like(self.bank)

        # Cycles until the chip accepts ACTIVATE or REFRESH, READ of the page activated last, PRECHARGE.
        # One timer each serves all banks: ACTIVATEs are at least tRCD apart, so only the page activated last can be
        # waiting for it; and rows stay open for tRC - tRP, so tRC is met wherever tRP is.
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

        # Words fetched but not yet taken; each has a place reserved in the queue.
        promised = Signal(range(QUEUE + 1))
        m.d.sync += promised.eq(promised + fetch - (self.o.valid & self.o.ready))

        to_activate = Mux(opened, next_page, page)
        bank_bits = len(self.bank)  # the lowest bits of a page's number are its bank, the others its row
        may_read = opened & (ahead | (until_read == 0)) & (promised <= QUEUE - BURST) & ~(burst_ends_page & stale)
        may_activate = ~stale & ~ahead & (until_row == 0) & (~opened | (next_page[:bank_bits] != page[:bank_bits]))
        m.d.comb += [self.bank.eq(page[:bank_bits]), self.row.eq(page[bank_bits:]), self.column.eq(column)]
        # A refresh starts as soon as the burst is over and all banks may be closed; until then, reading continues.
        # Otherwise READ comes first: a burst leaves room for everything else.
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

        # The chip drives a fetched word after the CAS latency.
        on_pins = fetch
        for _ in range(cycles.cas):
            fetched, on_pins = on_pins, Signal()
            m.d.sync += on_pins.eq(fetched)

        m.submodules.queue = queue = SyncFIFO(width=16, depth=QUEUE)
        m.d.comb += [
            queue.w_en.eq(on_pins),
            queue.w_data.eq(self.data),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]
        return m
