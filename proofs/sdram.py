"""The SDRAM controller: no command breaks the chip's timing, refreshes are never late, no word lacks a place."""

from functools import partial

from amaranth.hdl import Cat, Mux, Signal, Value

from boards.definitions.sdram import BANKS, BURST, ULX3S_SDRAM, Chip, Cycles
from boards.gateware.sdram import QUEUE, SdramController, Step, close_lead, write_length
from proofs.arithmetic import total
from proofs.contract import held
from proofs.harness import Harness
from proofs.proof import Mutant, Proof

__all__ = ["PROOFS"]

CHIP = Chip.slowest([ULX3S_SDRAM])
SMALL = {"rows": 4, "columns": 16}
"""Two bursts in a page, four rows: every relation of one burst to the next occurs."""

QUICK = Cycles(rcd=2, rp=2, ras=4, rc=9, rrd=2, rfc=3, wr=2, mrd=2, refi=20, cas=2, power_up=1, refreshes=1)
"""A start so short that a mutant can be refuted from reset; rows are closed and opened as late as at 133 MHz."""

MODE, REFRESH, PRECHARGE, ACTIVATE, WRITE, READ, NOP = 0, 1, 2, 3, 4, 5, 7


class Rules:
    """The data sheet's rules, checked on the pins. Times count from the cycle after a command.

    open, row : of each bank, after this cycle's command
    """

    def __init__(self, h: Harness, dut: SdramController) -> None:
        pins, cycles = dut.pins, dut.cycles
        command, m = Signal(3, name="command"), h.m
        m.d.comb += command.eq(Cat(pins.we_n, pins.cas_n, pins.ras_n))
        self.command = command
        most = max(cycles.rc, cycles.rfc, cycles.ras)

        def since(event: Value, name: str) -> Signal:
            """Cycles since an event, up to `most`."""
            count = Signal(range(most + 1), init=most, name=f"since_{name}")
            m.d.sync += count.eq(Mux(event, 1, Mux(count == most, most, count + 1)))
            return count

        activates, writes, reads = command == ACTIVATE, command == WRITE, command == READ
        refreshes, modes, precharges = command == REFRESH, command == MODE, command == PRECHARGE
        accesses = reads | writes
        h.check(command != 6)
        refreshed, set_up = since(refreshes, "refresh"), since(modes, "mode")
        activated = since(activates, "activate")
        h.check((command == NOP) | ((refreshed >= cycles.rfc) & (set_up >= cycles.mrd)))
        h.check(~activates | (activated >= cycles.rrd))
        h.check(~accesses | ~pins.a[10])
        h.check(pins.dq_oe == writes)

        self.open: list[Value] = []
        self.row: list[Value] = []
        for bank in range(BANKS):
            here = pins.ba == bank
            closes = precharges & (here | pins.a[10])
            opened, row = Signal(name=f"open_{bank}"), Signal(13, name=f"row_{bank}")
            since_open = since(activates & here, f"activate_{bank}")
            since_close, since_write = since(closes & opened, f"close_{bank}"), since(writes & here, f"write_{bank}")
            now_open = Mux(activates & here, 1, Mux(closes, 0, opened))
            now_row = Mux(activates & here, pins.a, row)
            m.d.sync += [opened.eq(now_open), row.eq(now_row)]
            self.open.append(now_open)
            self.row.append(now_row)
            opens = activates & here
            h.check(~opens | (~opened & (since_close >= cycles.rp) & (since_open >= cycles.rc)))
            h.check(~(accesses & here) | (opened & (since_open >= cycles.rcd)))
            h.check(~closes | ~opened | ((since_open >= cycles.ras) & (since_write >= cycles.wr)))
            h.check(~(refreshes | modes) | (~opened & (since_close >= cycles.rp)))
            h.check(~refreshes | (since_open >= cycles.rc))

        # Power-up: PRECHARGE of all banks, refreshes, MODE, and then anything else.
        self.closed, self.configured, self.count = Signal(), Signal(), Signal(range(cycles.refreshes + 1))
        with m.If(precharges & pins.a[10]):
            m.d.sync += self.closed.eq(1)
        with m.If(modes):
            m.d.sync += self.configured.eq(1)
        with m.If(refreshes & (self.count != cycles.refreshes)):
            m.d.sync += self.count.eq(self.count + 1)
        h.check((command == NOP) | self.closed | (precharges & pins.a[10]))
        h.check(~modes | (self.count == cycles.refreshes))
        h.check(~(activates | accesses) | self.configured)


