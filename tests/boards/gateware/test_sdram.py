"""The SDRAM controller against the chip's model: every word right, no rule of the data sheet broken, at full speed."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from boards.definitions.sdram import ULX3S_SDRAM
from boards.gateware.sdram import QUEUE, Range, SdramController, Write, data_share, refresh_gap, start_cycles
from cosim.chips.sdram_chip import FLOATING, SdramChip
from cosim.chips.sdram_timing import Command, Rule, Timing
from tests.support.hw_bench import Bench, few, some
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

clocks = st.sampled_from([66, 100, 133])
chips = st.fixed_dictionaries({"columns": st.sampled_from([8, 16, 32]), "refi": st.sampled_from([900, 1300])})
"""Rows so short, and refreshes so frequent, that some hundred cycles meet all of it."""

ROWS = 4
WORDS = ROWS * 4 * 32


class Board(wiring.Component):
    """Controller and chip, with `pads` registers each way between them."""

    def __init__(self, clock_mhz, contents=(), pads=0, depth=WORDS, power_up=900, **sizes):
        sizes = {"power_up": power_up, **sizes}
        self.limits = replace(ULX3S_SDRAM, **sizes).cycles(clock_mhz * 1e6)
        self.controller = SdramController(replace(ULX3S_SDRAM, **sizes), clock_mhz * 1e6, 2 * pads)
        self.chip, self.pads = SdramChip(clock_mhz, contents, Timing(**sizes), depth), pads
        bits = self.controller.bits
        super().__init__(
            {
                "read": In(stream.Signature(Range(bits))),
                "write": In(stream.Signature(Write(bits))),
                "o": Out(stream.Signature(16)),
                "running": Out(1),
                "broken": Out(Rule),
                "command": Out(Command),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.controller, m.submodules.chip = controller, chip = self.controller, self.chip
        for name, member in controller.pins.signature.members.items():
            source, sink = (controller, chip) if member.flow == Out else (chip, controller)
            value = getattr(source.pins, name)
            for _ in range(self.pads):
                register = type(value).like(value)
                m.d.sync += register.eq(value)
                value = register
            m.d.comb += getattr(sink.pins, name).eq(value)
        for name in ("read", "write"):
            wiring.connect(m, wiring.flipped(getattr(self, name)), getattr(controller, name))
        wiring.connect(m, controller.o, wiring.flipped(self.o))
        pins = controller.pins
        m.d.comb += [
            self.running.eq(controller.running),
            self.broken.eq(chip.broken),
            self.command.eq(pins.ras_n << 2 | pins.cas_n << 1 | pins.we_n),
        ]
        return m


def random_words(rng, count):
    return [int(word) for word in rng.integers(1 << 16, size=count)]


def random_ranges(rng, count, words):
    """Ranges of all lengths, long ones that follow each other, and short ones anywhere."""
    found = []
    for _ in range(count):
        first = (found[-1]["last"] + 1) % words if found and rng.random() < 0.3 else int(rng.integers(words))
        length = int(rng.choice([1, int(rng.integers(1, 20)), int(rng.integers(1, 120))]))
        found.append({"first": first, "last": min(words - 1, first + length - 1)})
    return found


@given(
    seed=seeds,
    sizes=chips,
    clock=clocks,
    stall=st.sampled_from([0, 0.3, 0.8]),
    idle=st.sampled_from([0, 0.5, 0.97]),
    pads=st.integers(0, 2),
)
@some
def test_ranges_come_whole_and_in_order_and_no_rule_is_broken(seed, sizes, clock, stall, idle, pads):
    rng = np.random.default_rng(seed)
    contents = random_words(rng, WORDS)
    dut = Board(clock, contents, pads, **sizes)
    ranges = random_ranges(rng, 12, WORDS)
    wanted = [word for one in ranges for word in contents[one["first"] : one["last"] + 1]]
    bench = Bench(dut, rng)
    broken = bench.watch(dut.broken)
    bench.feed(dut.read, ranges, idle)
    got = bench.drain(dut.o, len(wanted), stall)
    bench.run()
    assert [word for _, word in got] == wanted
    assert broken[-1] == (Rule.NONE,)


@given(seed=seeds, sizes=chips, clock=clocks, pads=st.integers(0, 2))
@few
def test_words_that_are_written_while_others_are_read_come_back(seed, sizes, clock, pads):
    """Reads of the lower half go on while the upper half is written, then that is read."""
    rng = np.random.default_rng(seed)
    half = WORDS // 2
    contents = random_words(rng, half)
    dut = Board(clock, contents, pads, **sizes)
    written = {
        int(at): int(word)
        for at, word in zip(rng.integers(half, WORDS, 60), rng.integers(1 << 16, size=60), strict=True)
    }
    ranges = random_ranges(rng, 8, half)
    wanted = [word for one in ranges for word in contents[one["first"] : one["last"] + 1]]
    bench = Bench(dut, rng)
    broken = bench.watch(dut.broken)
    stored = bench.feed(dut.write, [{"address": at, "data": word} for at, word in written.items()], 0.9)

    async def then(ctx):
        while len(stored) < len(written) or len(got) < len(wanted):
            await ctx.tick()
        ctx.set(dut.read.payload, {"first": half, "last": WORDS - 1})
        ctx.set(dut.read.valid, 1)
        ctx.set(dut.o.ready, 1)
        while len(after) < WORDS - half:
            *_, valid, ready, word = await ctx.tick().sample(dut.o.valid, dut.read.ready, dut.o.payload)
            if ready:
                ctx.set(dut.read.valid, 0)
            if valid:
                after.append(word)

    after: list[int] = []
    bench.feed(dut.read, ranges)
    got = bench.drain(dut.o, len(wanted), 0.2)
    bench.script(then)
    bench.run()
    assert [word for _, word in got] == wanted
    assert after == [written.get(at, FLOATING) for at in range(half, WORDS)]
    assert broken[-1] == (Rule.NONE,)


def endlessly(dut, last):
    """A script that offers the same range again and again."""

    async def offer(ctx):
        ctx.set(dut.read.payload, {"first": 0, "last": last})
        ctx.set(dut.read.valid, 1)
        ctx.set(dut.write.valid, 0)

    return offer


@pytest.mark.parametrize(("clock", "share"), [(100, 0.982), (133, 0.981)])
def test_a_long_read_keeps_the_bus_busy_with_data(clock, share):
    """With the real chips' timing: words per cycle over three refreshes. More than 95 % are asked for."""
    words = 3 * 512
    dut = Board(clock, random_words(np.random.default_rng(0), words), 1, words)
    limits = dut.limits
    bench = Bench(dut, limit=100_000)
    commands = bench.watch(dut.command)
    bench.script(endlessly(dut, words - 1))
    got = bench.drain(dut.o, int(4.5 * limits.refi))
    bench.run()
    refreshes = [cycle for cycle, (one,) in enumerate(commands) if one == Command.REFRESH and cycle > got[0][0]]
    first, last = refreshes[0], refreshes[3]
    taken = sum(first <= cycle < last for cycle, _ in got)
    assert taken / (last - first) == pytest.approx(data_share(limits), abs=5e-4)
    assert taken / (last - first) > share > 0.95
    gaps = sorted({after - before for (before, _), (after, _) in pairwise(got)})
    assert gaps == [1, refresh_gap(limits) + 1]


