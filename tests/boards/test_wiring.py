"""The wires of microphone and codec: against the ULX3S's constraints, the Pmod and the page."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from boards.definitions.registry import BOARDS, find
from boards.gateware.sample_rate import rate
from boards.wiring import drawing, table, wires
from tests.support.command import bgru
from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "sound.md").read_text(encoding="utf-8")
boards = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))

ULX3S = {
    **{"SCK": "A7", "WS": "C8", "SD": "C6"},
    **{"1 D/A MCLK": "B9", "2 D/A LRCK": "A9", "3 D/A SCLK": "A10", "4 D/A SDIN": "B11"},
    **{"7 A/D MCLK": "C10", "8 A/D LRCK": "B10", "9 A/D SCLK": "A11", "10 A/D SDOUT": "C11"},
}
"""gp[0..6] and gn[0..3] of doc/constraints/ulx3s_v20.lpf, github.com/emard/ulx3s."""


@pytest.mark.parametrize("name", ["ulx3s_85f", "ulx3s_25f"])
def test_wires_end_at_the_pins_of_the_ulx3s_own_constraints(name):
    assert {wire.part_pin: wire.fpga_pin for wire in wires(find(name)) if wire.fpga_pin} == ULX3S


def test_wires_end_at_the_orangecrabs_feather_pins():
    """FPGA pins by Feather pin: `_connectors_r0_2` in litex_boards/platforms/gsd_orangecrab.py, litex-boards."""
    feather = {"5": "B10", "6": "B9", "9": "C8", "10": "B8", "11": "A8", "12": "H2", "13": "J2"}
    feather |= {"SCL": "C9", "SCK": "R17", "MOSI": "N16", "MISO": "N15"}
    ends = {wire.board_pin: wire.fpga_pin for wire in wires(find("orangecrab")) if wire.fpga_pin}
    assert ends == {f"Feather pin {name}": pin for name, pin in feather.items()}


def test_wires_end_at_the_pmods_of_the_colorlight_i5():
    """`pmode` and `pmodf`, pins 1 to 4 and 7 to 10: litex_boards/platforms/colorlight_i5.py, litex-boards."""
    p3a = {"1": "C17", "2": "B18", "3": "B20", "4": "F20", "7": "A18", "8": "A19", "9": "B19", "10": "D20"}
    p3b = {"1": "D1", "2": "C1", "3": "C2"}
    pmods = {f"PMOD P3A pin {name}": pin for name, pin in p3a.items()}
    pmods |= {f"PMOD P3B pin {name}": pin for name, pin in p3b.items()}
    assert {wire.board_pin: wire.fpga_pin for wire in wires(find("colorlight_i5")) if wire.fpga_pin} == pmods


def test_wires_end_at_free_pins_of_the_tang_nanos_left_header():
    """J6, without LEDs and SD card: litex_boards/platforms/sipeed_tang_nano_20k.py, litex-boards."""
    free = ("73", "74", "75", "77", "27", "28", "25", "26", "29", "30", "31")
    ends = {wire.board_pin: wire.fpga_pin for wire in wires(find("tang_nano_20k")) if wire.fpga_pin}
    assert ends == {f"header pin {pin}": pin for pin in free}


@boards
def test_every_pin_of_a_pmod_is_where_the_pmod_has_it(board):
    """Plugged in, a Pmod's pin n meets the connector's pin n."""
    for wire in wires(board):
        if wire.part == "Pmod I2S2" and wire.board_pin.startswith("PMOD"):
            assert wire.part_pin.split()[0] == wire.board_pin.split()[-1]


@boards
def test_no_fpga_pin_has_two_wires_and_only_data_comes_in(board):
    signals = [wire for wire in wires(board) if wire.fpga_pin]
    assert len(signals) == len({wire.fpga_pin for wire in signals}) == 11
    assert [wire.part_pin for wire in signals if wire.into_board] == ["SD", "10 A/D SDOUT"]


@boards
def test_the_page_has_the_table_and_the_drawing_as_they_are_made(board):
    assert table(board) in PAGE
    assert (ROOT / "docs" / "sound" / f"{board.name}.svg").read_text(encoding="utf-8") == drawing(board)
    assert f"(sound/{board.name}.svg)" in PAGE


@boards
def test_the_command_prints_a_boards_table_and_draws_it_where_asked(board, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = bgru("wiring", "--board", board.name)
    assert (result.exit_code, result.output) == (0, table(board))
    assert list(tmp_path.iterdir()) == []
    result = bgru("wiring", "--board", board.name, "--drawing", "new/wires.svg")
    assert (result.exit_code, result.output) == (0, table(board))
    assert Path("new/wires.svg").read_text(encoding="utf-8") == drawing(board)


def test_an_unknown_board_is_refused():
    result = bgru("wiring", "--board", "nexys")
    assert result.exit_code == 2 and "nexys" in result.stderr


@boards
def test_the_drawing_is_an_svg_with_an_end_for_every_wire(board):
    texts = [element.text for element in ElementTree.fromstring(drawing(board)).iter() if element.tag.endswith("text")]
    for wire in wires(board):
        assert wire.part_pin in texts
        assert any(text.startswith(wire.board_pin) for text in texts)


def test_the_pages_sample_rates_are_those_that_division_makes():
    rows = re.findall(r"^\| (\d+) MHz \|.*?\| (.*?) \| (.*?) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 6
    for mhz, *cells in rows:
        for cell, mclk in zip(cells, (True, False), strict=True):
            found = rate(int(mhz) * 1_000_000, 16_000, mclk)
            assert cell == f"{found.divisor}: {found.hz:,.1f} Hz, {found.hz / 160 - 100:+.1f} %"
