"""Biases: a row ends at 0 or above exactly where its sum reaches its threshold, and its accumulator never overflows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.shape.biases import bias_words, biases, layer_biases
from hw.shape.number_format import accumulator_bits
from tests.support.hw_bench import some
from tests.support.random_bundles import random_layer, random_weights, seeds


def range_of(bits: int) -> range:
    """What a signed number of so many bits can be."""
    return range(-(1 << bits - 1), 1 << bits - 1)


@given(seed=seeds, columns=st.integers(1, 12), dynamic=st.booleans(), ternary=st.booleans())
@some
def test_a_row_ends_at_0_or_above_exactly_where_its_sum_reaches_theta(seed, columns, dynamic, ternary):
    weights = random_weights(np.random.default_rng(seed), (1, columns), 0.6 if ternary else 1.0)
    held = range_of(accumulator_bits(columns, dynamic))
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
    held = range_of(accumulator_bits(columns, dynamic))
    narrower = range_of(accumulator_bits(columns, dynamic) - 1)
    assert out_of_reach in held and always + most in held
    assert out_of_reach not in narrower or always + most not in narrower


@pytest.mark.parametrize(
    ("theta", "limit"), [(0, 2), (1, 2), (2, 3), (-1, 1), (-2, 1), (3, 3), (4, 4), (-3, 0), (-100, 0), (100, 5)]
)
def test_static_limit_is_half_of_theta_and_the_kept_weights_rounded_up(theta, limit):
    # Three kept weights of four: a is odd, and so a >= 0 means a >= 1, two products of +1 out of three.
    weights = np.array([[1, 0, -1, 1]], dtype=np.int8)
    assert biases(weights, np.array([theta], dtype=np.int32), dynamic=False).tolist() == [-limit]


@given(seed=seeds, kind=st.sampled_from(["bgru", "dense"]), units=st.integers(1, 9), pe=st.integers(1, 9))
@some
def test_rows_are_grouped_matrix_by_matrix_and_padding_rows_are_out_of_reach(seed, kind, units, pe):
    layer = random_layer(np.random.default_rng(seed), kind, 5, units)
    dynamic, columns = kind == "bgru", 5 + units * (kind == "bgru")
    rows = layer_biases(layer)
    words = bias_words(rows, pe, columns, dynamic).reshape(len(rows), -1)
    assert np.array_equal(words[:, :units], rows)
    most = columns * (2 if dynamic else 1)
    assert (words[:, units:] + most < 0).all()
