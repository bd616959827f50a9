"""The report's chapter on sound: figures of the denoiser on that board, and of no other."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from boards.definitions.registry import find
from boards.flow.delay import Delay
from boards.flow.sound import audio_parts, lay_out_sound
from hw.shape.audio import AudioSpec
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.bundle.write import write_bundle
from tests.support.audio_engine import random_front_end
from tests.support.browser import assert_painted, content_width, text_of
from tests.support.command import bgru
from tests.support.random_bundles import random_bundle

BOARD = find("icebreaker").at_sound_clock(None)


def made(seed: int = 3) -> Bundle:
    rng = np.random.default_rng(seed)
    front_end = random_front_end(rng, 16, 1)
    gru = random_layer(rng, "bgru", front_end.features, 6, name="gru0")
    return Bundle("random", front_end, (gru, random_layer(rng, "dense", 6, 9, name="mask")))


class Project:
    """A bundle in a folder, and its page."""

    def __init__(self, folder: Path, bundle: Bundle) -> None:
        self.folder, self.bundle = folder, bundle
        write_bundle(bundle, folder / "net")
        soundfile.write(folder / "in.wav", np.random.default_rng(1).normal(0, 0.1, 102), 16000)
        self.where = ["--board", "icebreaker", "--bundle", str(folder / "net"), "--build", str(folder / "build")]
        self.path = folder / "build" / "icebreaker" / bundle.name / "report" / "index.html"

    def simulate(self, *options: str) -> None:
        result = bgru("sim", "--samples", *self.where, "--recording", self.folder / "in.wav", *options)
        assert result.exit_code == 0, result.output

    def chapter(self, *options: str) -> str:
        result = bgru("report", *self.where, *options)
        assert result.exit_code == 0, result.output
        page = self.path.read_text(encoding="utf-8")
        return text_of(page.split("<h2>Sound</h2>")[1].split("<section>")[0])


@pytest.mark.simulator
def test_it_shows_resources_cycles_the_two_delays_and_what_was_compared(tmp_path):
    project = Project(tmp_path, made())
    project.simulate()
    chapter, bundle = project.chapter(), project.bundle
    for part in audio_parts(bundle, BOARD).values():
        assert f"{part['lut4']:,} {part['block_ram']} {part['spram']} {part['multiplier']}" in chapter
    assert f"audio engine {AudioSpec.of(bundle.front_end, BOARD.family).interval:,}" in chapter
    predicted = Delay.of(bundle.front_end, lay_out_sound(bundle, BOARD, {}).spec, BOARD)
    assert f"predicted {predicted.samples} {predicted.ms(predicted.samples):.1f} ms" in chapter
    assert re.search(r" measured \d+ [\d.]+ ms", chapter)
    assert re.search(rf"{predicted.computing:,} cycles predicted, [\d,]+ cycles measured", chapter)
    assert "522 feature bits, 261 mask bits, 116 samples of" in chapter and "none differs" in chapter
    assert "What is placed is not known yet: bgru bitstream --sound codec --board icebreaker" in chapter


@pytest.mark.synthesis
def test_it_shows_the_placement_of_this_denoiser_and_of_no_other(tmp_path):
    project = Project(tmp_path, made())
    result = bgru("bitstream", "--sound", "microphone", "--seeds", "20", *project.where)
    assert result.exit_code == 0, result.output
    (lut4,) = re.findall(r"^lut4 +([\d,]+ of +[\d,]+)", result.output, re.MULTILINE)
    (mhz,) = re.findall(r"^clock +([\d.]+) MHz reached of 24", result.output, re.MULTILINE)
    chapter = project.chapter()
    assert f"Placed and routed with sound from the microphone: {' '.join(lut4.split())} LUT4, " in chapter
    assert f"{mhz} MHz reached of 24." in chapter
    assert "What is placed is not known yet" in project.chapter("--clock", "25")


@pytest.mark.simulator
def test_a_simulation_of_another_network_folding_or_clock_is_not_shown(tmp_path):
    project = Project(tmp_path, made())
    project.simulate()
    missing = "What a simulation of the denoiser measures is not known yet: bgru sim --samples"
    assert missing not in project.chapter()
    assert missing in project.chapter("--fold", "gru0=2x3")
    assert missing in project.chapter("--clock", "25")
    write_bundle(made(4), tmp_path / "net")
    assert missing in project.chapter()


def test_without_a_simulation_the_prediction_stands_alone_and_the_command_is_named(tmp_path):
    chapter = Project(tmp_path, made()).chapter()
    assert "What a simulation of the denoiser measures is not known yet: bgru sim --samples --board" in chapter
    assert "predicted, samples" in chapter and "measured" not in chapter.replace("measures", "")


def test_a_front_end_without_an_engine_says_why_there_is_no_denoiser(tmp_path):
    project = Project(tmp_path, random_bundle(np.random.default_rng(0), bins=9))
    assert "No denoiser: " in project.chapter()
    assert "cosim_sound" not in project.path.read_text(encoding="utf-8")


@pytest.mark.simulator
def test_in_a_browser_it_is_painted_and_nothing_sticks_out(tmp_path):
    project = Project(tmp_path, made())
    project.simulate()
    project.chapter()
    for scheme in ("light", "dark"):
        assert_painted(project.path, scheme, 1800, tmp_path)
    for width in (390, 1200):
        assert content_width(project.path.read_text(encoding="utf-8"), width, tmp_path) == width
