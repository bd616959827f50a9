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


@pytest.mark.synthesis
def test_the_clock_of_the_documentation_is_reached(tmp_path):
    result = bgru("memtest", "--board", "ulx3s_25f", "--sdram-clock", "132.5", "--build", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert (tmp_path / "ulx3s_25f/memtest/top.bit").stat().st_size > 100_000
