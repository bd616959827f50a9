"""A board's top: what is on its pins, and what it says where there are none."""

from dataclasses import replace

import numpy as np
import pytest

from boards.definitions.registry import BOARDS, find
from boards.flow.layout import lay_out, parse_folding
from boards.gateware.top import BoardTop
from model.errors import BadInput
from tests.support.random_bundles import random_bundle

FOLDING = parse_folding(["gru0=2x5", "mask=2x5"])


def plan(board):
    network = lay_out(random_bundle(np.random.default_rng(3), [("bgru", 9)], bins=9, qad_bits=2), board, FOLDING, 8, 8)
    top = BoardTop(network, board)
    return board.platform().prepare(top, "top").files


@pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))
def test_a_top_has_uart_clock_and_leds_and_the_flash_where_weights_are_loaded(board):
    files = plan(board)
    constraints = files[f"top.{board.family.constraints}"]
    assert all(name in constraints for name in ("uart_0__rx", "uart_0__tx", "led", board.platform().default_clk))
    assert ("spi_flash_1x_0__cs" in constraints) == (board.spram_bits > 0)
    assert any(cell in files["top.il"] for cell in ("EHXPLLL", "SB_PLL40_PAD", "rPLL"))


def test_at_the_oscillators_own_frequency_there_is_no_pll():
    board = find("ulx3s_85f")
    assert "EHXPLLL" not in plan(replace(board, clock_hz=board.oscillator_hz))["top.il"]


def test_a_board_without_the_pins_says_which():
    board = replace(find("ulx3s_85f"), error=("led", 99))
    with pytest.raises(BadInput, match="ulx3s_85f: expected led 99 among the pins of ULX3S_85F_Platform, found none"):
        plan(board)
