"""Weights and their ranges, in plain integers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle.formats import WEIGHT_FORMATS, Format, one, sum_most, top
from model.errors import BadInput
from tests.support.integer_bundles import activation_bits, formats, weight_formats

WEIGHTS = {
    "binary": [-1, 1],
    "ternary": [-1, 0, 1],
    "int3": [-3, -2, -1, 0, 1, 2, 3],
    "seo3": [-4, -2, -1, 0, 1, 2, 4],
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_the_codes_of_a_format_are_its_weights_in_order(name):
    format = WEIGHT_FORMATS[name]
    codes = [code for code in range(-format.most, format.most + 1) if code or format.zero]
    assert format.values(np.array(codes, np.int8)).tolist() == WEIGHTS[name]


def test_int2_is_ternary():
    assert WEIGHT_FORMATS["int2"] is WEIGHT_FORMATS["ternary"]


@given(weight_formats)
def test_a_weight_has_at_most_the_bits_that_the_format_says(format):
    codes = 2 * format.most + format.zero
    assert codes <= 2**format.bits
    assert format.values(np.array([format.most, -format.most], np.int8)).tolist() == [format.largest, -format.largest]


def test_the_largest_weights_are_those_of_the_papers():
    assert [WEIGHT_FORMATS[name].largest for name in ("int4", "int8", "seo4", "seo6")] == [7, 127, 2**6, 2**30]


@pytest.mark.parametrize("name", ["int8", "seo6", "int4", "ternary", "binary"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_code_beyond_the_format_is_refused(name, sign):
    format = WEIGHT_FORMATS[name]
    beyond = sign * (format.most + 1)
    if beyond == 128:
        beyond = -128  # int8 holds no 128
    sentence = f"^array a.w: expected {format.name} codes from {-format.most} to {format.most}, got {beyond}$"
    with pytest.raises(BadInput, match=sentence):
        format.check(np.array([[0, beyond]], np.int8), "array a.w")


def test_a_binary_weight_of_0_is_refused():
    with pytest.raises(BadInput, match=r"^array a.w: expected binary codes -1 and 1, got 0$"):
        WEIGHT_FORMATS["binary"].check(np.array([1, 0], np.int8), "array a.w")


@given(activation_bits)
def test_a_state_of_one_bit_is_bipolar_and_others_are_symmetric(bits):
    assert top(bits) == (1 if bits == 1 else (2**bits - 1) // 2)
    assert 2 * one(bits) == 2**bits


@given(st.data(), st.booleans(), st.integers(1, 9), st.integers(1, 9))
def test_no_sum_is_beyond_the_largest(data, recurrent, inputs, units):
    format = data.draw(formats(recurrent))
    for columns, weights, bits in ((inputs, format.w, format.input_bits), (units, format.u, format.output_bits)):
        if weights is None:
            continue
        extreme = sum(weights.largest * one(bits) for _ in range(columns))
        assert sum_most(columns, weights, bits) == extreme
    format.check(inputs, units, "layer")


@pytest.mark.parametrize(
    ("bits", "sentence"),
    [((0, 8), "input_bits: expected 1 to 8, got 0"), ((8, 9), "output_bits: expected 1 to 8, got 9")],
)
def test_vectors_of_other_bits_are_refused(bits, sentence):
    with pytest.raises(BadInput, match=f"^layer a: {sentence}$"):
        Format(*bits, WEIGHT_FORMATS["int4"]).check(5, 5, "a")


def test_rows_whose_sums_could_overflow_are_refused_and_one_column_fewer_is_not():
    format = Format(8, 8, WEIGHT_FORMATS["seo6"])
    largest = 1024
    assert (
        (largest * 2**30 * 2**7 + 2**31) * (2**16 - 1) < 2**63 <= ((largest + 1) * 2**30 * 2**7 + 2**31) * (2**16 - 1)
    )
    format.check(largest, 4, "mask")
    with pytest.raises(BadInput, match=r"^layer mask: expected sums of at most 64 bits, got 65 at the worst$"):
        format.check(largest + 1, 4, "mask")
    twice = Format(8, 8, WEIGHT_FORMATS["seo6"], WEIGHT_FORMATS["seo6"])
    twice.check(512, 512, "gru0")
    with pytest.raises(BadInput, match=r"^layer gru0: expected sums of at most 64 bits, got 65 at the worst$"):
        twice.check(512, 513, "gru0")
