"""`bgru memtest`: a bitstream for a board with SDRAM, a sentence for others."""

import pytest

from tests.support.command import bgru


def test_a_board_without_sdram_is_refused(tmp_path):
    result = bgru("memtest", "--board", "icebreaker", "--build", str(tmp_path))
    assert result.exit_code == 2
    assert "board: expected one with SDRAM, such as ulx3s_85f, got icebreaker" in result.stderr + result.output
    assert not list(tmp_path.iterdir())


def test_a_clock_that_the_pll_lacks_is_refused(tmp_path):
    result = bgru("memtest", "--board", "ulx3s_25f", "--sdram-clock", "133", "--build", str(tmp_path))
    assert result.exit_code == 2
    assert "nearest: 132.5 and 133.3 MHz" in result.stderr + result.output


VERIFY_ID = b"\xe2\0\0\0"
"""The bitstream's command before the IDCODE: an FPGA with another one refuses it."""


@pytest.mark.synthesis
@pytest.mark.parametrize(("board", "idcode"), [("ulx3s_25f", 0x41111043), ("ulx3s_12f", 0x21111043)])
def test_the_clock_of_the_documentation_is_reached_by_a_bitstream_for_this_device(board, idcode, tmp_path):
    result = bgru("memtest", "--board", board, "--sdram-clock", "132.5", "--build", str(tmp_path))
    assert result.exit_code == 0, result.output
    bitstream = (tmp_path / board / "memtest" / "top.bit").read_bytes()
    assert bitstream.count(VERIFY_ID + idcode.to_bytes(4, "big")) == 1