@given(sizes=chips, clock=clocks)
@few
def test_no_word_is_asked_for_without_a_place_and_refreshes_go_on(sizes, clock):
    dut = Board(clock, list(range(200)), **sizes)
    limits, bench = dut.limits, Bench(dut)
    commands, broken = bench.watch(dut.command), bench.watch(dut.broken)
    bench.script(endlessly(dut, 199))

    async def nobody_takes(ctx):
        ctx.set(dut.o.ready, 0)
        for _ in range(start_cycles(limits) + 6 * limits.refi):
            await ctx.tick()

    bench.script(nobody_takes)
    bench.run()
    seen = [command for (command,) in commands]
    assert seen.count(Command.READ) == QUEUE // 8
    assert seen.count(Command.REFRESH) in (8 + 6, 8 + 7)
    assert broken[-1] == (Rule.NONE,)


@pytest.mark.parametrize(("clock", "power_up"), [(66, 100), (100, 200_000), (133, 900)])
def test_starts_when_it_says(clock, power_up):
    dut = Board(clock, power_up=power_up)
    bench = Bench(dut, limit=100_000)
    running = bench.watch(dut.running, dut.broken)

    async def wait(ctx):
        for _ in range(start_cycles(dut.limits)):
            await ctx.tick()

    bench.script(wait)
    bench.run()
    assert running[-1] == (1, Rule.NONE)


def test_starts_again_after_reset():
    dut = Board(100, list(range(WORDS)), columns=16, refi=900)
    bench = Bench(dut)
    bench.aborted_run(1500, [dut.read, dut.write], [dut.o])
    broken = bench.watch(dut.broken)
    bench.feed(dut.read, [{"first": 0, "last": WORDS - 1}])
    got = bench.drain(dut.o, WORDS, 0.1)
    bench.run()
    assert len(got) == WORDS and broken[-1] == (Rule.NONE,)
