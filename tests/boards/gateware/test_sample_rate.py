"""Sample rates by division."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.sample_rate import TOLERANCE, rate
from model.errors import BadInput


@pytest.mark.parametrize(
    ("clock_hz", "wanted", "mclk", "divisor", "mclk_divisor", "hz"),
    [
        (24_000_000, 16_000, True, 24, 6, 15_625),
        (25_000_000, 16_000, True, 24, 6, 16_276.0416),
        (25_000_000, 15_625, False, 25, None, 15_625),
        (120_000_000, 16_000, True, 116, 29, 16_163.793),
        (120_000_000, 15_625, True, 120, 30, 15_625),
        (120_000_000, 16_000, False, 117, None, 16_025.641),
        (54_000_000, 16_000, True, 52, 13, 16_225.961),
        (12_288_000, 16_000, False, 12, None, 16_000),
    ],
)
def test_the_nearest_rate_is_found(clock_hz, wanted, mclk, divisor, mclk_divisor, hz):
    found = rate(clock_hz, wanted, mclk)
    assert (found.divisor, found.mclk_divisor) == (divisor, mclk_divisor)
    assert found.hz == pytest.approx(hz, rel=1e-6)
    assert found.cycles == 64 * divisor


@given(st.integers(4_000_000, 200_000_000), st.integers(7_000, 55_000), st.booleans())
def test_every_rate_found_keeps_the_rules_and_no_possible_one_is_nearer(clock_hz, wanted, mclk):
    def allowed(divisor):
        dividers = [divisor, divisor / 4] if mclk else [divisor]
        even = all(value == int(value) and value >= 2 and value // 2 / value >= 0.45 for value in dividers)
        return even and 500_000 <= clock_hz / divisor <= 3_200_000

    def off(divisor):
        return abs(clock_hz / divisor / 64 - wanted)

    best = min(filter(allowed, range(1, 401)), key=off, default=None)
    if best is None or off(best) > TOLERANCE * wanted:
        with pytest.raises(BadInput, match="sample rate: expected"):
            rate(clock_hz, wanted, mclk)
        return
    found = rate(clock_hz, wanted, mclk)
    assert allowed(found.divisor) and off(found.divisor) == off(best)
    assert found.mclk_divisor == (found.divisor // 4 if mclk else None)


@pytest.mark.parametrize(
    ("clock_hz", "wanted", "message"),
    [
        (12_000_000, 16_000, r"division makes of 12,000,000 Hz with a master clock of 256 times that, to 3%, "
                             r"got 16,000 Hz; nearest: 11,719 Hz"),
        (1_000_000, 16_000, "got 16,000 Hz; nearest: none"),
        (24_000_000, 4_000, "got 4,000 Hz; nearest: 7,812 Hz"),
    ],
)  # fmt: skip
def test_an_impossible_rate_is_refused_with_the_nearest(clock_hz, wanted, message):
    with pytest.raises(BadInput, match=message):
        rate(clock_hz, wanted, mclk=True)
