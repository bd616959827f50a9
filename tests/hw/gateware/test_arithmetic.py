"""Number formats: what a weight is stored as, what a row begins with, and which products are +1."""

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.arithmetic import Arithmetic, Binary, Ternary, select
from hw.shape.number_format import BINARY, TERNARY
from tests.support.hw_bench import few, integer
from tests.support.random_bundles import random_weights, seeds

FORMATS: list[Arithmetic] = [Ternary(), Binary()]
formats = pytest.mark.parametrize("arithmetic", FORMATS, ids=lambda it: it.format.name)


def rho_of(arithmetic: Arithmetic) -> float:
    return 0.6 if arithmetic.format.has_zero else 1.0


def test_ternary_stores_signs_and_then_non_zeros():
    assert Ternary().encode(np.array([[1, -1, 0]], dtype=np.int8)).tolist() == [[1, 0, 0, 1, 1, 0]]


def test_binary_stores_signs_and_a_padding_weight_as_plus_1():
    assert Binary().encode(np.array([[1, -1, 0]], dtype=np.int8)).tolist() == [[1, 0, 1]]


@formats
def test_a_word_has_as_many_bits_as_are_stated(arithmetic):
    assert arithmetic.encode(np.ones((3, 2, 7), dtype=np.int8)).shape == (3, 2, 7 * arithmetic.format.bits)


@pytest.mark.parametrize("number_format", [TERNARY, BINARY])
def test_an_arithmetic_is_selected_by_its_format(number_format):
    assert select(number_format).format == number_format


def products(arithmetic: Arithmetic, weights: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Words (n, simd) and operands (n, simd): the bits of the products."""
    count, simd = weights.shape
    stored, operand, out = Signal(arithmetic.format.bits * simd), Signal(simd), Signal(simd)
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
