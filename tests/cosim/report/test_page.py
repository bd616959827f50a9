"""`bgru report`: the page shows what was measured, needs nothing from outside, and is looked at in a real browser."""

import json
import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile

from boards.definitions.registry import find
from boards.flow.layout import lay_out
from boards.flow.measured import results_of
from hw.flow.results import Results
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from tests.support.browser import assert_asks_for_nothing, assert_painted, content_width, text_of
from tests.support.random_bundles import random_bundle

pytestmark = pytest.mark.synthesis

PLACED = {"lut4": 1234, "ff": 567, "block_ram": 8, "constraint_mhz": 50.0, "achieved_mhz": 61.73, "seed": 3}


def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bgru", name, *options],
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "120"},
    )


class Project:
    """A small network with a recording, and where its results go."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        made = random_bundle(np.random.default_rng(3), [("bgru", 12)], bins=9, qad_bits=2)
        write_bundle(made, folder / "net")
        for name in ("noisy", "clean"):
            soundfile.write(folder / f"{name}.wav", np.random.default_rng(4).normal(0, 0.1, 160), 16000)
        self.where = ["--bundle", str(folder / "net"), "--build", str(folder / "build")]
        self.reports = folder / "build" / "ulx3s_85f" / "random" / "report"
        self.path = self.reports / "index.html"

    def page(self, *options: str) -> str:
        result = run("report", *self.where, *options)
        assert result.returncode == 0, result.stderr
        assert f"page                 {self.path}" in result.stdout
        return self.path.read_text(encoding="utf-8")

    def found(self, stage: str) -> dict:
        return json.loads((self.reports / f"{stage}.json").read_text())["layers"]

    def results(self, clock: float | None = None) -> Results:
        board = find("ulx3s_85f").at(clock)
        return results_of(lay_out(read_bundle(self.folder / "net"), board, {}), board, self.folder / "build")


@pytest.fixture(scope="module")
def measured(tmp_path_factory) -> Project:
    """Simulated and synthesised; what routing would say stands in its report, since only the page is looked at."""
    project = Project(tmp_path_factory.mktemp("measured"))
    simulated = run("sim", *project.where, "--recording", str(project.folder / "noisy.wav"), "--sim", "icarus")
    assert simulated.returncode == 0, simulated.stderr
    synthesised = run("verilog", *project.where)
    assert synthesised.returncode == 0, synthesised.stderr
    project.results().write("pnr", {"top": PLACED})
    project.page()
    return project


@pytest.fixture(scope="module")
def page(measured) -> str:
    return measured.path.read_text(encoding="utf-8")


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_page_shows_the_figures_of_every_stage(measured, page):
    text = text_of(page)
    for layer in ("gru0", "mask"):
        for stage, keys in {
            "estimate_layer_cycles": ("ideal", "cycles"),
            "cosim_layer_cycles": ("cycles",),
            "estimate_layer_resources": ("lut4",),
            "synth_layer_resources": ("lut4", "ff"),
        }.items():
            for key in keys:
                assert f"{measured.found(stage)[layer][key]:,}" in text
    frames = measured.found("cosim_frames")
    assert f"{frames['mask_bits']:,} mask bits and {frames['compared_bits']:,} of the layers' vectors" in text
    assert f"{frames['latency']:,} cycles" in text
    assert f"{measured.found('synth_top_resources')['top']['lut4']:,}" in text
    assert "61.7 MHz" in text and "1,234 of 83,640" in text
    assert read_bundle(measured.folder / "net").identity.hex() in text
    assert "is not known yet" not in text


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_strip_shows_when_each_layer_held_each_frame(measured, page):
    frames, cycles = measured.found("cosim_frames"), measured.found("cosim_layer_cycles")
    assert len(frames["entered"]) == len(frames["finished"]) == 4
    for layer, held in frames["held"].items():
        assert len(held) == 4
        assert max(end - begin for begin, end in held[1:]) == cycles[layer]["cycles"]
        assert all(end <= begin for (_, end), (begin, _) in pairwise(held))
        for entered, (begin, end), finished in zip(frames["entered"], held, frames["finished"], strict=True):
            assert entered < begin < end < finished
            width = 100 * (end - begin) / (frames["finished"][-1] * 1.01)
            assert f"width:{width:.3f}%" in page


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_page_asks_no_network_and_no_other_file(page):
    assert assert_asks_for_nothing(page) == 6  # three pictures, three recordings


@pytest.mark.simulator
@pytest.mark.synthesis
def test_what_is_seen_is_also_said(page):
    assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", page))
    assert all('aria-label="' in tag for tag in re.findall(r"<audio[^>]*>|<[^>]* role=[^>]*>", page))
    assert page.count("<caption>") == page.count("<table") == 5
    assert re.findall(r"<h1", page) == ["<h1"] and '<html lang="en">' in page


@pytest.mark.parametrize("scheme", [0, 1, 2], ids=["light", "dark", "print"])
def test_text_stands_out_from_its_paper(scheme):
    template = Path("model/pages/layout.html.jinja").read_text()
    themes = re.findall(r":root \{(.*?)\}", template, re.DOTALL)
    assert len(themes) == 3
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", themes[scheme]))
    for text, paper in (
        *((text, paper) for text in ("ink", "soft") for paper in ("paper", "panel")),
        *((text, f"{text}-paper") for text in ("good", "bad", "open")),
        *(("soft", f"{state}-paper") for state in ("good", "bad", "open")),
    ):
        assert contrast(colours[text], colours[paper]) >= 4.5, (text, paper)
    for number in range(6):  # bars: what WCAG asks of graphics
        assert contrast(colours[f"layer{number}"], colours["paper"]) >= 3, number


def contrast(one: str, other: str) -> float:
    """Of two colours, as WCAG 2 has it."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    parts = [int(digits[low : low + 2], 16) / 255 for low in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_what_is_missing_is_named_with_its_command(tmp_path):
    project = Project(tmp_path)
    text = text_of(project.page())
    options = f"--board ulx3s_85f --bundle {project.folder / 'net'}"
    for command in ("bgru sim", "bgru verilog", "bgru bitstream"):
        assert f"{command} {options}" in text
    for answer in ("not simulated", "not routed", "estimated, layers alone"):
        assert answer in text


