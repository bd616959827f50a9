"""A controller for SDR SDRAM: long sequential reads at full speed, and single writes."""

from collections.abc import Callable
from enum import IntEnum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from boards.definitions.sdram import BURST, Chip, Cycles

__all__ = [
    *("PINS", "QUEUE", "Range", "SdramController", "Step", "Write"),
    *("data_share", "refresh_gap", "start_cycles"),
]

QUEUE = 32
"""Words of the prefetch queue: two bursts while two more are under way."""

PINS = wiring.Signature(
    {
        "cke": Out(1),
        "ras_n": Out(1, init=1),
        "cas_n": Out(1, init=1),
        "we_n": Out(1, init=1),
        "dqm": Out(2, init=3),
        "ba": Out(2),
        "a": Out(13),
        "dq_o": Out(16),
        "dq_oe": Out(1),
        "dq_i": In(16),
    }
)
"""The chip's pins from the controller's side; the chip is always selected."""

IN_BURST = exact_log2(BURST)
PRECHARGE_BANK, ADVANCE = 1, BURST - 2
"""Cycles of a READ. In the first, the last page's bank is closed. The next page is opened tRP later. The second is the
last one in which there is time to know whether READ can go on."""

BURST_MASK = (1 << BURST) - 1

ALL_BANKS = 1 << 10
"""A10 with PRECHARGE."""

SINGLE_WRITES, CAS_LATENCY, BURSTS_OF_EIGHT = 1 << 9, 4, 3
"""The mode register: write burst mode in A9, CAS latency from A4 on, burst length in A2 to A0."""


COMMANDS = {
    "MODE": 0b000,
    "REFRESH": 0b001,
    "PRECHARGE": 0b010,
    "ACTIVATE": 0b011,
    "WRITE": 0b100,
    "READ": 0b101,
    "NOP": 0b111,
}
"""RAS#, CAS#, WE#."""


class Step(IntEnum):
    """What the controller does. Each step but OPEN is followed by any other that is possible."""

    WAIT = 0
    CLOSE = 1
    REFRESH = 2
    MODE = 3
    OPEN = 4
    READ = 5
    WRITE = 6


class Range(data.StructLayout):
    """Words to read, from the address `first` to `last`."""

    def __init__(self, bits: int) -> None:
        super().__init__({"first": bits, "last": bits})


class Write(data.StructLayout):
    """A word to write."""

    def __init__(self, bits: int) -> None:
        super().__init__({"address": bits, "data": 16})


class _Reading:
    """Registers of the read stream.

    active : there is a burst to read
    here : its address, in bursts; skip : its first word that is wanted
    final, stop : the range's last burst, and the last word of it
    at_end : `here` is the last burst; next : the burst that follows
    ready : the page of `here` is open; ahead : the page of `next`, which is another, is open too
    same_page, other_bank : there is a `next`, and how it lies to `here`
    stale, stale_bank : the page before is still open
    """

    def __init__(self, bits: int, columns: int) -> None:
        self.page_begin = exact_log2(columns) - IN_BURST
        self.here, self.final, self.next = (Signal(bits - IN_BURST, name=name) for name in ("here", "final", "next"))
        self.skip, self.stop = Signal(IN_BURST, name="skip"), Signal(IN_BURST, name="stop")
        names = ("active", "at_end", "ready", "ahead", "same_page", "other_bank", "stale")
        self.active, self.at_end, self.ready, self.ahead, self.same_page, self.other_bank, self.stale = (
            Signal(name=name) for name in names
        )
        self.stale_bank = Signal(2, name="stale_bank")

    def page(self, burst: Value) -> Value:
        """Row and bank of a burst, the bank in the lowest two bits."""
        return burst[self.page_begin :]


At = Callable[[Step, int], Value]
"""Whether a step is in its cycle of that number, from 0."""


def write_length(cycles: Cycles) -> int:
    """Cycles of WRITE: the chip then has stored the word, and its row has been open for long enough."""
    return max(cycles.wr, cycles.ras - cycles.rcd, cycles.rc - cycles.rp - cycles.rcd)


