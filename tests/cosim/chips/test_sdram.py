"""The SDRAM model: what it streams, when, and that its commands break no rule of the data sheet.

The rules are checked on the command bus alone, by code that shares nothing with the model, and that is itself shown
to find each fault.
"""

from itertools import cycle as endlessly
from itertools import islice, pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cosim.chips.sdram import Sdram
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_controller import QUEUE
from cosim.chips.sdram_timing import BURST, Command, Cycles, Timing, data_share
from tests.support.hw_bench import Bench, few, some
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

NOP, ACTIVATE, READ = Command.NOP, Command.ACTIVATE, Command.READ
PRECHARGE, PRECHARGE_ALL, REFRESH = Command.PRECHARGE, Command.PRECHARGE_ALL, Command.REFRESH

LONG_AGO = -1000
"""A cycle before the trace from which no rule reaches into it."""

clocks = st.sampled_from([20, 66, 100, 133])
chips = st.builds(
    Timing,
    banks=st.sampled_from([2, 4]),
    columns=st.sampled_from([8, 16, 32]),
    rcd=st.sampled_from([21, 60]),
    refi=st.sampled_from([1200, 1700]),
)
"""Rows so short, and refreshes so frequent, that some hundred cycles meet all of it."""


def random_words(rng, count):
    return [int(word) for word in rng.integers(1 << 16, size=count)]


def simulate(dut, rng, take, stall=0.0):
    """What a reader took, as (cycle, word), and the command bus in every cycle until then."""
    bench = Bench(dut, rng)
    trace = bench.watch(dut.command, dut.bank, dut.row, dut.column)
    got = bench.drain(dut.o, take, stall)
    bench.run()
    return got, trace


def broken_rules(trace, limits):
    """The names of the rules that a trace of (command, bank, row, column) per cycle breaks.

    The chip comes with its banks precharged and refreshed. tREFI: the n-th refresh is due after n intervals, and
    may be late by two bursts and a precharge, for a burst is not cut short.
    """
    broken = set()
    row_of, activated, precharged = {}, {}, {}  # by bank: the open row; when it was last activated, precharged
    refreshed, refreshes = LONG_AGO, 0

    def at_least(rule, since, limit):
        if cycle - since < limit:
            broken.add(rule)

    for cycle, (command, bank, row, _) in enumerate(trace):
        if cycle > (refreshes + 1) * limits.refi + 2 * BURST + limits.rp:
            broken.add("tREFI")
        if command != NOP:
            at_least("tRFC", refreshed, limits.rfc)
        if command == ACTIVATE:
            if bank in row_of:
                broken.add("ACTIVATE of an open bank")
            at_least("tRP", precharged.get(bank, LONG_AGO), limits.rp)
            at_least("tRC", activated.get(bank, LONG_AGO), limits.rc)
            at_least("tRRD", max(activated.values(), default=LONG_AGO), limits.rrd)
            row_of[bank], activated[bank] = row, cycle
        elif command == READ:
            if row_of.get(bank) != row:
                broken.add("READ of a row that is not open")
            at_least("tRCD", activated.get(bank, LONG_AGO), limits.rcd)
        elif command in (PRECHARGE, PRECHARGE_ALL):
            for closing in [bank] if command == PRECHARGE else list(row_of):
                at_least("tRAS", activated.get(closing, LONG_AGO), limits.ras)
                row_of.pop(closing, None)
                precharged[closing] = cycle
        elif command == REFRESH:
            if row_of:
                broken.add("REFRESH with a bank open")
            at_least("tRP", max(precharged.values(), default=LONG_AGO), limits.rp)
            at_least("tRC", max(activated.values(), default=LONG_AGO), limits.rc)
            refreshed, refreshes = cycle, refreshes + 1
    return broken