def controller(cycles: Cycles) -> str:
    """The controller with free requests, and how its registers relate to the chip's rows."""
    h = Harness()
    dut = h.component(SdramController(Chip(**{**vars(CHIP), **SMALL}), 1, cycles=cycles))
    h.assume(held(h, dut.read) & held(h, dut.write))
    h.assume(~dut.read.valid | (dut.read.payload.first <= dut.read.payload.last))
    rules = Rules(h, dut)
    inner, capture = h.inside(dut, SdramController.elaborate), h.inside(dut, SdramController._capture)
    clock = h.inside(dut, SdramController._refreshes)
    step, left, opened, reading, due = inner.step, inner.left, inner.opened, inner.reading, inner.due
    configure, storing = inner.configure, inner.storing

    # Steps.
    h.check(step <= max(Step))
    for which, length in dut.lengths.items():
        h.check((step != which) | (left < length))
    closing = (step == Step.CLOSE) & (left >= cycles.rp)  # its PRECHARGE is not on the pins yet
    closing |= (step == Step.CLOSE) & (left == cycles.rp - 1)

    # A refresh that is due comes after the step in progress, and a CLOSE.
    close = close_lead(cycles) + cycles.rp
    late, bound = Signal(8, name="late"), cycles.rcd + max(BURST, write_length(cycles)) + close + 1
    h.m.d.sync += late.eq(Mux(due, late + 1, 0))
    access = Mux(step == Step.OPEN, Mux(storing, write_length(cycles), BURST), 0)
    rest = left + Mux(step == Step.CLOSE, 0, access + Mux(opened | (step == Step.OPEN), close, 0))
    h.check(~due | (step == Step.REFRESH) | (late + rest <= bound))
    h.check(~due | (step != Step.REFRESH) | (late + (left + 1) <= bound + cycles.rfc))
    h.check(late <= bound)

    # Power-up.
    powered, count = clock.powered, clock.count
    age = Signal(range(cycles.refi * cycles.power_up + 1), name="age")
    with h.m.If(age != cycles.refi * cycles.power_up):
        h.m.d.sync += age.eq(age + 1)
    h.check(powered | (rules.command == NOP))
    h.check(~powered | (age == cycles.refi * cycles.power_up))
    h.check(powered | (age + clock.until_due + 1 == cycles.refi * (count + 1)))
    h.check(clock.tick == (clock.until_due == 0))
    h.check((clock.until_due < cycles.refi) & (powered | (opened & (step == Step.WAIT) & ~due)))
    settled_mode = rules.configured | (rules.command == MODE)
    h.check(dut.running == settled_mode)
    h.check(~(configure & dut.running) & (powered | ~(configure | dut.running)))
    seen = rules.count + ((rules.command == REFRESH) & (rules.count != cycles.refreshes))
    h.check(powered | (seen == 0))
    h.check(dut.running | ~powered | (configure & (seen == cycles.refreshes)) | (~configure & (seen == count)))
    precharged = rules.closed | ((rules.command == PRECHARGE) & dut.pins.a[10])
    h.check(opened | closing | precharged)
    h.check(~dut.running | precharged)
    h.check(dut.running | ((step <= Step.MODE) & ~reading.ready))
    h.check((step != Step.MODE) | (configure & (left == cycles.mrd - 1)) | dut.running)
    h.check((step != Step.REFRESH) | ~opened)
    h.check((step != Step.MODE) | ~opened)

    # Rows. Banks that are open are those of the page that is read, of the next one, and of the last one.
    ready, stale, ahead = reading.ready, reading.stale, reading.ahead
    any_open = Cat(*rules.open).any()
    opening = (step == Step.OPEN) & (left == cycles.rcd - 1)
    h.check(opened | closing | ~(any_open | stale | ahead))
    h.check(~opening | ~opened)
    h.check(~(opening & ~storing) | reading.active)
    h.check(~ready | (reading.active & opened) | closing)
    read_begun = (step == Step.READ) & (left >= 2)
    h.check(~read_begun | (ready & reading.active))
    h.check(~((step == Step.OPEN) & ~opening & ~storing) | (ready & reading.active & ~stale))
    h.check(~((step == Step.OPEN) | (step == Step.WRITE)) | opening | (opened & ((ready == ~storing) | closing)))
    h.check(~ahead | ((step == Step.READ) & (left >= 1)))
    h.check(~(step == Step.WRITE) | storing)
    h.check(~(step == Step.READ) | ~storing | (left == 0))
    page, next_page = reading.page(reading.here), reading.page(reading.next)
    written = dut.write.payload.address[4:]
    h.check(~((step == Step.OPEN) & storing) | dut.write.valid)
    h.check(~((step == Step.WRITE) & (left == write_length(cycles) - 1)) | dut.write.valid)
    writing = storing & (((step == Step.OPEN) & ~opening) | (step == Step.WRITE))
    before_write = (step == Step.OPEN) | (left == write_length(cycles) - 1)
    for bank in range(BANKS):
        is_open, row = rules.open[bank], rules.row[bank]
        h.check(~ready | (page[:2] != bank) | closing | (is_open & (row == page[2:])))
        h.check(~ahead | (next_page[:2] != bank) | (is_open & (row == next_page[2:])))
        named = (page[:2] == bank) | (stale & (reading.stale_bank == bank)) | (ahead & (next_page[:2] == bank))
        h.check(~ready | closing | ~is_open | named)
        h.check(~(writing & before_write) | (written[:2] != bank) | is_open)
        h.check(~(writing & before_write) | (written[:2] == bank) | ~is_open)
    h.check(~ahead | (next_page[:2] != page[:2]))
    h.check(~(ready & stale) | closing | (reading.stale_bank != page[:2]))
    after, known, settled = (
        h.inside(dut, SdramController._reading).after,
        read_begun & (left <= 6),
        read_begun & (left <= 5),
    )
    h.check(
        ~known | ((after == (reading.here + 1)[: len(after)]) & (reading.at_end == (reading.here == reading.final)))
    )
    h.check(~settled | reading.at_end | (reading.other_bank == (next_page[:2] != page[:2])))
    h.check(~settled | reading.at_end | (reading.same_page == (next_page == page)))
    h.check(~(settled & reading.at_end & reading.other_bank) | (dut.read.valid & (next_page[:2] != page[:2])))
    h.check(~(settled & reading.at_end & reading.same_page) | (dut.read.valid & (next_page == page)))
    h.check(~(ahead & reading.at_end) | dut.read.valid)

    # Words: each that is on its way has its place in the queue.
    queue, wanted, under_way, promised = capture.queue, capture.wanted, capture.under_way, capture.promised
    in_range = (reading.here < reading.final) | ((reading.here == reading.final) & (reading.skip <= reading.stop))
    h.check(~reading.active | in_range)
    coming = total([wanted[place] for place in range(BURST)]) + total(list(under_way))
    h.check(promised == queue.level + coming)
    h.check((promised <= QUEUE) & (~queue.w_en | queue.w_rdy))
    reads = (step == Step.READ) & (left == BURST - 1)
    h.check(~(reads | ((step == Step.OPEN) & ~storing)) | (promised <= QUEUE - BURST))
    h.check(~capture.room | (promised <= QUEUE - BURST) | (step == Step.READ))
    return h.rtlil()


PROOFS = (
    Proof(
        "sdram",
        "Whatever is asked for: no command breaks tRCD, tRP, tRAS, tRC, tRRD, tRFC, tWR, tMRD or power-up's order; "
        "READ and WRITE find their row open, REFRESH finds none; a refresh that is due waits for one step and a CLOSE; "
        "every word that is read has its place in the queue (short times, pages of two bursts).",
        "boards/gateware/sdram.py",
        partial(controller, QUICK),
        "induction",
        16,
        (
            Mutant(SdramController._refreshes, "due.eq(0)", "due.eq(due)"),
            Mutant(SdramController.elaborate, "Mux(opened, Step.CLOSE, Step.REFRESH)", "Step.REFRESH"),
            Mutant(SdramController._reading, "next_page[:2] != page[:2]", "next_page != page"),
            Mutant(SdramController._reading, "reading.stale.eq(reading.ahead)", "reading.stale.eq(0)"),
            Mutant(SdramController._reading, "reading.same_page | reading.ahead", "follows"),
            Mutant(write_length, "max(cycles.wr, cycles.ras - cycles.rcd, cycles.rc - cycles.rp - cycles.rcd)", "1"),
        ),
        reach=75,
    ),
)
