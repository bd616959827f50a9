"""Boards: what fits."""

import re
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import BOARDS, find
from boards.definitions.sound import CODEC, MICROPHONE
from boards.flow.layout import lay_out, parse_folding
from hw.shape.folding import Folding
from model.bundle.bits import pack
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.bundle.read import read_bundle
from model.errors import BadInput
from model.shipped import bundle_folder
from tests.support.random_bundles import random_front_end


def test_an_unknown_board_is_refused_with_the_nearest_names():
    with pytest.raises(BadInput, match=r"expected one of .* got 'icebraker'; nearest: icebreaker"):
        find("icebraker")


boards = pytest.mark.parametrize("board", BOARDS.values(), ids=list(BOARDS))


@boards
def test_a_platform_has_the_clock_and_all_pins_that_a_top_needs(board):
    platform = board.platform()
    platform.add_resources(board.sound)
    assert int(platform.default_clk_frequency) == board.oscillator_hz
    needed = [(platform.default_clk, 0), ("uart", 0), board.alive, board.error, MICROPHONE, CODEC, board.bypass]
    if board.jack is not None:
        needed.append(board.jack)
    if board.flash_offset is not None:
        needed.append(("spi_flash" if board.family.name == "ecp5" else "spi_flash_1x", 0))
    if board.sdram is not None:
        needed.append(("sdram", 0))
    assert len({platform.request(*resource, dir="-") for resource in needed}) == len(needed)


@boards
def test_integers_have_a_clock_of_their_own_unless_another_is_asked_for(board):
    bits, integers = (read_bundle(bundle_folder(name)) for name in ("tiny", "tiny-int4"))
    assert board.at_network_clock(bits) == board
    assert board.at_network_clock(integers).clock_hz == (board.integer_clock_hz or board.clock_hz)
    assert {board.at_network_clock(network, 12.5).clock_hz for network in (bits, integers)} == {12_500_000}


@boards
def test_tiny_fits_every_board_and_small_the_largest(board):
    assert lay_out(read_bundle(Path("bundles/tiny")), board, {}).family is board.family
    if board.name == "ulx3s_85f":
        assert lay_out(read_bundle(Path("bundles/small")), board, {}).family is board.family


@boards
def test_single_port_ram_or_sdram_and_a_place_in_the_flash_go_together(board):
    assert (board.spram_bits > 0 or board.sdram is not None) == (board.flash_offset is not None)


@boards
def test_every_board_says_how_a_bitstream_stays(board):
    """iceprog, icesprog and dfu-util write to flash; openFPGALoader does only when it is told."""
    into_flash = board.keep or board.program
    assert into_flash.split()[0] in ("iceprog", "icesprog", "dfu-util") or "--write-flash" in into_flash.split()
    assert "{}" in board.program and "{}" in into_flash


def test_the_page_about_boards_shows_a_board_file_as_it_is():
    page = Path("docs/boards.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```py\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert shown == Path("boards/definitions/icesugar.py").read_text(encoding="utf-8")
    assert all(f"`{name}`" in page for name in BOARDS)


def test_a_network_of_the_papers_size_is_refused_with_the_bits():
    units, bins = 1024, 513
    front_end = random_front_end(np.random.default_rng(0), bins, qad_bits=4)

    def zeros(*shape: int) -> Matrix:
        return Matrix.from_values(np.zeros(shape, dtype=np.int8))

    limits = np.zeros((3, units), dtype=np.int32)
    inputs = front_end.features
    gru = Layer("gru0", "bgru", inputs, units, zeros(3, units, inputs), limits, zeros(3, units, units), pack(limits[0]))
    paper = Bundle("paper", front_end, (gru, Layer("mask", "dense", units, bins, zeros(bins, units), limits[0, :bins])))
    with pytest.raises(BadInput, match=r"needs 16,\d{3},\d{3} bits of block RAM, the LFE5U-25F has 1,032,192"):
        lay_out(paper, find("colorlight_i5"), {})


def test_a_folding_is_read_from_text():
    assert parse_folding(["gru0=2x64", "mask=1x8"]) == {"gru0": Folding(2, 64), "mask": Folding(1, 8)}
    with pytest.raises(BadInput, match=r"expected LAYER=PExSIMD such as gru0=1x64 or gru0=1x64-packed, got 'gru0=2'"):
        parse_folding(["gru0=2"])
