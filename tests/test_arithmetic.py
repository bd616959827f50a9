"""Number formats: what a weight is stored as, what a row's limit is, and what a multiplier sums up."""

import numpy as np
import pytest
from amaranth.hdl import Shape
from hypothesis import given
from hypothesis import strategies as st

from hw.arithmetic import Arithmetic, Binary, Ternary, select
from tests.hw_bench import Bench, few, integer, some
from tests.random_bundles import random_weights, seeds

FORMATS: list[Arithmetic] = [Ternary(), Binary()]
formats = pytest.mark.parametrize("arithmetic", FORMATS, ids=lambda it: it.name)


def rho_of(arithmetic: Arithmetic) -> float:
    return 0.6 if arithmetic.has_zero else 1.0


def fits(value: int, shape: Shape) -> bool:
    low, high = (-(1 << shape.width - 1), (1 << shape.width - 1) - 1) if shape.signed else (0, (1 << shape.width) - 1)
    return low <= value <= high


def test_ternary_stores_signs_and_then_non_zeros():
    assert Ternary().encode(np.array([[1, -1, 0]], dtype=np.int8)).tolist() == [[1, 0, 0, 1, 1, 0]]


def test_binary_stores_signs_and_a_padding_weight_as_plus_1():
    assert Binary().encode(np.array([[1, -1, 0]], dtype=np.int8)).tolist() == [[1, 0, 1]]


@formats
def test_a_word_has_weight_bits_per_lane(arithmetic):
    assert arithmetic.encode(np.ones((3, 2, 5), dtype=np.int8)).shape == (3, 2, 5 * arithmetic.weight_bits)


def test_binary_is_selected_where_every_weight_is_kept():
    assert select(True).name == "binary"
    assert select(False).name == "ternary"


@given(seed=seeds, columns=st.integers(1, 12), dynamic=st.booleans(), ternary=st.booleans())
@some
def test_limit_is_reached_exactly_where_the_sum_reaches_theta(seed, columns, dynamic, ternary):
    rng = np.random.default_rng(seed)
    arithmetic: Arithmetic = Ternary() if ternary else Binary()
    weights = random_weights(rng, (1, columns), rho_of(arithmetic))
    shape = arithmetic.accumulator(columns, dynamic)
    kept = np.count_nonzero(weights)
    extremes = [-(2**31), 2**31 - 1, -columns - 1, columns + 1]
    for theta in [*range(-columns - 2, columns + 3), *extremes]:
        (limit,) = arithmetic.limits(weights, np.array([theta], dtype=np.int32), dynamic)
        assert fits(int(limit), shape)
        for total in range(-columns, columns + 1) if dynamic else range(-kept, kept + 1, 2):
            accumulated = total if dynamic else (total + kept) // 2
            assert fits(accumulated, shape)
            assert (accumulated >= limit) == (total >= theta)


@pytest.mark.parametrize(
    ("theta", "limit"), [(0, 2), (1, 2), (2, 3), (-1, 1), (-2, 1), (3, 3), (4, 4), (-3, 0), (-100, 0), (100, 5)]
)
def test_static_limit_is_half_of_theta_and_the_kept_weights_rounded_up(theta, limit):
    # Three kept weights of four: a is odd, and so a >= 0 means a >= 1, two equal lanes of three.
    weights = np.array([[1, 0, -1, 1]], dtype=np.int8)
    assert Ternary().limits(weights, np.array([theta], dtype=np.int32), dynamic=False).tolist() == [limit]


def run(arithmetic, weights, x, active, dynamic, idle, seed):
    """Words (n, pe, simd), operands and active lanes (n, simd): sums (n, pe) and the latencies of all words."""
    count, pe, simd = weights.shape
    dut = arithmetic.multiplier(pe, simd, dynamic)
    bench = Bench(dut, np.random.default_rng(seed))
    stored = arithmetic.encode(weights)
    items = [
        {"weights": [integer(row) for row in stored[n]], "x": integer(x[n]), "active": integer(active[n])}
        for n in range(count)
    ]
    fed, got = bench.feed(dut.i, items, idle), bench.drain(dut.o, count)
    bench.run()
    latencies = {cycle - entered for entered, (cycle, _) in zip(fed, got, strict=True)}
    return np.array([list(sums) for _, sums in got]), latencies, dut.latency


@formats
@pytest.mark.parametrize("dynamic", [False, True])
@given(seed=seeds, pe=st.integers(1, 3), simd=st.integers(1, 20))
@few
def test_products_and_latency(arithmetic, dynamic, seed, pe, simd):
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, (6, pe, simd), rho_of(arithmetic))
    x, active = rng.integers(0, 2, (2, 6, simd))
    got, latencies, latency = run(arithmetic, weights, x, active, dynamic, 0.3, seed)
    operands = 2 * x - 1
    if dynamic:
        expected = np.einsum("nps,ns->np", weights.astype(int), operands * active)
    else:
        expected = np.count_nonzero(weights == operands[:, None], axis=-1)
    assert np.array_equal(got, expected)
    assert latencies == {latency}


@formats
def test_products_at_their_extremes(arithmetic):
    simd = 7  # as many as three bits count to, so that a sum needs every bit it has
    weights = np.array([1, 1, -1, -1, 1, -1], dtype=np.int8)[:, None, None].repeat(simd, axis=2)
    x = np.array([1, 0, 1, 0, 1, 1])[:, None].repeat(simd, axis=1)
    active = np.array([1, 1, 1, 1, 0, 0])[:, None].repeat(simd, axis=1)
    signed, *_ = run(arithmetic, weights, x, active, True, 0.0, 0)
    assert signed[:, 0].tolist() == [7, -7, -7, 7, 0, 0]
    counts, *_ = run(arithmetic, weights, x, active, False, 0.0, 0)
    assert counts[:, 0].tolist() == [7, 0, 0, 7, 7, 0]


def test_ternary_lanes_without_a_weight_count_nothing():
    weights = np.zeros((2, 1, 5), dtype=np.int8)
    x = np.array([[0] * 5, [1] * 5])
    for dynamic in (False, True):
        sums, *_ = run(Ternary(), weights, x, np.ones_like(x), dynamic, 0.0, 0)
        assert sums[:, 0].tolist() == [0, 0]


def test_binary_padding_lanes_count_nothing():
    # Padding is a weight of 0 and an operand bit of 0; where dynamic, an active bit of 0 too.
    weights, x = np.zeros((1, 1, 5), dtype=np.int8), np.zeros((1, 5), dtype=int)
    for dynamic in (False, True):
        sums, *_ = run(Binary(), weights, x, np.zeros_like(x), dynamic, 0.0, 0)
        assert sums[:, 0].tolist() == [0]
