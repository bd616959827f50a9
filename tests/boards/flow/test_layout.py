"""Laying out: what is left open is chosen, what is given is kept, and what can't be is said in one sentence."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.folding_search import cheapest
from boards.flow.layout import choose, design, homed, lay_out, options_of, parse_folding, room
from boards.flow.sdram_bus import SdramBus
from hw.flow.rtl import to_rtlil
from hw.shape.folding import Folding
from model.bundle.read import read_bundle
from model.errors import BadInput
from tests.support.random_bundles import random_bundle


def chosen_foldings(bundle, board, given):
    return {layer.name: layer.folding for layer in choose(bundle, board, given).layers}


MADE = random_bundle(np.random.default_rng(0), [("bgru", 40)], bins=30, qad_bits=2)


@pytest.mark.parametrize(("board", "preset"), [("ulx3s_85f", "small"), ("ulx3s_85f", "tiny"), ("icebreaker", "tiny")])
def test_what_is_laid_out_is_the_smallest_design_in_real_time(board, preset):
    bundle, there = read_bundle(Path("bundles") / preset), find(board)
    options = options_of(bundle, there, {})
    smallest = cheapest(options, there.available, there.clock_hz / bundle.front_end.frame_rate)
    assert smallest is not None
    assert chosen_foldings(bundle, there, {}) == smallest.foldings


def test_what_is_laid_out_is_what_is_chosen():
    board, given = find("ulx3s_85f"), {"gru0": Folding(3, 7)}
    network = lay_out(MADE, board, given, 16, 24)
    assert network.spec == choose(MADE, board, given, 16, 24)
    to_rtlil(network, "network")


def test_a_folding_that_is_given_is_kept_and_the_others_are_chosen_around_it():
    chosen = chosen_foldings(MADE, find("ulx3s_85f"), {"gru0": Folding(3, 7)})
    assert chosen["gru0"] == Folding(3, 7)
    assert chosen["mask"] == chosen_foldings(MADE, find("ulx3s_85f"), {})["mask"]


def test_the_largest_layer_is_loaded_where_there_is_single_port_ram():
    foldings = chosen_foldings(MADE, find("icebreaker"), {})
    assert {name: folding.weights for name, folding in foldings.items()} == {"gru0": "loaded", "mask": "rom"}
    given = chosen_foldings(MADE, find("icebreaker"), {"gru0": Folding(1, 4)})["gru0"]
    assert given == Folding(1, 4, "loaded")
    streamed = Folding(1, 4, "streamed")
    assert chosen_foldings(MADE, find("icebreaker"), {"gru0": streamed})["gru0"] == streamed


def test_a_layer_that_the_bundle_does_not_have():
    with pytest.raises(BadInput, match="--fold: expected one of the layers gru0, mask, got 'gru1'"):
        options_of(MADE, find("icebreaker"), {"gru1": Folding(1, 1)})


def having(board, available):
    """The same board with another device on it."""
    return replace(board, part=replace(board.part, available=available))


def without_sdram(name):
    return replace(find(name), sdram=None)


def refused(board, frame_rate=62.5, given=None, bundle=MADE) -> str:
    with pytest.raises(BadInput) as refusal:
        design(options_of(bundle, board, given or {}), bundle, board, frame_rate)
    return str(refusal.value)


def test_too_little_time_is_said_with_the_cycles_and_the_clock_that_would_do():
    board = replace(find("ulx3s_85f"), clock_hz=1_000_000)
    message = refused(board, frame_rate=100_000)
    assert "is too slow for 100000 frames/s on ulx3s_85f: layer gru0 takes" in message
    assert "with 256 lanes, 1 MHz leave 10; from" in message


def test_too_little_memory_is_said_in_bits():
    board = having(without_sdram("ulx3s_85f"), {"lut4": 83640, "ff": 83640, "block_ram": 1, "multiplier": 156})
    assert "does not fit ulx3s_85f: it needs" in refused(board)
    assert "bits of block RAM, the LFE5U-85F has 18,432" in refused(board)


def test_too_few_blocks_or_lut4_are_said_with_how_many_are_missing_and_for_which_folding():
    board = without_sdram("ulx3s_85f")
    few_luts = having(board, {**board.available, "lut4": 300})
    message = refused(few_luts)
    assert "does not fit ulx3s_85f at this folding: its logic takes about" in message
    assert "the LFE5U-85F has 300, " in message
    assert "(gru0=" in message
    few_blocks = having(board, {**board.available, "block_ram": 2})
    message = refused(few_blocks, given={"gru0": Folding(40, 40), "mask": Folding(30, 40)})
    assert "at this folding: its memories take" in message
    assert message.endswith("(gru0=40x40 mask=30x40)")


def test_a_design_that_is_asked_for_is_not_refused_for_being_slow():
    board = replace(without_sdram("ulx3s_85f"), clock_hz=100_000)
    given = {"gru0": Folding(1, 1), "mask": Folding(1, 1)}
    assert design(options_of(MADE, board, given), MADE, board, 62.5).foldings == given


def test_the_link_needs_room_next_to_the_network():
    board = without_sdram("ulx3s_85f")
    given = {"gru0": Folding(2, 8), "mask": Folding(2, 8)}
    needs = design(options_of(MADE, board, given), MADE, board, 62.5).needs["block_ram"]
    taken = board.available["block_ram"] - room(MADE, board)["block_ram"]
    assert taken >= 1
    enough = having(board, {**board.available, "block_ram": needs + taken})
    assert design(options_of(MADE, enough, given), MADE, enough, 62.5).needs["block_ram"] == needs
    short = having(board, {**board.available, "block_ram": needs + taken - 1})
    assert f"the LFE5U-85F has {needs - 1} next to the link, 1 fewer" in refused(short, given=given)


def paper_sized(units=1024, bins=60):
    return random_bundle(np.random.default_rng(2), [("bgru", units)], bins=bins, qad_bits=2)


LARGE = paper_sized()
"""4 Mbit of weights in gru0, 0.1 in mask."""


def homes(design):
    return {name: folding.weights for name, folding in design.foldings.items()}


def test_as_few_weights_as_possible_are_in_sdram():
    board = find("ulx3s_25f")
    chosen = design(options_of(LARGE, board, {}), LARGE, board, 62.5)
    assert homes(chosen) == {"gru0": "streamed", "mask": "rom"}
    assert chosen.needs["sdram"] == SdramBus.of(board, 62.5, 1).taken(
        options_of(LARGE, board, {})["gru0"].spec(chosen.foldings["gru0"])
    )
    assert homes(design(options_of(MADE, board, {}), MADE, board, 62.5)) == {"gru0": "rom", "mask": "rom"}
    nearly = room(LARGE, board) | {"block_ram": chosen.needs["block_ram"] - 1}
    assert homes(design(options_of(LARGE, board, {}), LARGE, board, 62.5, nearly)) == dict.fromkeys(
        ("gru0", "mask"), "streamed"
    )


def test_a_design_that_fits_on_the_chip_is_the_one_of_a_board_without_sdram():
    for name in ("ulx3s_85f", "ulx3s_25f"):
        assert chosen_foldings(MADE, find(name), {}) == chosen_foldings(MADE, without_sdram(name), {})


def test_the_words_of_streamed_weights_are_whole_words_of_the_memory():
    board = find("ulx3s_25f")
    for choice in homed(options_of(LARGE, board, {}), board, 62.5, ["gru0", "mask"]).values():
        assert choice.all
        assert all(choice.spec(one.folding).engine.weight_width % 16 == 0 for one in choice.all)
        assert all(one.folding.weights == "streamed" for one in choice.all)


def test_a_folding_that_is_given_is_streamed_if_it_does_not_fit_otherwise():
    board, given = find("ulx3s_25f"), {"gru0": Folding(2, 10, packed=True)}
    chosen = design(options_of(LARGE, board, given), LARGE, board, 62.5)
    assert chosen.foldings["gru0"] == Folding(2, 10, "streamed", packed=True)


def test_too_little_bandwidth_is_said_in_megabytes_per_second():
    board = find("ulx3s_25f")
    (message,) = re.findall(
        r"its weights take ([\d,.]+) MB/s of SDRAM, ([\d,.]+) are there, ([\d,.]+) fewer",
        refused(board, 1000, bundle=LARGE),
    )
    needed, there, missing = (float(number.replace(",", "")) for number in message)
    assert there == pytest.approx(191.2)  # two layers stream
    assert missing == pytest.approx(needed - there, abs=0.11)
    # Every weight of gru0 takes 1.6 bits at least.
    assert needed > LARGE.layers[0].weights * 1.6 * 1000 / 8e6


def test_layers_share_the_multipliers_that_the_audio_path_leaves_by_their_weights():
    bundle = read_bundle(Path("bundles") / "tiny-int4")  # 101,664 and 24,672 weights
    for board, shares in (("ulx3s_25f", {"gru0": 20, "mask": 5}), ("icebreaker", {"gru0": 4, "mask": 1})):
        options = options_of(bundle, find(board), {})
        assert {name: max(one.folding.multipliers for one in it.all) for name, it in options.items()} == shares
        assert all(
            one.folding.multipliers <= one.folding.pe * one.folding.simd for it in options.values() for one in it.all
        )


def test_a_folding_with_multipliers_is_read_as_it_is_written():
    folding = Folding(2, 4, multipliers=6)
    assert str(folding) == "2x4-dsp6" and parse_folding([f"gru0={folding}"]) == {"gru0": folding}
    both = Folding(1, 5, packed=True, multipliers=2)
    assert parse_folding([f"gru0={both}"]) == {"gru0": both}


def test_more_multipliers_than_there_are_is_said():
    bundle, board = read_bundle(Path("bundles") / "tiny-int4"), find("ulx3s_25f")
    given = {"gru0": Folding(4, 8, multipliers=32)}
    with pytest.raises(BadInput, match=r"lanes take 3\d multiplier, the LFE5U-25F has 28, \d+ fewer"):
        lay_out(bundle, board, given)