def test_a_bit_that_differs_and_timing_that_fails_are_told_first(tmp_path):
    project = Project(tmp_path)
    project.page()
    # The reports of a network that was never simulated, written as the commands write them.
    where = "layer gru0, frame 3, signal z, unit 7: expected 1, got 0"
    project.results().write("cosim_frames", {"mismatch": where})
    project.results().write("pnr", {"top": PLACED | {"achieved_mhz": 41.2, "lut4": 90000}})
    page = project.page()
    tiles = [text_of(tile) for tile in re.findall(r'<div class="tile bad">(.*?)</div>', page)]
    assert [tile.split("?")[0].strip() for tile in tiles] == ["Does it fit", "Is it bit exact", "Does it meet timing"]
    assert where in tiles[1] and "only 41.2 MHz after routing, target 50 MHz" in tiles[2]
    other = text_of(project.page("--fold", "gru0=2x3"))
    assert where not in other and "41.2" not in other  # another folding's


def test_a_netlist_of_another_network_says_nothing_of_this_ones_memories(tmp_path):
    """`bgru verilog` left it; then the network was trained again."""
    project = Project(tmp_path)
    project.results().write("synth_top_resources", {"top": {"lut4": 1, "ff": 1, "block_ram": 1}})
    netlist = project.reports.parent / "verilog" / "top.json"
    netlist.parent.mkdir()
    cells = {"core.network.mask.engine.weights.0.0": {"type": "DP16KD"}}
    netlist.write_text(json.dumps({"modules": {"top": {"cells": cells}}}))
    netlist.with_name("design.key").write_text("another design")
    assert "In which blocks the memories are is not known yet" in text_of(project.page())


def test_a_page_has_one_clock(tmp_path):
    """A placement at another clock is named as missing, and shown where the page is asked for at that clock."""
    project = Project(tmp_path)
    project.results(36).write("pnr", {"top": PLACED | {"constraint_mhz": 36.0, "achieved_mhz": 61.73}})
    usual, other = text_of(project.page()), text_of(project.page("--clock", "36"))
    assert "not routed" in usual and "61.7" not in usual and "36 MHz" not in usual
    assert "61.7" in other and "120 MHz" not in other.split("Networks compared")[0]


@pytest.mark.simulator
@pytest.mark.synthesis
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_a_browser_it_is_painted_without_a_complaint(scheme, measured, tmp_path):
    assert_painted(measured.path, scheme, 2400, tmp_path)


@pytest.mark.simulator
@pytest.mark.synthesis
@pytest.mark.parametrize("width", [390, 768, 1200])
def test_nothing_sticks_out_of_a_window(width, page, tmp_path):
    assert content_width(page, width, tmp_path) == width