def close_lead(cycles: Cycles) -> int:
    """Cycles of CLOSE before its PRECHARGE: the next page may have been opened late in the burst before."""
    return max(0, max(cycles.ras, cycles.rc - cycles.rp) - (BURST - PRECHARGE_BANK - cycles.rp))


def refresh_gap(cycles: Cycles) -> int:
    """Cycles for which a refresh stops the data: CLOSE, REFRESH, OPEN."""
    return close_lead(cycles) + cycles.rp + cycles.rfc + cycles.rcd


def data_share(cycles: Cycles) -> float:
    """The share of cycles with a word on the bus while a reader always takes it: only refreshes stop the data.

    Exact for ranges of two or more whole pages, the last in another bank than the first of the next range.
    """
    return 1 - refresh_gap(cycles) / cycles.refi


def start_cycles(cycles: Cycles) -> int:
    """Cycles from reset until the chip is initialised, at most."""
    return (cycles.power_up + cycles.refreshes + 1) * cycles.refi


class SdramController(wiring.Component):
    """Read ranges of words as one stream, and write single words.

    A word's address is (row, bank, column), column in the lowest bits, so consecutive pages (rows of a bank) lie in
    different banks. While a page is read, the next is opened and the last one closed. A range that is offered before
    the last one ends follows it without a gap, unless its first page is in the bank of the last page. Refreshes come
    first, then writes, then reads.

    Work is cut into steps of fixed length, each with its command in a fixed cycle. A step's length covers all that the
    data sheet asks for before the next one, so there are no timers. The queue has room for a burst before it is read.

    Throughput: `data_share` words per cycle; a write takes OPEN, WRITE and CLOSE, up to 16 cycles, and stops the
    reading for up to 30. Latency of the first word: `cas` + `pads` + 3 cycles from its READ. Start:
    `power_up` + `refreshes` + 1 refresh intervals from reset. Memory: a queue of `QUEUE` words in LUTs.

    Parameters
    ----------
    chip, clock_hz : the chip and the frequency of `sync`
    pads : cycles that registers in the pads add, out and back (`boards.gateware.sdram_pads`)
    cycles : the timing, by default the chip's at this clock

    Members
    -------
    read : In(stream of Range); o : Out(stream of 16), its words
    write : In(stream of Write); a range read afterwards has the new word, one that is being read may not
    running : Out(1), the chip is initialised
    pins : Out(PINS)
    """

    def __init__(self, chip: Chip, clock_hz: float, pads: int = 0, cycles: Cycles | None = None) -> None:
        self.chip, self.pads, self.cycles = chip, pads, cycles or chip.cycles(clock_hz)
        self.bits = exact_log2(chip.words)
        self.lengths = {
            Step.WAIT: 1,
            Step.CLOSE: close_lead(self.cycles) + self.cycles.rp,
            Step.REFRESH: self.cycles.rfc,
            Step.MODE: self.cycles.mrd,
            Step.OPEN: self.cycles.rcd,
            Step.READ: BURST,
            Step.WRITE: write_length(self.cycles),
        }
        # A page is opened in a burst and read in the next one.
        assert PRECHARGE_BANK + self.cycles.rp + self.cycles.rcd <= BURST
        # Read data has left the bus before a word is written.
        assert self.cycles.rp + self.cycles.rcd > self.cycles.cas
        super().__init__(
            {
                "read": In(stream.Signature(Range(self.bits))),
                "o": Out(stream.Signature(16)),
                "write": In(stream.Signature(Write(self.bits))),
                "running": Out(1),
                "pins": Out(PINS),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        step, lengths = Signal(Step), self.lengths
        left = Signal(range(max(lengths.values())))

        def at(which: Step, slot: int) -> Value:
            """A cycle of a step, counted from 0."""
            return (step == which) & (left == lengths[which] - 1 - slot)

        due, configure = self._refreshes(m, at)
        reading = self._reading(m, at)
        room = self._capture(m, at, reading)

        # `opened`: some bank may be open, as after power-up.
        opened, storing, following = Signal(init=1), Signal(), Signal(Step)
        may_write, may_read = self.write.valid & self.running, reading.active & room & self.running
        with m.If(due):
            m.d.comb += following.eq(Mux(opened, Step.CLOSE, Step.REFRESH))
        with m.Elif(configure):
            m.d.comb += following.eq(Step.MODE)
        with m.Elif(may_write):
            m.d.comb += following.eq(Mux(opened, Step.CLOSE, Step.OPEN))
        with m.Elif(may_read):
            m.d.comb += following.eq(Mux(reading.ready, Step.READ, Mux(opened, Step.CLOSE, Step.OPEN)))
        with m.If(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.Else():
            with m.If(step == Step.OPEN):
                m.d.comb += following.eq(Mux(storing, Step.WRITE, Step.READ))
            with m.Else():
                m.d.sync += storing.eq(may_write)
            m.d.sync += step.eq(following)
            with m.Switch(following):
                for which, length in lengths.items():
                    with m.Case(which):
                        m.d.sync += left.eq(length - 1)
        with m.If(at(Step.CLOSE, 0)):
            m.d.sync += [opened.eq(0), reading.ready.eq(0), reading.stale.eq(0)]
        with m.If(at(Step.OPEN, 0)):
            m.d.sync += [opened.eq(1), reading.ready.eq(~storing)]
        self._commands(m, at, reading, storing)
        return m

    def _refreshes(self, m: Module, at: At) -> tuple[Signal, Signal]:
        """Whether a refresh is due, and whether the mode register is. Power-up is counted in refresh intervals."""
        cycles = self.cycles
        until_due, tick = Signal(range(cycles.refi), init=cycles.refi - 1), Signal()
        due, powered, configure = Signal(), Signal(), Signal()
        count = Signal(range(max(cycles.power_up, cycles.refreshes)))
        m.d.sync += [tick.eq(until_due == 1), until_due.eq(Mux(until_due == 0, cycles.refi - 1, until_due - 1))]
        with m.If(tick):
            m.d.sync += due.eq(powered)
            with m.If(~powered):
                m.d.sync += count.eq(count + 1)
                with m.If(count == cycles.power_up - 1):
                    m.d.sync += [powered.eq(1), count.eq(0)]
        with m.If(at(Step.REFRESH, 0)):
            m.d.sync += due.eq(0)
            with m.If(~(self.running | configure)):
                m.d.sync += [count.eq(count + 1), configure.eq(count == cycles.refreshes - 1)]
        with m.If(at(Step.MODE, 0)):
            m.d.sync += [configure.eq(0), self.running.eq(1)]
        return due, configure

    def _reading(self, m: Module, at: At) -> _Reading:
        """The burst that is read next, and the one after it."""
        reading = _Reading(self.bits, self.chip.columns)
        here, after, at_end = reading.here, Signal.like(reading.here), reading.at_end
        first, last = self.read.payload.first, self.read.payload.last
        # These lag behind `here` by a cycle or two; it changes late in a burst, and they are used from the next one on.
        m.d.sync += [after.eq(here + 1), at_end.eq(here == reading.final)]
        m.d.comb += reading.next.eq(Mux(at_end, first[IN_BURST:], after))
        follows, next_page, page = ~at_end | self.read.valid, reading.page(reading.next), reading.page(here)
        m.d.sync += [
            reading.same_page.eq(follows & (next_page == page)),
            reading.other_bank.eq(follows & (next_page[:2] != page[:2])),
        ]

        advance = at(Step.READ, ADVANCE)
        with m.If(advance):
            m.d.sync += [
                here.eq(reading.next),
                reading.active.eq(follows),
                reading.skip.eq(Mux(at_end, first[:IN_BURST], 0)),
                reading.ready.eq(reading.same_page | reading.ahead),
                reading.ahead.eq(0),
                reading.stale.eq(reading.ahead),
                reading.stale_bank.eq(page[:2]),
            ]
        with m.If(~reading.active):
            m.d.sync += [
                here.eq(first[IN_BURST:]),
                reading.skip.eq(first[:IN_BURST]),
                reading.active.eq(self.read.valid),
            ]
        m.d.comb += self.read.ready.eq(~reading.active | (advance & at_end))
        with m.If(self.read.ready):
            m.d.sync += [reading.final.eq(last[IN_BURST:]), reading.stop.eq(last[:IN_BURST])]
        return reading

    def _capture(self, m: Module, at: At, reading: _Reading) -> Signal:
        """The queue and the way into it; returns whether it has room for a burst."""
        m.submodules.queue = queue = SyncFIFO(width=16, depth=QUEUE)
        reads, upto = at(Step.READ, 0), Signal(IN_BURST)
        m.d.comb += upto.eq(Mux(reading.at_end, reading.stop, BURST - 1))

        # Which words of the burst are wanted; the lowest bit is that of the word the chip drives `cas + pads` later.
        wanted = Signal(BURST)
        from_skip = Const(BURST_MASK, BURST) << reading.skip
        until_stop = Const(BURST_MASK, BURST) >> (BURST - 1 - upto)[:IN_BURST]
        m.d.sync += wanted.eq(Mux(reads, from_skip & until_stop, wanted >> 1))
        under_way = Signal(self.cycles.cas + self.pads)
        m.d.sync += under_way.eq(Cat(wanted[0], under_way))
        m.d.comb += [
            queue.w_en.eq(under_way[-1]),
            queue.w_data.eq(self.pins.dq_i),
            self.o.valid.eq(queue.r_rdy),
            self.o.payload.eq(queue.r_data),
            queue.r_en.eq(self.o.ready),
        ]

        # Words that are asked for and not taken yet: each has its place in the queue.
        promised, room = Signal(range(QUEUE + 1)), Signal()
        taken = self.o.valid & self.o.ready
        m.d.sync += promised.eq(promised + Mux(reads, upto - reading.skip + 1, 0) - taken)
        m.d.sync += room.eq(promised <= QUEUE - BURST)
        return room

    def _commands(self, m: Module, at: At, reading: _Reading, storing: Signal) -> None:
        """The pins, from registers."""
        pins, write = self.pins, self.write.payload
        address = Signal(self.bits)
        column_bits = exact_log2(self.chip.columns)
        m.d.comb += address.eq(Mux(storing, write.address, Cat(Const(0, IN_BURST), reading.here)))
        m.d.comb += self.write.ready.eq(at(Step.WRITE, 0))

        def command(name: str, bank: ValueLike, rest: ValueLike) -> None:
            m.d.sync += [Cat(pins.we_n, pins.cas_n, pins.ras_n).eq(COMMANDS[name]), pins.ba.eq(bank), pins.a.eq(rest)]

        m.d.sync += [
            Cat(pins.we_n, pins.cas_n, pins.ras_n).eq(COMMANDS["NOP"]),
            pins.cke.eq(1),
            pins.dqm.eq(Mux(self.running, 0, 3)),
            pins.dq_o.eq(write.data),
            pins.dq_oe.eq(self.write.ready),
        ]
        column, page = address[:column_bits], address[column_bits:]
        with m.If(at(Step.OPEN, 0)):
            command("ACTIVATE", page[:2], page[2:])
        with m.If(at(Step.READ, 0)):
            command("READ", page[:2], column)
        with m.If(at(Step.WRITE, 0)):
            command("WRITE", page[:2], column)
        with m.If(at(Step.READ, PRECHARGE_BANK) & reading.stale):
            command("PRECHARGE", reading.stale_bank, 0)
        with m.If(at(Step.READ, PRECHARGE_BANK + self.cycles.rp) & reading.other_bank):
            next_page = reading.page(reading.next)
            command("ACTIVATE", next_page[:2], next_page[2:])
            m.d.sync += reading.ahead.eq(1)
        with m.If(at(Step.CLOSE, close_lead(self.cycles))):
            command("PRECHARGE", 0, ALL_BANKS)
        with m.If(at(Step.REFRESH, 0)):
            command("REFRESH", 0, 0)
        with m.If(at(Step.MODE, 0)):
            command("MODE", 0, SINGLE_WRITES | self.cycles.cas << CAS_LATENCY | BURSTS_OF_EIGHT)
