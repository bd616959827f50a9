"""Words of one width to words of another: the same vector, whatever was in the padding."""

from math import gcd

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.repack import Repack
from hw.shape.repack import RepackShape
from hw.shape.words import words
from tests.support.hw_bench import Bench, from_words, some, to_words
from tests.support.random_bundles import seeds


def run(length, source, sink, frames=3, idle=0.0, stall=0.0, seed=0, abort=0):
    """Feed random vectors: the cycles of the words in, the log of the words out; the vectors are compared."""
    rng = np.random.default_rng(seed)
    vectors, starts = rng.integers(0, 2, (frames, length)), rng.integers(0, 2, frames).tolist()
    dut = Repack(RepackShape(length, source, sink))
    bench = Bench(dut, rng)
    if abort:
        bench.aborted_run(abort, [dut.i], [dut.o])
    fed = bench.feed(dut.i, to_words(rng, vectors, starts, source), idle)
    got = bench.drain(dut.o, frames * words(length, sink), stall)
    bench.run()
    carried, carried_starts = from_words(got, length, sink)
    assert np.array_equal(carried, vectors)
    assert carried_starts == starts
    return fed, got


widths = st.integers(1, 12)


@given(seed=seeds, length=st.integers(1, 30), source=widths, sink=widths)
@some
def test_vectors_arrive_whole_under_idles_and_back_pressure(seed, length, source, sink):
    run(length, source, sink, idle=0.3, stall=0.4, seed=seed)


@given(seed=seeds, length=st.integers(1, 30), source=widths, sink=widths)
@some
def test_one_piece_per_cycle(seed, length, source, sink):
    """At full speed, the pieces of all vectors follow one another without a gap."""
    frames, piece = 4, gcd(source, sink)
    fed, got = run(length, source, sink, frames=frames, seed=seed)
    pieces = words(length, piece)
    latency = (piece != source) + (piece != sink)
    assert got[-1][0] == fed[0] + frames * pieces - 1 + latency


@pytest.mark.parametrize(
    ("source", "sink", "latency"),
    [(4, 4, 0), (4, 2, 1), (2, 4, 1), (4, 6, 2)],
    ids=["nothing to do", "cut", "join", "cut and join"],
)
def test_latency_from_a_word_to_the_word_that_it_completes(source, sink, latency):
    # A vector of one source word: its last piece goes in a word's number of pieces after the first.
    length = min(source, sink)
    fed, got = run(length, source, sink, frames=1)
    pieces = words(length, gcd(source, sink))
    assert got[0][0] - fed[0] == latency + pieces - 1


def test_equal_widths_only_clear_the_padding():
    fed, got = run(10, 4, 4, frames=2)
    assert [cycle for cycle, _ in got] == fed == list(range(6))


def test_start_travels_with_its_own_vector():
    rng = np.random.default_rng(0)
    vectors, starts = rng.integers(0, 2, (4, 7)), [1, 0, 0, 1]
    dut = Repack(RepackShape(7, 3, 5))
    bench = Bench(dut)
    bench.feed(dut.i, to_words(rng, vectors, starts, 3))
    got = bench.drain(dut.o, 8)
    bench.run()
    assert from_words(got, 7, 5)[1] == starts


@given(seed=seeds, length=st.integers(1, 20), source=widths, sink=widths, abort=st.integers(1, 9))
@some
def test_reset_in_mid_vector_and_then_a_right_one(seed, length, source, sink, abort):
    run(length, source, sink, frames=2, idle=0.2, stall=0.2, seed=seed, abort=abort)
