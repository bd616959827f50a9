"""Memories that stream their words in order, for ever, from ROM or from what was loaded."""

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from hw.memory import CyclicMemory, cells, read
from tests.hw_bench import Bench, few
from tests.random_bundles import seeds


def random_words(rng: np.random.Generator, width: int, depth: int) -> list[int]:
    return [int.from_bytes(rng.bytes(16), "little") % (1 << width) for _ in range(depth)]


class Reader(wiring.Component):
    """A memory of eight words behind `read`."""

    address: In(3)
    enable: In(1)
    data: Out(8)

    def elaborate(self, platform):
        m = Module()
        m.submodules.cells = bank = cells(8, 8, [10 * index for index in range(8)])
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


def test_cells_carry_the_promise_and_further_attributes():
    memory = cells(4, 2, loaded=1)
    assert memory.attrs["no_rw_check"] == 1 and memory.attrs["loaded"] == 1


@given(seed=seeds, width=st.integers(1, 12), depth=st.integers(1, 7), slice_width=st.integers(1, 12))
@few
def test_rom_streams_its_words_over_and_over(seed, width, depth, slice_width):
    rng = np.random.default_rng(seed)
    contents = random_words(rng, width, depth)
    dut = CyclicMemory(width, depth, contents, slice_width)
    bench = Bench(dut, rng)
    got = bench.drain(dut.o, 3 * depth, stall=0.4)
    bench.run()
    assert [word for _, word in got] == contents * 3


def test_rom_gives_a_word_per_cycle_from_the_first_after_reset():
    dut = CyclicMemory(4, 3, [7, 8, 9], 4)
    bench = Bench(dut)
    got = bench.drain(dut.o, 7)
    bench.run()
    assert got == [(1 + index, [7, 8, 9][index % 3]) for index in range(7)]


def test_rom_starts_over_after_reset():
    for cycles in range(3, 7):
        dut = CyclicMemory(4, 3, [7, 8, 9], 4)
        bench = Bench(dut)
        bench.aborted_run(cycles, [], [dut.o])
        got = bench.drain(dut.o, 4)
        bench.run()
        assert [word for _, word in got] == [7, 8, 9, 7]


@given(seed=seeds, width=st.integers(1, 12), depth=st.integers(1, 7), slice_width=st.integers(1, 12))
@few
def test_ram_streams_what_was_loaded(seed, width, depth, slice_width):
    rng = np.random.default_rng(seed)
    contents = random_words(rng, width, depth)
    dut = CyclicMemory(width, depth, None, slice_width)
    bench = Bench(dut, rng)
    bench.feed(dut.load, contents, idle=0.3)
    got = bench.drain(dut.o, 3 * depth, stall=0.4)
    bench.run()
    assert [word for _, word in got] == contents * 3


def test_ram_gives_its_first_word_two_cycles_after_the_last_one_loaded():
    dut = CyclicMemory(4, 3, None, 4)
    bench = Bench(dut)
    fed, got = bench.feed(dut.load, [7, 8, 9]), bench.drain(dut.o, 4)
    bench.run()
    assert fed == [0, 1, 2]
    assert got == [(4, 7), (5, 8), (6, 9), (7, 7)]


def test_ram_takes_no_more_words_than_it_has():
    dut = CyclicMemory(4, 2, None, 4)
    bench = Bench(dut)
    bench.feed(dut.load, [1, 2])
    ready = bench.watch(dut.load.ready)
    bench.drain(dut.o, 6)
    bench.run()
    assert [bit for (bit,) in ready[:6]] == [1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("cycles", [1, 2, 6])
def test_reset_makes_a_ram_ask_for_its_words_again(cycles):
    dut = CyclicMemory(4, 3, None, 4)
    bench = Bench(dut)
    bench.aborted_run(cycles, [dut.load], [dut.o])
    bench.feed(dut.load, [7, 8, 9])
    got = bench.drain(dut.o, 4, stall=0.3)
    bench.run()
    assert [word for _, word in got] == [7, 8, 9, 7]
