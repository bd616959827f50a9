"""A sweep: every design measured, or refused in a sentence; resumed from the cache; one page."""

import json

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.bitstream import route
from boards.flow.layout import lay_out, options_of
from boards.flow.shipped import PRESETS
from cosim.sweep import run as sweep
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.errors import BadInput
from model.shipped import bundle_folder, bundle_names
from tests.support.command import bgru
from tests.support.random_bundles import random_bundle


def tools(test):
    """Mark a test that needs the tools of a sweep."""
    return pytest.mark.simulator(pytest.mark.synthesis(test))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "net"
    write_bundle(random_bundle(np.random.default_rng(1), [("bgru", 12)], bins=9, qad_bits=2), folder)
    return folder


@pytest.fixture(scope="module")
def swept(bundle, tmp_path_factory):
    """Two designs on an iCEBreaker with two seeds each, next to a board on which `--clock 17.25` is impossible."""
    build = tmp_path_factory.mktemp("build")
    options = ("--fold-from-plan", 2, "--seeds", 2, "--workers", 2, "--clock", 17.25, "--build", build)
    result = bgru("sweep", "--bundle", bundle, "--board", "icebreaker,ulx3s_85f", *options)
    assert result.exit_code == 0, result.output
    return build / "sweep" / "random", result.output


@tools
def test_each_design_has_its_estimates_its_seeds_and_a_bitstream(swept):
    folder, _ = swept
    facts = json.loads((folder / "sweep.json").read_text())
    placed = [one for one in facts["designs"] if not one["refusal"]]
    assert [one["board"] for one in placed] == ["icebreaker"] * 2
    for one in placed:
        assert list(one["mhz"]) == ["1", "2"]
        assert min(one["mhz"].values()) <= one["median_mhz"] <= max(one["mhz"].values()) == one["best_mhz"]
        assert one["mhz"][str(one["best_seed"])] == one["best_mhz"]
        assert one["synthesised"]["block_ram"] == one["estimate"]["block_ram"]
        assert one["clock_mhz"] == 17.25 and one["meets_clock"]
        assert 0 < one["toggles"]["frame"] <= one["toggles"]["outputs"] * one["interval"]
    bitstreams = [path.parent.name for path in (folder / "bitstreams").glob("*/top.bin")]
    assert len(bitstreams) == 2


@tools
def test_a_clock_that_a_board_can_not_make_is_a_sentence_and_the_others_go_on(swept):
    folder, output = swept
    facts = json.loads((folder / "sweep.json").read_text())
    assert list(facts["refused"]) == ["ulx3s_85f"]
    assert facts["refused"]["ulx3s_85f"].startswith("clock: expected one that the ecp5 PLL makes")
    assert "refused    clock: expected one that the ecp5 PLL makes" in output


@tools
def test_a_seed_is_the_placement_that_a_bitstream_takes(swept, bundle):
    folder, _ = swept
    facts = json.loads((folder / "sweep.json").read_text())
    board = find("icebreaker").at(17.25)
    routed = route(lay_out(read_bundle(bundle), board, {}), board, 1, lambda step: None)
    assert round(routed.placement.mhz, 2) == facts["designs"][0]["mhz"]["1"]


@tools
def test_a_second_run_takes_all_from_the_cache(swept, bundle, monkeypatch):
    folder, _ = swept
    before = (folder / "sweep.json").read_bytes(), (folder / "index.html").read_bytes()

    def refuse(*arguments, **options):
        raise AssertionError("a job was sent")

    monkeypatch.setattr("distributed.Client.submit", refuse)
    options = ("--fold-from-plan", 2, "--seeds", 2, "--workers", 1, "--clock", 17.25, "--build", folder.parent.parent)
    assert bgru("sweep", "--bundle", bundle, "--board", "icebreaker,ulx3s_85f", *options).exit_code == 0
    assert before == ((folder / "sweep.json").read_bytes(), (folder / "index.html").read_bytes())


def test_plans_are_the_bitstreams_own_and_then_the_front_from_end_to_end():
    bundle, board = random_bundle(np.random.default_rng(1), [("bgru", 12)], bins=9, qad_bits=2), find("icebreaker")
    options = options_of(bundle, board, {})
    found = sweep.plans(options, bundle, board, 3)
    folds = [plan.fold for plan in found]
    network = lay_out(bundle, board, {})
    assert folds[0] == " ".join(f"{name}={layer.folding}" for name, layer in network.layers.items())
    assert len(set(folds)) == 3
    assert found[1].latency > found[2].latency
    assert [plan.fold for plan in sweep.plans(options, bundle, board, 1)] == folds[:1]


def test_the_shipped_networks_are_swept_on_boards_that_hold_them():
    assert {*PRESETS, "paper", "tiny-mixed"} == set(bundle_names())
    for name, boards in PRESETS.items():
        for board in map(find, boards):
            bundle = read_bundle(bundle_folder(name))
            assert sweep.plans(options_of(bundle, board, {}), bundle, board, 1)


@pytest.mark.parametrize("text", ["fast", "0", "-3", "nan", "inf", ""])
def test_a_clock_is_auto_the_board_s_or_a_number(text):
    with pytest.raises(BadInput, match="--clock: expected auto, board or MHz, got"):
        sweep.clock_of(text)
    assert sweep.clock_of("auto") is sweep.clock_of("board") is None and sweep.clock_of("24.5") == 24.5


def test_a_fold_that_does_not_fit_is_a_sentence_and_leaves_nothing(tmp_path):
    result = bgru("sweep", "--bundle", "tiny", "--board", "icebreaker", "--fold", "gru0=99x999", "--build", tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: layer gru0") and result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
