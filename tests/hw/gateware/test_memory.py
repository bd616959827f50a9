"""Memories that stream their words in order, for ever, from ROM or from what was loaded."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.memory import CyclicMemory, ram, read
from hw.shape.cyclic_memory import CyclicShape
from tests.support.hw_bench import Bench, few
from tests.support.random_bundles import seeds


def random_words(rng: np.random.Generator, width: int, depth: int) -> list[int]:
    return [int.from_bytes(rng.bytes(16), "little") % (1 << width) for _ in range(depth)]


def rom(width: int, contents: list[int], slice_width: int) -> CyclicMemory:
    return CyclicMemory(CyclicShape(width, len(contents), slice_width, rom=True), contents)


class Reader(wiring.Component):
    """A memory of eight words behind `read`."""

    address: In(3)
    enable: In(1)
    data: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.cells = bank = ram(8, 8, [10 * index for index in range(8)])
        m.d.comb += self.data.eq(read(m, bank, self.address, self.enable))
        return m


def test_read_takes_one_cycle_and_holds_while_not_enabled():
    dut = Reader()
    bench, seen = Bench(dut), []

    async def script(ctx):
        for address, enable in ((3, 1), (5, 1), (6, 0), (7, 0), (2, 1)):
            ctx.set(dut.address, address)
            ctx.set(dut.enable, enable)
            await ctx.tick()
            seen.append(ctx.get(dut.data))

    bench.script(script)
    bench.run()
    assert seen == [30, 50, 50, 50, 20]


def test_a_ram_carries_the_promise_and_further_attributes():
    memory = ram(4, 2, loaded="1")
    assert memory.attrs["no_rw_check"] == 1 and memory.attrs["loaded"] == "1"


def ask(bench: Bench, dut: CyclicMemory, count: int, idle: float = 0.0) -> list[int]:
    """Ask for so many words, not in a share `idle` of the cycles; the list fills with what comes `latency` later."""
    got, asked = [], []

    async def script(ctx):
        await bench.begun(ctx)
        left = count
        while len(got) < count:
            asking = left > 0 and ctx.get(dut.ready) and bench.rng.random() >= idle
            ctx.set(dut.next, asking)
            left -= asking
            asked.append(asking)
            await ctx.tick()
            if asked[-dut.shape.latency :][0] and len(asked) >= dut.shape.latency:
                got.append(ctx.get(dut.o))

    bench.script(script)
    return got


shapes = {
    "seed": seeds,
    "width": st.integers(1, 40),
    "depth": st.integers(1, 7),
    "slice_width": st.integers(1, 12),
    "idle": st.sampled_from([0.0, 0.4]),
}


@given(**shapes)
@few
def test_rom_gives_its_words_over_and_over(seed, width, depth, slice_width, idle):
    rng = np.random.default_rng(seed)
    contents = random_words(rng, width, depth)
    dut = rom(width, contents, slice_width)
    bench = Bench(dut, rng)
    got = ask(bench, dut, 3 * depth, idle)
    bench.run()
    assert got == contents * 3


def test_rom_starts_over_after_reset():
    for cycles in range(3, 7):
        dut = rom(4, [7, 8, 9], 4)
        bench = Bench(dut)
        bench.aborted_run(cycles, [], [])
        got = ask(bench, dut, 4)
        bench.run()
        assert got == [7, 8, 9, 7]


@given(**shapes)
@few
def test_ram_gives_what_was_loaded(seed, width, depth, slice_width, idle):
    rng = np.random.default_rng(seed)
    contents = random_words(rng, width, depth)
    dut = CyclicMemory(CyclicShape(width, depth, slice_width, rom=False))
    bench = Bench(dut, rng)
    bench.feed(dut.load, contents, idle=0.3)
    got = ask(bench, dut, 3 * depth, idle)
    bench.run()
    assert got == contents * 3


def test_ram_is_ready_in_the_cycle_after_its_last_word_and_takes_no_more():
    dut = CyclicMemory(CyclicShape(4, 2, 4, rom=False))
    bench = Bench(dut)
    fed = bench.feed(dut.load, [1, 2])
    ready = bench.watch(dut.load.ready, dut.ready)
    got = ask(bench, dut, 6)
    bench.run()
    assert fed == [0, 1]
    assert [tuple(map(int, bits)) for bits in ready[:4]] == [(1, 0), (1, 0), (0, 1), (0, 1)]
    assert got == [1, 2] * 3


@pytest.mark.parametrize("cycles", [1, 2, 6])
def test_reset_makes_a_ram_ask_for_its_words_again(cycles):
    dut = CyclicMemory(CyclicShape(4, 3, 4, rom=False))
    bench = Bench(dut)
    bench.aborted_run(cycles, [dut.load], [])
    bench.feed(dut.load, [7, 8, 9])
    got = ask(bench, dut, 4, idle=0.3)
    bench.run()
    assert got == [7, 8, 9, 7]
