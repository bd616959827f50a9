"""`bgru plan`: what it chooses, what it shows, what it refuses."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.folding_search import Design
from boards.flow.layout import design, options_of, parse_folding, shape
from boards.flow.plan import STEP, pareto, plan_of
from hw.shape.latency import latency
from model.bundle.write import write_bundle
from tests.support.random_bundles import random_bundle

MADE = random_bundle(np.random.default_rng(1), [("bgru", 24)], bins=33, qad_bits=2)


def plan(*options):
    return subprocess.run(
        [sys.executable, "-m", "bgru", "plan", *options],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "160"},
    )


@pytest.fixture(scope="module")
def net(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "net"
    write_bundle(MADE, folder)
    return folder


@pytest.mark.parametrize("board", ["ulx3s_85f", "icebreaker"])
def test_a_frame_rate_gives_a_folding_ready_to_paste(board, net):
    result = plan("--bundle", str(net), "--board", board, "--frame-rate", "62.5")
    assert result.returncode == 0, result.stderr
    pasted = re.search(r"^so +(.*)$", result.stdout, re.M)[1].replace("--fold ", "").split()
    options = options_of(MADE, find(board), {})
    chosen = plan_of(options, design(options, MADE, find(board), 62.5), find(board))
    assert pasted == chosen.fold.split()
    given = options_of(MADE, find(board), parse_folding(pasted))
    assert {name: choice.all[0].folding for name, choice in given.items()} == chosen.design.foldings
    assert chosen.latency == latency(shape(options, chosen.design))
    assert f"{chosen.interval:,} cycles" in result.stdout
    assert f"LUT4       about {chosen.design.needs['lut4']:,} of {find(board).available['lut4']:,}" in result.stdout
    assert f"from {chosen.interval * 62.5 / 1e6:.2f} MHz on the network keeps up" in result.stdout


def test_a_higher_frame_rate_takes_more_area_until_it_is_refused(net):
    board = find("icebreaker")
    options = options_of(MADE, board, {})
    rates = (60, 6_000, 20_000, 60_000)
    plans = [plan_of(options, design(options, MADE, board, rate), board) for rate in rates]
    for rate, one in zip(rates, plans, strict=True):
        assert one.interval <= board.clock_hz / rate
    luts = [one.design.needs["lut4"] for one in plans]
    assert luts[0] < luts[-1]
    result = plan("--bundle", str(net), "--board", "icebreaker", "--frame-rate", "1e7")
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert "is too slow for 1e+07 frames/s on icebreaker: layer gru0 takes" in result.stderr


def test_the_front_is_one_and_fits(net):
    board = find("icebreaker")
    options = options_of(MADE, board, {})
    plans = pareto(options, MADE, board)
    assert len(plans) > 3
    for one, other in pairwise(plans):
        assert one.design.needs["lut4"] < other.design.needs["lut4"]
        assert one.latency > other.latency
    assert not any(one.design.over(board.available) for one in plans)
    # Nothing that was left out is better by more than it was left out for.
    for layer, choice in options.items():
        for option in choice.shallow[:: len(choice.shallow) // 40]:
            changed = {**plans[0].design.foldings, layer: option.folding}
            needs = {
                kind: sum(options[name].estimate.resources(folding)[kind] for name, folding in changed.items())
                for kind in option.needs
            }
            if all(count <= board.available[kind] for kind, count in needs.items()):
                cycles = plan_of(options, Design(changed), board).latency
                smaller = [one for one in plans if one.design.needs["lut4"] <= needs["lut4"]]
                assert smaller, "the first is the smallest"
                assert min(one.latency for one in smaller) * (1 - STEP) <= cycles + 40


def test_without_a_frame_rate_there_is_a_table_and_a_picture(net, tmp_path):
    result = plan("--bundle", str(net), "--board", "icebreaker", "--build", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "latency, ms" in result.stdout
    folder = tmp_path / "icebreaker" / "random"
    assert (folder / "plan.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "plan.svg").read_text()


def test_a_network_that_does_not_fit_is_refused_and_leaves_nothing(tmp_path):
    result = plan("--bundle", "bundles/small", "--board", "icebreaker", "--build", str(tmp_path / "b"))
    assert result.returncode == 2
    assert "does not fit icebreaker: it needs" in result.stderr
    assert not (tmp_path / "b").exists()


def test_a_plan_with_sound_counts_the_audio_path_and_tells_the_delay(tmp_path):
    result = plan("--bundle", "tiny", "--board", "icebreaker", "--sound", "codec", "--build", str(tmp_path))
    assert result.returncode == 0, result.stderr
    assert re.search(r"^audio +[\d,]+ +[\d,]+ +8 +2 +2 *$", result.stdout, re.M)
    assert re.search(r"^DSP +2 of 8", result.stdout, re.M)
    assert re.search(r"^RAM +29 of 30", result.stdout, re.M)
    whole = int(re.search(r"^delay +(\d+) samples", result.stdout, re.M)[1])
    parts = re.findall(r"^ +(?:window|computing|waiting|converter) +([\d.]+) samples", result.stdout, re.M)
    assert len(parts) == 4
    assert sum(map(float, parts)) == pytest.approx(whole, abs=0.02)


def test_a_denoiser_that_does_not_fit_says_what_to_leave_out(tmp_path):
    where = ("--board", "tang_primer_20k", "--build", str(tmp_path / "b"))
    result = plan("--bundle", "tiny", "--sound", "codec", *where)
    assert result.returncode == 2
    assert "the GW2A-18C has 35 next to the audio path, 5 fewer" in result.stderr
    assert "leave out the audio path: the network fits without --sound" in result.stderr
    assert not (tmp_path / "b").exists()


def test_a_plan_with_a_jack_asks_for_a_board_that_has_one(tmp_path):
    refused = plan("--board", "icebreaker", "--sound", "jack", "--build", str(tmp_path))
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr == "error: sound: expected a board with a jack, such as ulx3s_85f, got icebreaker\n"


@pytest.mark.parametrize(("board", "homes"), [("ulx3s_12f", ["SDRAM", "SDRAM"]), ("ulx3s_85f", ["SDRAM", "block RAM"])])
def test_a_plan_with_weights_in_sdram_tells_their_bandwidth_and_what_sets_the_pace(board, homes, tmp_path):
    result = plan("--bundle", "paper", "--board", board, "--sound", "codec", "--frame-rate", "62.5")
    assert result.returncode == 0, result.stderr
    assert re.findall(r"^(?:gru0|mask) .*?(SDRAM|block RAM) ", result.stdout, re.M) == homes
    used, there, share = re.search(r"^SDRAM kB/s ([\d,]+) of ([\d,]+) \(([\d.]+)%\)", result.stdout, re.M).groups()
    assert float(share) == pytest.approx(100 * int(used.replace(",", "")) / int(there.replace(",", "")), abs=0.06)
    pattern = r"^ +gru0: ([\d,]+) cycles of its lanes, ([\d,]+) of memory: (lanes|memory) sets? the pace"
    lanes, memory, pace = re.search(pattern, result.stdout, re.M).groups()
    assert (int(lanes.replace(",", "")) < int(memory.replace(",", ""))) == (pace == "memory")
    assert re.search(r"^sdram +[\d,]+", result.stdout, re.M)


def test_a_frame_rate_that_the_memory_can_not_keep_up_with_is_refused_with_the_missing_bandwidth():
    result = plan("--bundle", "paper", "--board", "ulx3s_25f", "--frame-rate", "120")
    assert result.returncode == 2
    assert re.search(r"at 120 frames/s its weights take [\d.]+ MB/s of SDRAM, [\d.]+ are there", result.stderr)
