"""Scales as multipliers and shifts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle.scales import LARGEST_MULTIPLIER, multipliers
from model.errors import BadInput

positive = st.floats(2.0**-40, LARGEST_MULTIPLIER, exclude_max=True)


@given(st.lists(st.tuples(positive, positive), min_size=1, max_size=9))
def test_multipliers_are_the_scales_to_sixteen_bits_of_the_larger(pairs):
    w, u = np.array(pairs).T
    (w_multiplier, u_multiplier), shift = multipliers(w, u)
    step = 2.0 ** -shift.astype(float)
    for scale, found in ((w, w_multiplier), (u, u_multiplier)):
        assert found.dtype == np.uint16
        assert np.all(np.abs(found * step - scale) <= step / 2)
    assert np.all(np.maximum(w_multiplier, u_multiplier) >= 2**15)


@given(st.integers(1, LARGEST_MULTIPLIER), st.integers(0, 47))
def test_a_scale_that_is_a_multiplier_is_kept(multiplier, shift):
    (found,), by = multipliers(np.array([multiplier / 2.0**shift]))
    assert int(found[0]) << shift == multiplier << int(by[0])


def test_a_scale_of_0_and_one_too_small_for_any_shift_are_multipliers_of_0():
    (found,), shift = multipliers(np.array([0.0, 2.0**-70]))
    assert found.tolist() == [0, 0] and shift.tolist() == [16, 63]


def test_rounding_up_never_overflows_the_multiplier():
    (found,), shift = multipliers(np.array([np.nextafter(2.0, 0.0)]))
    assert (found.tolist(), shift.tolist()) == ([2**15], [14])


@pytest.mark.parametrize("scale", [float("nan"), float("inf"), -1.0, 65536.0])
def test_scales_without_a_multiplier_are_refused(scale):
    with pytest.raises(BadInput, match=rf"^scales: expected finite ones from 0 to 65535, got {scale}$"):
        multipliers(np.array([0.5, scale]), np.array([1.0, 1.0]))
