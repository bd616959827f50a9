"""The chips' data sheets in cycles."""

import pytest

from boards.definitions.sdram import AS4C32M16SB, IS42S16160, MT48LC16M16A2, ULX3S_SDRAM, W9825G6
from model.errors import BadInput

CHIPS = (AS4C32M16SB, IS42S16160, MT48LC16M16A2, W9825G6)


@pytest.mark.parametrize("clock", [66e6, 100e6, 133e6])
@pytest.mark.parametrize("chip", CHIPS)
def test_the_boards_timing_suits_each_of_its_chips(chip, clock):
    board, own = vars(ULX3S_SDRAM.cycles(clock)), vars(chip.cycles(clock))
    assert all(board[name] >= own[name] for name in own if name != "refi")
    assert board["refi"] <= own["refi"]
    # `power_up` counts refresh intervals.
    assert board["power_up"] * board["refi"] * 1e9 / clock >= chip.power_up


def test_every_board_has_32_mb():
    assert 2 * ULX3S_SDRAM.words == 32 << 20


def test_too_fast_a_clock_is_refused():
    assert ULX3S_SDRAM.cycles(133.3e6).cas == 3
    with pytest.raises(BadInput, match=r"sdram: expected a clock of at most 133\.3 MHz, got 143 MHz"):
        ULX3S_SDRAM.cycles(143e6)
