"""Popcount: the number of ones, `latency(width)` cycles later, a word per cycle."""

import numpy as np
import pytest
from amaranth.hdl import Const, Module, Signal
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.popcount import Popcount, packed_sums
from hw.shape.family import ECP5, ICE40, Family
from hw.shape.popcount import latency, popcount_cost
from tests.support.hw_bench import Bench, few
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.synthesis


def run(width: int, items: list[int], idle: float = 0.0, seed: int = 0) -> tuple[list[int], list[tuple[int, int]]]:
    dut = Popcount(width)
    bench = Bench(dut, np.random.default_rng(seed))
    fed, got = bench.feed(dut.i, items, idle), bench.drain(dut.o, len(items))
    bench.run()
    return fed, got


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_every_word_of_small_widths(width):
    items = list(range(1 << width))
    fed, got = run(width, items)
    assert fed == list(range(len(items))), "a word per cycle"
    assert got == [(cycle + latency(width), word.bit_count()) for cycle, word in zip(fed, items, strict=True)]


@given(width=st.integers(1, 150), seed=seeds)
@few
def test_value_and_latency(width, seed):
    rng = np.random.default_rng(seed)
    items = [(1 << width) - 1, 0, *(int.from_bytes(rng.bytes(19), "little") % (1 << width) for _ in range(8))]
    fed, got = run(width, items, idle=0.4, seed=seed)
    assert got == [(cycle + latency(width), word.bit_count()) for cycle, word in zip(fed, items, strict=True)]


@pytest.mark.parametrize(("width", "cycles"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (7, 2), (63, 5), (64, 6)])
def test_latency_is_the_levels_of_the_tree(width, cycles):
    assert latency(width) == cycles


@pytest.mark.parametrize("width", [7, 15, 31, 63, 127])
def test_cost_is_what_synthesis_finds_where_no_input_is_unused(width):
    assert synthesised(width, ECP5) == (popcount_cost(width).lut4, popcount_cost(width).ff)


@pytest.mark.parametrize("width", [5, 24, 64, 100])
def test_cost_is_at_most_what_is_stated_for_other_widths(width):
    lut4, ff = synthesised(width, ECP5)
    assert ff <= popcount_cost(width).ff
    assert 0.85 * popcount_cost(width).lut4 <= lut4 <= popcount_cost(width).lut4
    assert synthesised(width, ICE40)[0] <= popcount_cost(width).lut4


def synthesised(width: int, family: Family) -> tuple[int, int]:
    found = synthesise(to_rtlil(Popcount(width), "popcount"), "popcount", family)
    return found["lut4"], found["ff"]


@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=6), seed=seeds)
@few
def test_packed_sums_are_the_sums(counts, seed):
    rng = np.random.default_rng(seed)
    operands = [[int(rng.integers(1 << bits)) for bits in (width, max(width - 1, 0), 1)] for width in counts]
    adders = [
        tuple(Const(value, bits) for value, bits in zip(values, (width, max(width - 1, 0), 1), strict=True))
        for values, width in zip(operands, counts, strict=True)
    ]
    m, sums = Module(), packed_sums(adders)
    out = [Signal(len(value)) for value in sums]
    m.d.comb += [signal.eq(value) for signal, value in zip(out, sums, strict=True)]

    async def check(ctx):
        assert [ctx.get(signal) for signal in out] == [sum(values) for values in operands]

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()


def test_reset_forgets_what_is_under_way():
    dut = Popcount(9)
    bench = Bench(dut)
    bench.aborted_run(7, [dut.i], [dut.o])
    fed, got = bench.feed(dut.i, [0b101], idle=0.9), bench.drain(dut.o, 1)
    bench.run()
    assert got == [(fed[0] + latency(9), 2)]
