"""Pace: what follows from cycles, clock and frame rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.shape.pace import Pace


def test_small_on_the_ulx3s():
    pace = Pace(interval=15_360, latency=18_434, clock_hz=120_000_000, frame_rate=125)
    assert pace.rate == 7812.5
    assert pace.real_time == 62.5
    assert pace.hop == 960_000
    assert pace.slack == 944_640
    assert pace.least_mhz == 1.92
    assert pace.ms(pace.latency) == pytest.approx(0.15362, rel=1e-4)


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.integers(10**6, 10**9), st.floats(1, 1e4, allow_nan=False))
def test_real_time_is_when_the_interval_fits_the_hop(interval, latency, clock_hz, frame_rate):
    pace = Pace(interval, latency, clock_hz, frame_rate)
    if pace.real_time > 1.001:
        assert pace.slack > 0
    if pace.real_time < 0.999:
        assert pace.slack < 0
    assert pace.least_mhz * pace.real_time == pytest.approx(clock_hz / 1e6)
