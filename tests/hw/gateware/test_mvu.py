"""The matrix-vector unit: row groups of words in, one bit per row out, `latency` cycles after the last word."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.arithmetic import Arithmetic, Binary, Ternary
from hw.gateware.mvu import MVU
from hw.shape.biases import biases
from tests.support.hw_bench import Bench, bits_of, few, integer
from tests.support.random_bundles import random_thresholds, random_weights, seeds


def run(arithmetic: Arithmetic, weights, theta, x, active, dynamic, pe, simd, idle=0.0, seed=0, abort=0):
    """Rows (rows, columns) on operands (columns,), all whole groups and words: bits (rows,) and latencies."""
    rows, columns = weights.shape
    groups, count = rows // pe, columns // simd
    dut = MVU(arithmetic, pe, simd, columns, dynamic)
    bench = Bench(dut, np.random.default_rng(seed))
    if abort:
        bench.aborted_run(abort, [dut.i], [dut.o])
    items = []
    for group in range(groups):
        for word in range(count):
            lanes = slice(word * simd, (word + 1) * simd)
            block = arithmetic.encode(weights[group * pe : (group + 1) * pe, lanes])
            operands = [integer(x[lanes] | ~active[lanes] & 1), integer(x[lanes] & active[lanes])]
            items.append(
                {
                    "weights": [integer(row) for row in block],
                    "x": operands if dynamic else [integer(x[lanes])],
                    "first": word == 0,
                    "last": word == count - 1,
                    "start": group % 2,
                }
            )
    begin = [int(bias) for bias in biases(weights, theta, dynamic)]

    async def serve_biases(ctx):
        await bench.begun(ctx)
        entering = [False] * (dut.latency - 1)
        for group in range(groups):
            ctx.set(dut.biases, begin[group * pe : (group + 1) * pe])
            used = False
            while not used:
                *_, valid, first = await ctx.tick().sample(dut.i.valid, dut.i.payload.first)
                entering.append(valid and first)
                used = entering.pop(0)

    bench.script(serve_biases)
    fed, got = bench.feed(dut.i, items, idle), bench.drain(dut.o, groups)
    bench.run()
    latencies = {cycle - entered for entered, (cycle, _) in zip(fed[count - 1 :: count], got, strict=True)}
    assert [int(payload.start) for _, payload in got] == [group % 2 for group in range(groups)]
    assert latencies == {dut.latency}
    return np.concatenate([bits_of(int(payload.data), pe) for _, payload in got])


@given(
    seed=seeds,
    ternary=st.booleans(),
    dynamic=st.booleans(),
    pe=st.integers(1, 3),
    simd=st.integers(1, 6),
    groups=st.integers(1, 3),
    count=st.integers(1, 4),
)
@few
def test_bits_and_latency(seed, ternary, dynamic, pe, simd, groups, count):
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, (groups * pe, count * simd), 0.6 if ternary else 1.0)
    theta = random_thresholds(rng, weights)
    x, active = rng.integers(0, 2, (2, count * simd))
    got = run(Ternary() if ternary else Binary(), weights, theta, x, active, dynamic, pe, simd, 0.3, seed)
    operands = (2 * x - 1) * (active if dynamic else 1)
    assert np.array_equal(got, weights.astype(int) @ operands >= theta)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("arithmetic", [Ternary(), Binary()], ids=lambda it: it.format.name)
def test_tie_gives_1_and_sums_reach_their_extremes(arithmetic, dynamic):
    # Rows of all +1 and all -1 on operands of all +1: sums of 8 and -8, each with a limit at and above it.
    weights = np.array([1, 1, -1, -1], dtype=np.int8)[:, None].repeat(8, axis=1)
    theta = np.array([8, 9, -8, -7], dtype=np.int32)
    ones = np.ones(8, dtype=int)
    assert run(arithmetic, weights, theta, ones, ones, dynamic, 2, 2).tolist() == [1, 0, 1, 0]
    assert run(arithmetic, -weights, theta, 0 * ones, ones, dynamic, 2, 2).tolist() == [1, 0, 1, 0]


def test_nothing_kept_is_a_tie_with_zero():
    weights, theta = np.zeros((2, 6), dtype=np.int8), np.array([0, 1], dtype=np.int32)
    x, active = np.ones(6, dtype=int), np.ones(6, dtype=int)
    assert run(Ternary(), weights, theta, x, active, False, 2, 3).tolist() == [1, 0]
    assert run(Ternary(), weights + np.int8(1), theta, x, 0 * active, True, 2, 3).tolist() == [1, 0]


def test_reset_under_way_and_then_a_right_result():
    rng = np.random.default_rng(5)
    weights = random_weights(rng, (4, 9), 0.6)
    theta, x = random_thresholds(rng, weights), rng.integers(0, 2, 9)
    for abort in (5, 8, 11):
        got = run(Ternary(), weights, theta, x, np.ones(9, dtype=int), False, 2, 3, abort=abort)
        assert np.array_equal(got, weights.astype(int) @ (2 * x - 1) >= theta)