def on_pins(trace, cas):
    """What the chip drives: (cycle, (bank, row, column)). The next READ, or closing the bank, cuts a burst short."""
    driven, row_of, reading = [], {}, None
    for cycle, (command, bank, row, column) in enumerate(trace):
        if command == ACTIVATE:
            row_of[bank] = row
        elif command == READ:
            reading = cycle, bank, column
        elif command == PRECHARGE_ALL or (command == PRECHARGE and reading is not None and reading[1] == bank):
            reading = None
        if reading is not None and cycle < reading[0] + BURST:
            start, from_bank, first = reading
            within = (first + cycle - start) % BURST  # a burst stays within its aligned block
            driven.append((cycle + cas, (from_bank, row_of[from_bank], first // BURST * BURST + within)))
    return driven


def addresses(driven, timing):
    return [(cycle, (row * timing.banks + bank) * timing.columns + column) for cycle, (bank, row, column) in driven]


# The checker


LIMITS = Cycles(rcd=3, rp=3, ras=5, rc=9, rrd=2, rfc=7, refi=100, cas=2)


def bus(*commands):
    """A trace from (cycle, command, bank, row), and no command in between."""
    trace = [(NOP, 0, 0, 0)] * (commands[-1][0] + 1)
    for cycle, command, bank, row in commands:
        trace[cycle] = command, bank, row, 0
    return trace


@pytest.mark.parametrize(
    ("rule", "least", "commands"),
    [
        ("tRCD", 3, lambda n: [(0, ACTIVATE, 1, 5), (n, READ, 1, 5)]),
        ("tRAS", 5, lambda n: [(0, ACTIVATE, 1, 5), (n, PRECHARGE, 1, 0)]),
        ("tRAS", 5, lambda n: [(0, ACTIVATE, 1, 5), (n, PRECHARGE_ALL, 0, 0)]),
        ("tRP", 3, lambda n: [(0, ACTIVATE, 1, 5), (9, PRECHARGE, 1, 0), (9 + n, ACTIVATE, 1, 6)]),
        ("tRP", 3, lambda n: [(0, ACTIVATE, 1, 5), (9, PRECHARGE_ALL, 0, 0), (9 + n, ACTIVATE, 1, 6)]),
        ("tRP", 3, lambda n: [(0, ACTIVATE, 1, 5), (9, PRECHARGE_ALL, 0, 0), (9 + n, REFRESH, 0, 0)]),
        ("tRC", 9, lambda n: [(0, ACTIVATE, 1, 5), (5, PRECHARGE, 1, 0), (n, ACTIVATE, 1, 5)]),
        ("tRC", 9, lambda n: [(0, ACTIVATE, 1, 5), (5, PRECHARGE, 1, 0), (n, REFRESH, 0, 0)]),
        ("tRRD", 2, lambda n: [(0, ACTIVATE, 1, 5), (n, ACTIVATE, 2, 5)]),
        ("tRFC", 7, lambda n: [(0, REFRESH, 0, 0), (n, ACTIVATE, 1, 5)]),
        ("tRFC", 7, lambda n: [(0, REFRESH, 0, 0), (n, REFRESH, 0, 0)]),
    ],
)
def test_checker_accepts_the_least_time_and_no_less(rule, least, commands):
    assert broken_rules(bus(*commands(least)), LIMITS) == set()
    assert broken_rules(bus(*commands(least - 1)), LIMITS) == {rule}


@pytest.mark.parametrize(
    ("rule", "commands"),
    [
        ("READ of a row that is not open", [(0, ACTIVATE, 1, 5), (9, READ, 1, 6)]),
        ("READ of a row that is not open", [(0, ACTIVATE, 1, 5), (9, READ, 2, 5)]),
        ("READ of a row that is not open", [(0, ACTIVATE, 1, 5), (9, PRECHARGE, 1, 0), (19, READ, 1, 5)]),
        ("ACTIVATE of an open bank", [(0, ACTIVATE, 1, 5), (9, ACTIVATE, 1, 6)]),
        ("REFRESH with a bank open", [(0, ACTIVATE, 1, 5), (9, REFRESH, 0, 0)]),
    ],
)
def test_checker_knows_which_rows_are_open(rule, commands):
    assert broken_rules(bus(*commands), LIMITS) == {rule}


def test_checker_misses_a_refresh_that_is_late_or_left_out():
    late = 2 * BURST + LIMITS.rp
    second = 2 * LIMITS.refi + late
    assert broken_rules(bus((100 + late, REFRESH, 0, 0), (second, REFRESH, 0, 0)), LIMITS) == set()
    assert broken_rules(bus((101 + late, REFRESH, 0, 0), (second, REFRESH, 0, 0)), LIMITS) == {"tREFI"}
    assert broken_rules(bus((100 + late, REFRESH, 0, 0), (second + 1, REFRESH, 0, 0)), LIMITS) == {"tREFI"}
    assert broken_rules(bus((second, NOP, 0, 0)), LIMITS) == {"tREFI"}


def test_checker_cuts_a_burst_where_the_chip_does():
    opening = [(0, ACTIVATE, 1, 5), (3, READ, 1, 5)]
    whole = [(5 + word, (1, 5, word)) for word in range(BURST)]
    assert on_pins(bus(*opening, (20, NOP, 0, 0)), cas=2) == whole
    assert on_pins(bus(*opening, (11, PRECHARGE, 1, 0)), cas=2) == whole
    assert on_pins(bus(*opening, (10, PRECHARGE, 1, 0)), cas=2) == whole[:7]
    assert on_pins(bus(*opening, (10, PRECHARGE_ALL, 0, 0)), cas=2) == whole[:7]
    assert on_pins(bus(*opening, (10, PRECHARGE, 2, 0)), cas=2) == whole
    assert on_pins(bus(*opening, (7, READ, 1, 5)), cas=2) == [*whole[:4], (9, (1, 5, 0))]


# The chip


@given(seed=seeds, chip=chips, clock=clocks)
@some
def test_the_chip_drives_what_it_is_asked_for_and_nothing_else(seed, chip, clock):
    """Commands at any distance, with READs of open rows only: no data sheet says what another one brings."""
    rng = np.random.default_rng(seed)
    words, cas = random_words(rng, 4 * chip.banks * chip.columns), chip.cycles(clock).cas
    dut, trace, opened = SdramChip(words, cas, chip), [], set()
    for _ in range(200):
        command, bank, row = int(rng.choice([NOP, NOP, NOP, ACTIVATE, READ, PRECHARGE])), rng.integers(chip.banks), 0
        if command == ACTIVATE:
            row = int(rng.integers(4))
            command = NOP if bank in opened else command
            opened.add(bank)
        elif command == READ and bank not in opened:
            command = NOP
        elif command == PRECHARGE:
            opened.discard(bank)
            command = int(rng.choice([PRECHARGE, PRECHARGE_ALL]))
            opened = set() if command == PRECHARGE_ALL else opened
        trace.append((command, int(bank), row, int(rng.integers(chip.columns))))
    bench = Bench(dut)
    pins = bench.watch(dut.data)

    async def script(ctx):
        for signals in [*trace, *[(NOP, 0, 0, 0)] * (BURST + cas)]:
            for signal, value in zip((dut.command, dut.bank, dut.row, dut.column), signals, strict=True):
                ctx.set(signal, value)
            await ctx.tick()

    bench.script(script)
    bench.run()
    expected = [0] * len(pins)
    for cycle, at in addresses(on_pins([*trace, *[(NOP, 0, 0, 0)] * BURST], cas), chip):
        expected[cycle] = words[at]
    assert [data for (data,) in pins] == expected


# The two together


@given(seed=seeds, chip=chips, clock=clocks, count=st.integers(1, 300), stall=st.sampled_from([0.1, 0.5, 0.8]))
@example(seed=0, chip=Timing(columns=32), clock=10, count=234, stall=0.6)  # so slow that tRRD is the longest of all
@some
def test_words_come_in_order_over_and_over_and_no_rule_is_broken(seed, chip, clock, count, stall):
    rng = np.random.default_rng(seed)
    words = random_words(rng, count)
    dut = Sdram(words, clock, chip)
    got, trace = simulate(dut, rng, take=count + 500, stall=stall)
    assert [word for _, word in got] == list(islice(endlessly(words), count + 500))
    assert broken_rules(trace, chip.cycles(clock)) == set()


@given(seed=seeds, chip=chips, clock=clocks, count=st.integers(1, 300))
@some
def test_words_come_one_cycle_after_the_chip_drives_them_and_no_rule_is_broken(seed, chip, clock, count):
    rng = np.random.default_rng(seed)
    words = random_words(rng, count)
    dut = Sdram(words, clock, chip)
    got, trace = simulate(dut, rng, take=count + 500)
    limits = chip.cycles(clock)
    driven = [(cycle + 1, words[at]) for cycle, at in addresses(on_pins(trace, limits.cas), chip) if at < count]
    assert got == driven[: len(got)]
    assert [word for _, word in got] == list(islice(endlessly(words), count + 500))
    assert broken_rules(trace, limits) == set()


@given(chip=chips, clock=clocks)
@few
def test_no_word_is_asked_for_without_a_place_and_refreshes_go_on(chip, clock):
    dut = Sdram(list(range(200)), clock, chip)
    bench = Bench(dut)
    trace = bench.watch(dut.command, dut.bank, dut.row, dut.column)
    cycles = chip.cycles(clock)

    async def nobody_takes(ctx):
        for _ in range(6 * cycles.refi):
            await ctx.tick()

    bench.script(nobody_takes)
    bench.run()
    commands = [command for command, *_ in trace]
    assert commands.count(READ) == QUEUE // BURST
    assert commands.count(REFRESH) in (5, 6)
    assert broken_rules(trace, cycles) == set()


@pytest.mark.parametrize(("clock", "share"), [(100, 0.983), (133, 0.984)])
def test_an_eager_reader_waits_for_nothing_but_refreshes(clock, share):
    rng = np.random.default_rng(0)
    timing = Timing()
    cycles = timing.cycles(clock)
    dut = Sdram(random_words(rng, 4 * timing.columns), clock)
    got, trace = simulate(dut, rng, take=int(3.2 * cycles.refi))
    resumed = [(after, after - before) for (before, _), (after, _) in pairwise(got) if after != before + 1]
    assert [wait for _, wait in resumed] == [cycles.gap + 1] * 3
    (first, _), (last, _) = resumed[0], resumed[-1]
    words = sum(first <= cycle < last for cycle, _ in got)
    assert words / (last - first) > share
    assert words / (last - first) == pytest.approx(data_share(clock), abs=3e-4)
    assert broken_rules(trace, cycles) == set()


def test_first_word_comes_after_an_activation_and_a_read():
    for clock in (100, 133):
        cycles = Timing().cycles(clock)
        got, _ = simulate(Sdram([7, 8, 9], clock), np.random.default_rng(0), take=1)
        assert got == [(cycles.rcd + cycles.cas + 1, 7)]


def test_streams_from_the_first_word_after_reset():
    chip = Timing(columns=8, refi=900)
    for cycles in (3, 7, 40, 97):
        dut = Sdram(list(range(50)), 100, chip)
        bench = Bench(dut)
        bench.aborted_run(cycles, [], [dut.o])
        trace = bench.watch(dut.command, dut.bank, dut.row, dut.column)
        got = bench.drain(dut.o, 120, stall=0.3)
        bench.run()
        assert [word for _, word in got] == list(islice(endlessly(range(50)), 120))
        assert broken_rules(trace, chip.cycles(100)) == set()


def test_times_become_cycles():
    assert Timing().cycles(100) == Cycles(rcd=3, rp=3, ras=5, rc=7, rrd=2, rfc=7, refi=780, cas=2)
    assert Timing().cycles(133) == Cycles(rcd=3, rp=3, ras=6, rc=10, rrd=2, rfc=10, refi=1037, cas=3)


def test_refuses_what_the_chip_does_not_do():
    with pytest.raises(ValueError, match=r"clock_mhz: expected at most 133\.3, got 134"):
        Sdram([1], 134)
    with pytest.raises(ValueError, match="words: expected 1 to 16777216, got 0"):
        Sdram([], 100)
    with pytest.raises(ValueError, match="words: expected 1 to 64, got 65"):
        Sdram([0] * 65, 100, Timing(rows=2, columns=8))
