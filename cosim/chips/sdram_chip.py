"""A pin-level model of an SDRAM chip that checks every rule of its data sheet. Simulation only."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from boards.gateware.sdram import PINS
from cosim.chips.sdram_timing import Command, Rule, Timing
from hw.gateware.memory import ram, read

__all__ = ["FLOATING", "SdramChip"]

BANKS = 4

FLOATING = 0xDEAD
"""The data pins while nobody drives them, and what is read where nothing is stored."""

REFRESHES = 8
"""Before the mode register may be set."""


def _pick(values: Sequence[Value], index: Value) -> Value:
    """One of the values. Icarus never evaluates an `Array` whose inputs keep their initial values."""
    chosen = values[0]
    for number, value in enumerate(values[1:], 1):
        chosen = Mux(index == number, value, chosen)
    return chosen


class SdramChip(wiring.Component):
    """ACTIVATE, READ, WRITE, PRECHARGE, REFRESH and MODE, at the clock `sync`, which samples the pins.

    READ in a cycle is answered `cas` cycles later by a burst of 1 to 8 words, which stays within its aligned block of
    columns; the next READ, WRITE, or closing its bank, cuts it short. WRITE stores one word. `dqm` masks a byte that is
    written in the same cycle, and one that is read two cycles later.

    From the first broken rule on, each word read is inverted, so nobody can use it.

    A word's address is (row, bank, column), column in the lowest bits. `depth` words are stored.

    Parameters
    ----------
    clock_mhz : of `sync`
    words : contents from address 0 on; after them, FLOATING
    depth : by default as many as there are contents

    Members
    -------
    pins : In(PINS)
    broken : Out(Rule), the first that was broken, until reset
    """

    def __init__(
        self, clock_mhz: float, words: Sequence[int] = (), timing: Timing | None = None, depth: int | None = None
    ) -> None:
        self.timing = timing or Timing()
        self.depth, capacity = depth or len(words), BANKS * self.timing.rows * self.timing.columns
        if not 0 < self.depth <= capacity or len(words) > self.depth:
            raise ValueError(f"words: expected 1 to {capacity}, got {len(words)}")
        self.cycles = self.timing.cycles(clock_mhz)
        self.cells = ram(16, self.depth, [*words, *[FLOATING] * (self.depth - len(words))])
        self._open = Signal(BANKS)
        super().__init__({"pins": In(PINS), "broken": Out(Rule)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pins, rows, columns = self.pins, self.timing.rows, self.timing.columns
        command = Signal(Command)
        m.d.comb += command.eq(Cat(pins.we_n, pins.cas_n, pins.ras_n))
        all_banks = pins.a[10]

        # The mode register.
        latency, burst = Signal(range(4)), Signal(range(9))
        with m.If(command == Command.MODE):
            m.d.sync += [latency.eq(pins.a[4:7]), burst.eq(Const(1, 4) << pins.a[:3])]

        # Rows, and what is read or written of them.
        open_banks, open_rows = self._open, [Signal(range(rows), name=f"row_{bank}") for bank in range(BANKS)]
        for bank in range(BANKS):
            with m.If((command == Command.ACTIVATE) & (pins.ba == bank)):
                m.d.sync += [open_banks[bank].eq(1), open_rows[bank].eq(pins.a)]
            with m.If((command == Command.PRECHARGE) & (all_banks | (pins.ba == bank))):
                m.d.sync += open_banks[bank].eq(0)

        from_bank, first, index = Signal(2), Signal(range(columns)), Signal(range(8))
        bank, column, left, drive = Signal(2), Signal(range(columns)), Signal(range(9)), Signal()
        starts, writes = command == Command.READ, command == Command.WRITE
        closes = (command == Command.PRECHARGE) & (all_banks | (pins.ba == from_bank))
        ends = writes | closes
        in_block, within = (burst - 1)[:3], Signal(3)
        m.d.comb += [
            bank.eq(Mux(starts | writes, pins.ba, from_bank)),
            # Column bits below the burst's length count up, those above stay.
            within.eq((first[:3] & ~in_block) | ((first + index)[:3] & in_block)),
            column.eq(Mux(starts | writes, pins.a, Cat(within, first[3:]))),
            drive.eq(starts | ((left != 0) & ~ends)),
        ]
        m.d.sync += [left.eq(Mux(starts, burst - 1, Mux(drive, left - 1, 0))), index.eq(Mux(starts, 1, index + 1))]
        with m.If(starts):
            m.d.sync += [from_bank.eq(pins.ba), first.eq(pins.a)]

        m.submodules.cells = cells = self.cells
        address = Signal(range(BANKS * rows * columns))
        m.d.comb += address.eq(Cat(column, bank, _pick(open_rows, bank)))
        word, driven, inside = read(m, cells, address), Signal(), Signal()
        m.d.sync += [driven.eq(drive), inside.eq(address < self.depth)]
        store = cells.write_port(granularity=8)
        m.d.comb += [
            store.addr.eq(address),
            store.data.eq(Mux(pins.dq_oe, pins.dq_o, FLOATING)),
            store.en.eq(Mux(writes & (address < self.depth), ~pins.dqm, 0)),
        ]

        # To the pins: a cycle for the memory, then the rest of the CAS latency.
        at_once = Signal(16)
        m.d.comb += at_once.eq(Mux(inside, word, FLOATING))
        stages: list[tuple[Value, Value]] = [(at_once, driven)]
        for _ in range(2):
            earlier, before = stages[-1]
            later, after = Signal(16, reset_less=True), Signal()
            m.d.sync += [later.eq(earlier), after.eq(before)]
            stages.append((later, after))
        out, driving = Signal(16), Signal()
        with m.Switch(latency):
            for cas in (2, 3):
                with m.Case(cas):
                    m.d.comb += [out.eq(stages[cas - 1][0]), driving.eq(stages[cas - 1][1])]
        masks = [pins.dqm]
        for _ in range(2):
            masked = Signal(2)
            m.d.sync += masked.eq(masks[-1])
            masks.append(masked)
        for byte in range(2):
            bits = slice(8 * byte, 8 * byte + 8)
            visible = driving & ~masks[-1][byte]
            m.d.comb += pins.dq_i[bits].eq(
                Mux(visible, out[bits] ^ (self.broken != 0).replicate(8), FLOATING >> 8 * byte)
            )

        broken = self._rules(m, command, driving, latency)
        found = Signal(Rule)
        for rule in reversed(Rule):
            if rule in broken:
                with m.If(broken[rule]):
                    m.d.comb += found.eq(rule)
        with m.If(self.broken == Rule.NONE):
            m.d.sync += self.broken.eq(found)
        return m

    def _rules(self, m: Module, command: Signal, driving: Signal, latency: Signal) -> dict[Rule, Value]:
        """Whether each rule is broken in this cycle."""
        pins, cycles = self.pins, self.cycles
        activate, precharge, refresh = (
            command == one for one in (Command.ACTIVATE, Command.PRECHARGE, Command.REFRESH)
        )
        reads, writes, mode = (command == one for one in (Command.READ, Command.WRITE, Command.MODE))
        any_command, any_open = command != Command.NOP, self._open.any()

        def since(event: Value, limit: int, name: str) -> Value:
            """Whether `limit` cycles have not passed since the event, which is in another cycle than this."""
            left = Signal(range(limit + 1), name=name)
            m.d.sync += left.eq(Mux(event, limit - 1, Mux(left == 0, 0, left - 1)))
            return left != 0

        by_bank: dict[str, list[Value]] = {name: [] for name in ("rcd", "rp", "ras", "rc", "wr")}
        for bank in range(BANKS):
            here = pins.ba == bank
            closes = precharge & (here | pins.a[10])
            for name, event in (
                ("rcd", activate & here),
                ("ras", activate & here),
                ("rc", activate & here),
                ("rp", closes & self._open[bank]),
                ("wr", writes & here),
            ):
                by_bank[name].append(since(event, getattr(cycles, name), f"{name}_{bank}"))
        of_bank = {name: _pick(pending, pins.ba) for name, pending in by_bank.items()}
        of_any = {name: Cat(*pending).any() for name, pending in by_bank.items()}
        closing = {name: Mux(pins.a[10], of_any[name], of_bank[name]) for name in ("ras", "wr")}

        # Power-up: time, PRECHARGE of all banks, refreshes, MODE.
        waiting, closed, ready = Signal(range(cycles.power_up + 1), init=cycles.power_up), Signal(), Signal()
        refreshed = Signal(range(REFRESHES + 1))
        with m.If(waiting != 0):
            m.d.sync += waiting.eq(waiting - 1)
        with m.If(precharge & pins.a[10]):
            m.d.sync += closed.eq(1)
        with m.If(refresh & (refreshed != REFRESHES)):
            m.d.sync += refreshed.eq(refreshed + 1)
        with m.If(mode):
            m.d.sync += ready.eq(1)
        too_early = (waiting != 0) | (~closed & ~(precharge & pins.a[10]))
        too_early |= mode & (refreshed != REFRESHES)
        too_early |= ~ready & (activate | reads | writes)

        # A refresh is due in each interval, and may be early or late by one: 1 is in time, 0 early, 2 late, 3 too late.
        until_due, owed = Signal(range(cycles.refi), init=cycles.refi - 1), Signal(2, init=1)
        due = ready & (until_due == 0)
        with m.If(ready):
            m.d.sync += until_due.eq(Mux(until_due == 0, cycles.refi - 1, until_due - 1))
        with m.If(due & ~refresh & (owed != 3)):
            m.d.sync += owed.eq(owed + 1)
        with m.If(ready & ~due & refresh & (owed != 0)):
            m.d.sync += owed.eq(owed - 1)

        drove = Signal()
        m.d.sync += drove.eq(driving)
        # Sequential bursts of 1 to 8 words, single writes.
        known = ~pins.a[2] & ~pins.a[3] & pins.a[9] & ~pins.a[10:].any() & ~pins.a[7:9].any() & (pins.ba == 0)
        known &= (pins.a[4:7] >= cycles.cas) & (pins.a[4:7] <= 3)
        return {
            Rule.UNKNOWN: (command == Command.STOP) | ((reads | writes) & pins.a[10]) | (any_command & ~pins.cke),
            Rule.ORDER: any_command & too_early,
            Rule.MODE: mode & ~known,
            Rule.ROW: ((reads | writes) & ~self._open.bit_select(pins.ba, 1))
            | (activate & self._open.bit_select(pins.ba, 1))
            | ((refresh | mode) & any_open),
            Rule.T_RCD: (reads | writes) & of_bank["rcd"],
            Rule.T_RP: (activate & of_bank["rp"]) | ((refresh | mode) & of_any["rp"]),
            Rule.T_RAS: precharge & closing["ras"],
            Rule.T_RC: (activate & of_bank["rc"]) | (refresh & of_any["rc"]),
            Rule.T_RRD: activate & since(activate, cycles.rrd, "rrd"),
            Rule.T_RFC: any_command & since(refresh, cycles.rfc, "rfc"),
            Rule.T_WR: precharge & closing["wr"],
            Rule.T_MRD: any_command & since(mode, cycles.mrd, "mrd"),
            Rule.T_REF: owed == 3,
            Rule.BUS: (pins.dq_oe & (driving | drove)) | (writes & ~pins.dq_oe),
        }
