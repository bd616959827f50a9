"""Five trits in eight bits: every vector there and back, through NumPy and through hardware."""

from itertools import product

import numpy as np
import pytest
from amaranth.sim import Simulator
from hypothesis import given
from hypothesis import strategies as st

from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.gateware.trits import TritDecoder, Unpack, pack_trits
from hw.shape.family import FAMILIES
from hw.shape.number_format import packed_bits
from tests.support.hw_bench import bits_of, few, integer
from tests.support.random_bundles import random_weights, seeds

EVERY = np.array(list(product((-1, 0, 1), repeat=5)), dtype=np.int8)


def test_every_vector_has_a_code_of_its_own():
    assert len({integer(bits) for bits in pack_trits(EVERY)}) == 3**5


def test_any_shape_is_packed_along_its_last_axis():
    assert np.array_equal(pack_trits(EVERY.reshape(3, 81, 5)), pack_trits(EVERY).reshape(3, 81, 8))


@pytest.mark.parametrize(("count", "bits"), [(1, 8), (5, 8), (6, 16), (64, 104), (65, 104)])
def test_eight_bits_for_every_five_weights_begun(count, bits):
    assert packed_bits(count) == bits
    assert pack_trits(np.ones((2, count), dtype=np.int8)).shape == (2, bits)


def unpacked(rows):
    """What the hardware makes of packed rows (n, count): weights."""
    count = rows.shape[1]
    dut, found = Unpack(count), np.zeros_like(rows)

    async def bench(ctx):
        for n, bits in enumerate(pack_trits(rows)):
            ctx.set(dut.i, integer(bits))
            sign, nonzero = bits_of(ctx.get(dut.o), 2 * count).reshape(2, count)
            found[n] = (2 * sign.astype(np.int8) - 1) * nonzero

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    return found


def test_the_hardware_decodes_every_code():
    assert np.array_equal(unpacked(EVERY), EVERY)


@given(seed=seeds, count=st.integers(1, 23), stride=st.sampled_from([1, 3, 27, 81]))
@few
def test_no_bit_of_a_code_is_constant_or_anothers_copy_however_few_weights_it_has(seed, count, stride):
    """In every `stride`-th vector: as many rows are in one word."""
    bits = pack_trits(random_weights(np.random.default_rng(seed), (300 * stride, count), 0.6))[::stride]
    assert not (bits == bits[0]).all(axis=0).any()
    assert len(np.unique(bits, axis=1).T) == bits.shape[1]


@given(seed=seeds, count=st.integers(1, 23))
@few
def test_any_number_of_weights(seed, count):
    rows = random_weights(np.random.default_rng(seed), (4, count), 0.6)
    assert np.array_equal(unpacked(rows), rows)


@pytest.mark.synthesis
@pytest.mark.parametrize(("family", "lut4"), [("ecp5", 8), ("ice40", 8), ("gowin", 9)])
def test_a_decoder_costs_eight_lut4_or_nine_on_gowin(family, lut4):
    assert synthesise(to_rtlil(TritDecoder(), "decoder"), "decoder", FAMILIES[family])["lut4"] == lut4
