"""Popcount: the number of ones, `latency(width)` cycles later, a word per cycle."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.popcount import Popcount, latency
from tests.hw_bench import Bench, few
from tests.random_bundles import seeds


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


@pytest.mark.parametrize(("width", "cycles"), [(1, 1), (2, 1), (3, 2), (6, 2), (7, 4), (16, 6), (32, 8), (64, 10)])
def test_latency_is_the_levels_of_full_adders_and_one(width, cycles):
    assert latency(width) == cycles


def test_reset_forgets_what_is_under_way():
    dut = Popcount(9)
    bench = Bench(dut)
    bench.aborted_run(7, [dut.i], [dut.o])
    fed, got = bench.feed(dut.i, [0b101], idle=0.9), bench.drain(dut.o, 1)
    bench.run()
    assert got == [(fed[0] + latency(9), 2)]
