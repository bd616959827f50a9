"""Phase-locked loops: the setting makes the frequency within the limits of the part, or the nearest are named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boards.definitions.registry import BOARDS
from boards.gateware.pll import SETTINGS, Setting, setting
from hw.shape.family import ECP5, FAMILIES, GOWIN, ICE40, Family
from model.errors import BadInput

LIMITS = {"ecp5": (400e6, 800e6), "ice40": (533e6, 1066e6), "gowin": (500e6, 1250e6)}
"""Of the oscillator in the loop, from the data sheets that `boards/gateware/pll.py` names."""


def output(family: Family, reference: float, found: Setting) -> float:
    """The frequency by the parameters alone, as the part's user guide has it."""
    it = found.parameters
    if family is ECP5:
        return reference / it["CLKI_DIV"] * it["CLKFB_DIV"] * it["CLKOP_DIV"] / it["CLKOS_DIV"]
    if family is ICE40:
        return reference * (it["DIVF"] + 1) / (2 ** it["DIVQ"] * (it["DIVR"] + 1))
    return reference * (it["FBDIV_SEL"] + 1) / (it["IDIV_SEL"] + 1)


@settings(max_examples=30)
@given(st.sampled_from([ECP5, ICE40, GOWIN]), st.sampled_from([12e6, 25e6, 27e6, 100e6]), st.floats(16e6, 250e6))
def test_a_setting_makes_its_frequency_or_the_nearest_are_named(family, reference, wanted):
    try:
        found = setting(family, reference, wanted)
    except BadInput as refusal:
        assert f"got {wanted / 1e6:g} MHz; nearest: " in str(refusal)
        assert all(abs(each.hz - wanted) > 1e-4 * wanted for each in SETTINGS[family.name](reference))
        return
    assert abs(found.hz / wanted - 1) <= 1e-4
    assert output(family, reference, found) == pytest.approx(found.hz)
    low, high = LIMITS[family.name]
    assert low <= found.vco_hz <= high


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_the_clock_of_every_board_can_be_made(board):
    for clock_hz in (board.clock_hz, board.sound_clock_hz, board.integer_clock_hz or board.clock_hz):
        if clock_hz != board.oscillator_hz:
            assert setting(board.family, board.oscillator_hz, clock_hz).hz == clock_hz


def test_every_family_has_settings():
    assert set(SETTINGS) == set(FAMILIES)


def test_what_no_pll_makes_is_refused_with_the_nearest():
    with pytest.raises(BadInput, match=r"that the ecp5 PLL makes of 25 MHz, got 999 MHz; nearest: 800 MHz"):
        setting(ECP5, 25e6, 999e6)
