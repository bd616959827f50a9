"""The SDRAM model: it reads and writes as the data sheet says, and finds each broken rule in its cycle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosim.chips.sdram_chip import FLOATING, SdramChip
from cosim.chips.sdram_timing import Command, Cycles, Rule, Timing
from tests.support.hw_bench import Bench, some
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

ACTIVATE, READ, WRITE, NOP = Command.ACTIVATE, Command.READ, Command.WRITE, Command.NOP
PRECHARGE, REFRESH, MODE = Command.PRECHARGE, Command.REFRESH, Command.MODE

ALL = 1 << 10
"""A10."""

TIMING = Timing(
    rcd=30, rp=30, ras=50, rc=90, rrd=20, rfc=70, wr=20, mrd=20, refi=3000, power_up=100, rows=8, columns=16
)
CLOCK = 100
LIMITS = TIMING.cycles(CLOCK)

WORDS = [(31 * address) & 0xFFFF for address in range(4 * 8 * 16)]


def mode(cas=3, burst=3):
    return 1 << 9 | cas << 4 | burst


def start(cas=3, burst=3):
    """Power-up as (cycle, command, bank, address), and the first free cycle."""
    at = LIMITS.power_up
    commands = [(at, PRECHARGE, 0, ALL)]
    at += LIMITS.rp
    for _ in range(8):
        commands.append((at, REFRESH, 0, 0))
        at += LIMITS.rfc
    return [*commands, (at, MODE, 0, mode(cas, burst))], at + LIMITS.mrd


def play(commands, cycles, writes=None, inputs=(), dut=None):
    """Drive the commands; `writes` are the words with WRITE by cycle. Returns the data pins and `broken` by cycle."""
    dut = dut or SdramChip(CLOCK, WORDS, TIMING)
    pins, bench = dut.pins, Bench(dut)
    log = bench.watch(pins.dq_i, dut.broken)
    by_cycle = {cycle: rest for cycle, *rest in commands}
    assert len(by_cycle) == len(commands)
    words = {cycle: 0 for cycle, command, *_ in commands if command == WRITE} | (writes or {})

    async def script(ctx):
        ctx.set(pins.cke, 1)
        ctx.set(pins.dqm, 0)
        for cycle in range(cycles):
            command, bank, address = by_cycle.get(cycle, (NOP, 0, 0))
            for name, bit in (("ras_n", 4), ("cas_n", 2), ("we_n", 1)):
                ctx.set(getattr(pins, name), bool(command & bit))
            ctx.set(pins.ba, bank)
            ctx.set(pins.a, address)
            ctx.set(pins.dq_oe, cycle in words)
            ctx.set(pins.dq_o, words.get(cycle, 0))
            for when, name, value in inputs:
                if when == cycle:
                    ctx.set(getattr(pins, name), value)
            await ctx.tick()

    bench.script(script)
    bench.run()
    return [data for data, _ in log], [Rule(rule) for _, rule in log]


def broken_by(commands, cas=3, burst=3, writes=None, inputs=(), cycles=0):
    """The first rule that commands after power-up break, at times from the first free cycle on."""
    first, free = start(cas, burst)
    later = [(free + cycle, *rest) for cycle, *rest in commands]
    last = max((cycle for cycle, *_ in later), default=free)
    _, broken = play(
        [*first, *later],
        last + cycles + 10,
        {free + cycle: word for cycle, word in (writes or {}).items()},
        [(free + cycle, *rest) for cycle, *rest in inputs],
    )
    return broken[-1]


@pytest.mark.parametrize(
    ("rule", "least", "commands"),
    [
        (Rule.T_RCD, 3, lambda n: [(0, ACTIVATE, 1, 5), (n, READ, 1, 0)]),
        (Rule.T_RCD, 3, lambda n: [(0, ACTIVATE, 1, 5), (n, WRITE, 1, 0)]),
        (Rule.T_RAS, 5, lambda n: [(0, ACTIVATE, 1, 5), (n, PRECHARGE, 1, 0)]),
        (Rule.T_RAS, 5, lambda n: [(0, ACTIVATE, 1, 5), (n, PRECHARGE, 0, ALL)]),
        (Rule.T_RP, 3, lambda n: [(0, ACTIVATE, 1, 5), (9, PRECHARGE, 1, 0), (9 + n, ACTIVATE, 1, 6)]),
        (Rule.T_RP, 3, lambda n: [(0, ACTIVATE, 1, 5), (9, PRECHARGE, 0, ALL), (9 + n, REFRESH, 0, 0)]),
        (Rule.T_RP, 3, lambda n: [(0, ACTIVATE, 1, 5), (9, PRECHARGE, 0, ALL), (9 + n, MODE, 0, mode())]),
        (Rule.T_RC, 9, lambda n: [(0, ACTIVATE, 1, 5), (5, PRECHARGE, 1, 0), (n, ACTIVATE, 1, 5)]),
        (Rule.T_RC, 9, lambda n: [(0, ACTIVATE, 1, 5), (5, PRECHARGE, 1, 0), (n, REFRESH, 0, 0)]),
        (Rule.T_RRD, 2, lambda n: [(0, ACTIVATE, 1, 5), (n, ACTIVATE, 2, 5)]),
        (Rule.T_RFC, 7, lambda n: [(0, REFRESH, 0, 0), (n, ACTIVATE, 1, 5)]),
        (Rule.T_RFC, 7, lambda n: [(0, REFRESH, 0, 0), (n, REFRESH, 0, 0)]),
        (Rule.T_MRD, 2, lambda n: [(0, MODE, 0, mode()), (n, ACTIVATE, 0, 0)]),
        (Rule.T_WR, 2, lambda n: [(0, ACTIVATE, 1, 5), (5, WRITE, 1, 3), (5 + n, PRECHARGE, 1, 0)]),
        (Rule.T_WR, 2, lambda n: [(0, ACTIVATE, 1, 5), (5, WRITE, 1, 3), (5 + n, PRECHARGE, 0, ALL)]),
        # Three words of a burst after a CAS latency of 3, and one cycle for the bus to float.
        (Rule.BUS, 12, lambda n: [(0, ACTIVATE, 1, 5), (3, READ, 1, 0), (3 + n, WRITE, 1, 3)]),
    ],
)
def test_accepts_the_least_time_and_no_less(rule, least, commands):
    assert broken_by(commands(least)) == Rule.NONE
    assert broken_by(commands(least - 1)) == rule


@pytest.mark.parametrize(
    ("rule", "commands"),
    [
        (Rule.ROW, [(0, READ, 2, 5)]),
        (Rule.ROW, [(0, ACTIVATE, 1, 5), (9, WRITE, 2, 5)]),
        (Rule.ROW, [(0, ACTIVATE, 1, 5), (9, PRECHARGE, 1, 0), (19, READ, 1, 5)]),
        (Rule.ROW, [(0, ACTIVATE, 1, 5), (9, ACTIVATE, 1, 6)]),
        (Rule.ROW, [(0, ACTIVATE, 1, 5), (9, REFRESH, 0, 0)]),
        (Rule.ROW, [(0, ACTIVATE, 1, 5), (9, MODE, 0, mode())]),
        (Rule.UNKNOWN, [(0, Command.STOP, 0, 0)]),
        (Rule.UNKNOWN, [(0, ACTIVATE, 1, 5), (9, READ, 1, ALL)]),
        (Rule.MODE, [(0, MODE, 0, mode(cas=1))]),
        (Rule.MODE, [(0, MODE, 0, mode(burst=7))]),
        (Rule.MODE, [(0, MODE, 0, 3 << 4 | 3)]),  # burst writes
    ],
)
def test_refuses_what_is_wrong_at_any_time(rule, commands):
    assert broken_by(commands) == rule


def test_a_cas_latency_of_two_is_too_short_for_a_fast_clock():
    at_133 = Timing(rows=8, columns=16, power_up=10)
    first = [(20, PRECHARGE, 0, ALL), *((40 + 20 * index, REFRESH, 0, 0) for index in range(8))]
    for cas, rule in ((2, Rule.MODE), (3, Rule.NONE)):
        dut = SdramChip(133, WORDS, at_133)
        assert play([*first, (300, MODE, 0, mode(cas))], 310, dut=dut)[1][-1] == rule


def test_both_ends_of_the_bus_driven_or_none_is_found():
    write = [(0, ACTIVATE, 1, 5), (9, WRITE, 1, 0)]
    assert broken_by(write) == Rule.NONE
    assert broken_by(write, inputs=[(9, "dq_oe", 0)]) == Rule.BUS
    assert broken_by([(0, ACTIVATE, 1, 5), (9, READ, 1, 0)], writes={13: 0}, cycles=20) == Rule.BUS


def test_a_disabled_clock_is_found():
    assert broken_by([(9, ACTIVATE, 1, 5)], inputs=[(8, "cke", 0)]) == Rule.UNKNOWN


def test_power_up_has_an_order():
    first, free = start()
    assert play([*first, (free, ACTIVATE, 0, 0)], free + 5)[1][-1] == Rule.NONE
    for left_out in (0, 3, 9):
        commands = [one for index, one in enumerate(first) if index != left_out]
        assert play([*commands, (free, ACTIVATE, 0, 0)], free + 5)[1][-1] == Rule.ORDER
    sooner = [(cycle - 1, *rest) for cycle, *rest in first]
    assert play(sooner, free)[1][-1] == Rule.ORDER


def test_a_refresh_that_is_late_or_left_out_is_found():
    refi = LIMITS.refi
    in_time = [(refi // 2 + refi * index, REFRESH, 0, 0) for index in range(5)]
    assert broken_by(in_time, cycles=refi) == Rule.NONE
    assert broken_by([*in_time[:2], *in_time[3:]], cycles=refi) == Rule.NONE  # one may be late
    assert broken_by([*in_time[:2], *in_time[4:]], cycles=refi) == Rule.T_REF
    assert broken_by(in_time[:2], cycles=3 * refi) == Rule.T_REF


@given(seed=seeds, cas=st.sampled_from([2, 3]), burst=st.integers(0, 3))
@some
def test_reads_and_writes_what_it_is_asked_for_and_nothing_else(seed, cas, burst):
    """Random commands that keep all rules; the expected words come from a dictionary."""
    rng, length = np.random.default_rng(seed), 1 << burst
    commands, at = start(cas, burst)
    memory, driven, rows, writes, quiet = dict(enumerate(WORDS)), {}, {}, {}, 0
    reading = None  # cycle, bank, and its addresses

    def cut(cycle, bank=None):
        nonlocal reading
        if reading and (bank is None or bank == reading[1]):
            for place in range(cycle - reading[0], length):
                driven.pop(reading[0] + cas + place, None)
            reading = None

    for _ in range(25):
        at += int(rng.integers(9, 14)) if rng.random() < 0.7 else 0
        bank, column = int(rng.integers(4)), int(rng.integers(16))
        if bank not in rows:
            rows[bank] = int(rng.integers(8))
            commands.append((at, ACTIVATE, bank, rows[bank]))
        elif rng.random() < 0.2:
            commands.append((at, PRECHARGE, bank, 0))
            cut(at, bank)
            del rows[bank]
        elif rng.random() < 0.5:
            cut(at)
            commands.append((at, READ, bank, column))
            base, within = column // length * length, column % length
            reading = at, bank
            for place in range(length):
                address = (rows[bank] * 4 + bank) * 16 + base + (within + place) % length
                driven[at + cas + place] = memory[address]
            quiet = at + cas + length + 1
        else:
            at = max(at, quiet)
            cut(at)
            word = int(rng.integers(1 << 16))
            commands.append((at, WRITE, bank, column))
            writes[at] = memory[(rows[bank] * 4 + bank) * 16 + column] = word
        at += int(rng.integers(9, 14))
    data, broken = play(commands, at + 20, writes)
    assert broken[-1] == Rule.NONE
    assert data == [driven.get(cycle, FLOATING) for cycle in range(len(data))]


def test_a_masked_byte_is_not_written_and_not_read():
    first, free = start()
    commands = [(free, ACTIVATE, 0, 0), (free + 5, WRITE, 0, 2), (free + 9, READ, 0, 0)]
    inputs = [(free + 5, "dqm", 1), (free + 6, "dqm", 0), (free + 13, "dqm", 2), (free + 14, "dqm", 0)]
    data, broken = play([*first, *commands], free + 25, {free + 5: 0xABCD}, inputs)
    assert broken[-1] == Rule.NONE
    assert data[free + 12 : free + 16] == [0, 31, 0xAB00 | 62, FLOATING & 0xFF00 | 93]


def test_after_a_broken_rule_every_word_is_wrong():
    first, free = start()
    commands = [(free, ACTIVATE, 0, 0), (free + 2, READ, 0, 0), (free + 30, READ, 0, 8)]
    data, _ = play([*first, *commands], free + 45)
    assert data[free + 5 : free + 13] == [word ^ 0xFFFF for word in WORDS[:8]]
    assert data[free + 33 : free + 41] == [word ^ 0xFFFF for word in WORDS[8:16]]


def test_times_become_cycles():
    expected = {"rcd": 3, "rp": 3, "ras": 5, "rc": 7, "rrd": 2, "rfc": 7, "wr": 2, "mrd": 2, "refi": 781, "cas": 2}
    assert Timing().cycles(100) == Cycles(**expected, power_up=20_000)
    with pytest.raises(ValueError, match=r"clock_mhz: expected at most 133\.3, got 134"):
        Timing().cycles(134)


def test_more_words_than_the_chip_has_are_refused():
    with pytest.raises(ValueError, match="words: expected 1 to 512, got 513"):
        SdramChip(100, [0] * 513, TIMING)
