"""A board's top: what is on its pins, and what it says where there are none."""

from dataclasses import replace

import numpy as np
import pytest

from boards.definitions.registry import BOARDS, find
from boards.flow.layout import lay_out, parse_folding
from boards.gateware.top import BoardTop
from hw.gateware.network import Network
from hw.shape.folding import Folding
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


def streaming(board, sound=None):
    made = random_bundle(np.random.default_rng(3), [("bgru", 9)], bins=9, qad_bits=2)
    foldings = {name: Folding(1, 8, "streamed") for name in ("gru0", "mask")}
    return BoardTop(Network(made, foldings, board.family, 8, 8), board, sound)


def test_streamed_weights_bring_sdram_flash_and_their_clocks():
    board = find("ulx3s_25f").at(50)
    files = board.platform().prepare(streaming(board), "top").files
    # Pins of amaranth-boards: the SDRAM's clock and the flash's chip select.
    assert 'LOCATE COMP "sdram_0__clk__io" SITE "F19"' in files["top.lpf"]
    assert 'LOCATE COMP "spi_flash_0__cs__io" SITE "R2"' in files["top.lpf"]
    design = files["top.il"]
    assert "USRMCLK" in design
    # An oscillator of 400 MHz: 50 and 100 MHz, and the chip's clock 7.55 ns later.
    for divider in ("CLKOS_DIV 8", "CLKOS2_DIV 4", "CLKOS3_DIV 4", "CLKOS2_CPHASE 0", "CLKOS3_CPHASE 3"):
        assert f"parameter \\{divider}\n" in design


def test_the_sdrams_clock_is_made_where_the_networks_is_the_oscillators():
    board = replace(find("ulx3s_25f"), clock_hz=25_000_000)
    design = board.platform().prepare(streaming(board), "top").files["top.il"]
    assert "EHXPLLL" in design and "CLKOS3" in design


def test_streamed_weights_on_a_board_without_sdram_are_refused():
    with pytest.raises(BadInput, match="board: expected an SDRAM for the weights of gru0, mask, it has none"):
        streaming(find("colorlight_i5"))


def test_a_clock_that_the_sdrams_rules_out_is_refused():
    with pytest.raises(BadInput, match=r"the ecp5 PLL makes of 25 MHz, next to 100 MHz, got 97 MHz; nearest: .* MHz"):
        streaming(find("ulx3s_25f").at(97))
