"""Number formats: what a weight is stored as, what a row begins with, and which products are +1."""

import numpy as np
import pytest
from amaranth.hdl import Module, Shape, Signal
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.arithmetic import Arithmetic, Binary, Ternary, accumulator, biases, select
from tests.support.hw_bench import few, integer, some
from tests.support.random_bundles import random_weights, seeds

FORMATS: list[Arithmetic] = [Ternary(), Binary()]
formats = pytest.mark.parametrize("arithmetic", FORMATS, ids=lambda it: it.name)


def rho_of(arithmetic: Arithmetic) -> float:
    return 0.6 if arithmetic.has_zero else 1.0


def test_ternary_stores_signs_and_then_non_zeros():
    assert Ternary().encode(np.array([[1, -1, 0]], dtype=np.int8)).tolist() == [[1, 0, 0, 1, 1, 0]]


def test_binary_stores_signs_and_a_padding_weight_as_plus_1():
    assert Binary().encode(np.array([[1, -1, 0]], dtype=np.int8)).tolist() == [[1, 0, 1]]


@formats
def test_a_word_has_as_many_bits_as_are_stated(arithmetic):
    assert arithmetic.encode(np.ones((3, 2, 7), dtype=np.int8)).shape == (3, 2, arithmetic.stored_bits(7))


def test_binary_is_selected_where_every_weight_is_kept():
    assert select(True).name == "binary"
    assert select(False).name == "ternary"


def range_of(shape: Shape) -> range:
    assert shape.signed
    return range(-(1 << shape.width - 1), 1 << shape.width - 1)


@given(seed=seeds, columns=st.integers(1, 12), dynamic=st.booleans(), ternary=st.booleans())
@some
def test_a_row_ends_at_0_or_above_exactly_where_its_sum_reaches_theta(seed, columns, dynamic, ternary):
    weights = random_weights(np.random.default_rng(seed), (1, columns), 0.6 if ternary else 1.0)
    held = range_of(accumulator(columns, dynamic))
    kept = np.count_nonzero(weights)
    extremes = [-(2**31), 2**31 - 1, -columns - 1, columns + 1]
    for theta in [*range(-columns - 2, columns + 3), *extremes]:
        (bias,) = biases(weights, np.array([theta], dtype=np.int32), dynamic)
        assert bias in held
        for total in range(-kept, kept + 1, 1 if dynamic else 2):
            # Over two operands, lanes that are off count once: 2 count - kept, halved, is still the sum.
            counted = total + kept if dynamic else (total + kept) // 2
            assert bias + counted in held
            assert (bias + counted >= 0) == (total >= theta)


@pytest.mark.parametrize("dynamic", [False, True])
@pytest.mark.parametrize("columns", [1, 2, 3, 4, 7, 8, 15, 16, 1284])
def test_the_accumulator_is_no_wider_than_its_extremes(columns, dynamic):
    kept = np.ones((1, columns), dtype=np.int8)
    (out_of_reach,) = biases(kept, np.array([2**31 - 1]), dynamic)
    (always,) = biases(kept, np.array([-(2**31)]), dynamic)
    most = columns * (1 + dynamic)
    assert (out_of_reach, always) == (-most - 1, 0)
    held = range_of(accumulator(columns, dynamic))
    narrower = range_of(Shape(accumulator(columns, dynamic).width - 1, signed=True))
    assert out_of_reach in held and always + most in held
    assert out_of_reach not in narrower or always + most not in narrower


@pytest.mark.parametrize(
    ("theta", "limit"), [(0, 2), (1, 2), (2, 3), (-1, 1), (-2, 1), (3, 3), (4, 4), (-3, 0), (-100, 0), (100, 5)]
)
def test_static_limit_is_half_of_theta_and_the_kept_weights_rounded_up(theta, limit):
    # Three kept weights of four: a is odd, and so a >= 0 means a >= 1, two products of +1 out of three.
    weights = np.array([[1, 0, -1, 1]], dtype=np.int8)
    assert biases(weights, np.array([theta], dtype=np.int32), dynamic=False).tolist() == [-limit]


def products(arithmetic: Arithmetic, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Words (n, simd) and operands (n, simd): the bits of the products."""
    count, simd = weights.shape
    stored, operand, out = Signal(arithmetic.stored_bits(simd)), Signal(simd), Signal(simd)
    m = Module()
    m.d.comb += out.eq(arithmetic.products(stored, operand))
    found = np.zeros((count, simd), dtype=int)

    async def bench(ctx):
        for n, bits in enumerate(arithmetic.encode(weights)):
            ctx.set(stored, integer(bits))
            ctx.set(operand, integer(x[n]))
            found[n] = [ctx.get(out) >> lane & 1 for lane in range(simd)]

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@formats
@given(seed=seeds, simd=st.integers(1, 20))
@few
def test_a_product_is_plus_1_where_weight_and_operand_are_alike(arithmetic, seed, simd):
    rng = np.random.default_rng(seed)
    weights = random_weights(rng, (6, simd), rho_of(arithmetic))
    x = rng.integers(0, 2, (6, simd))
    assert np.array_equal(products(arithmetic, weights, x), weights == 2 * x - 1)


def test_ternary_lanes_without_a_weight_count_nothing():
    x = np.array([[0] * 5, [1] * 5])
    assert not products(Ternary(), np.zeros((2, 5), dtype=np.int8), x).any()


def test_binary_padding_lanes_count_nothing():
    # Padding is a weight of 0 and an operand bit of 0.
    assert not products(Binary(), np.zeros((1, 5), dtype=np.int8), np.zeros((1, 5), dtype=int)).any()
