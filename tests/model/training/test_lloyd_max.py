"""The Lloyd-Max fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from model.corpora.float_front_end import FloatFrontEnd
from model.training import lloyd_max


def distortion(values: np.ndarray, thresholds: np.ndarray) -> float:
    """Mean squared error of the quantiser with these thresholds and the best level in each cell."""
    cells = np.searchsorted(thresholds, values, side="right")
    levels = [values[cells == cell].mean() if np.any(cells == cell) else 0.0 for cell in range(len(thresholds) + 1)]
    return float(np.mean((values - np.array(levels)[cells]) ** 2))


def test_thresholds_of_the_normal_distribution_are_those_of_max() -> None:
    """Max (1960), table I, 4 levels: 0 and +-0.9816."""
    values = np.random.default_rng(0).normal(size=400_000)
    np.testing.assert_allclose(lloyd_max.lloyd_max(values, 4), [-0.9816, 0.0, 0.9816], atol=0.02)


def test_thresholds_of_the_uniform_distribution_are_evenly_spaced() -> None:
    np.testing.assert_allclose(lloyd_max.lloyd_max(np.linspace(0, 1, 100_001), 16), np.arange(1, 16) / 16, atol=2e-3)


def test_the_fit_is_no_worse_than_even_steps_or_quantiles() -> None:
    values = np.random.default_rng(1).exponential(size=20_000)
    fitted = distortion(values, lloyd_max.lloyd_max(values, 16))
    assert fitted < distortion(values, np.linspace(0, values.max(), 17)[1:-1])
    assert fitted < distortion(values, np.quantile(values, np.arange(1, 16) / 16))


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1e3)), st.sampled_from([2, 4, 16]))
def test_thresholds_are_finite_ordered_and_inside_the_values(values: np.ndarray, levels: int) -> None:
    """Also of fewer distinct values than levels."""
    thresholds = lloyd_max.lloyd_max(values, levels)
    assert thresholds.shape == (levels - 1,)
    assert np.all(np.diff(thresholds) >= 0)
    assert np.all((thresholds >= values.min()) & (thresholds <= values.max()))


@pytest.mark.parametrize("levels", [5, 16])
@pytest.mark.parametrize("per_bin", [False, True])
def test_fit_gives_the_front_end_one_row_per_bin(per_bin: bool, levels: int) -> None:
    rng = np.random.default_rng(2)
    loudness = np.array([1.0, 10.0, 0.1])
    magnitude = (rng.rayleigh(size=(5000, 3)) * loudness).astype(np.float32)
    thresholds = lloyd_max.fit(magnitude, levels, power=0.3, per_bin=per_bin)
    assert thresholds.shape == (3, levels - 1)
    assert thresholds.dtype == np.float32
    assert np.all(np.diff(thresholds, axis=1) > 0)
    if per_bin:
        np.testing.assert_allclose(thresholds[1] / thresholds[0], 10, rtol=0.2)
    else:
        np.testing.assert_array_equal(thresholds[0], thresholds[1])
    front_end = FloatFrontEnd(16000, 4, 2, "hann", 0.1, thresholds, code="thermometer")
    codes = front_end.encode(np.square(magnitude), np.zeros(5000, np.int32))
    assert codes.shape == (5000, 3 * (levels - 1))
    if per_bin:  # every level is met
        assert set(codes.reshape(5000, 3, levels - 1).sum(axis=2).ravel().tolist()) == set(range(levels))


def test_compression_gives_quiet_magnitudes_finer_steps() -> None:
    magnitudes = np.random.default_rng(3).exponential(size=(20_000, 1)).astype(np.float32)
    plain, compressed = (lloyd_max.fit(magnitudes, 16, power, True)[0] for power in (1.0, 0.3))
    assert compressed[0] < plain[0] / 2
