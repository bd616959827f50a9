"""`bgru sim --samples`: the recording that comes out of the simulated denoiser is that of `bgru denoise`."""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

import cosim.bench.sound
from boards.definitions.registry import BOARDS, find
from boards.flow.delay import Delay
from boards.flow.sound import lay_out_sound
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from tests.support.audio_engine import random_front_end
from tests.support.command import bgru, figures
from tests.support.random_bundles import random_bundle


@pytest.fixture
def case(tmp_path: Path) -> list[str]:
    """A bundle with an audio engine, and a recording, that simulate in a moment."""
    rng = np.random.default_rng(3)
    front_end = random_front_end(rng, 16, 1)
    layers = (
        random_layer(rng, "bgru", front_end.features, 6, name="gru0"),
        random_layer(rng, "dense", 6, 9, name="mask"),
    )
    write_bundle(Bundle("random", front_end, layers), tmp_path / "net")
    soundfile.write(tmp_path / "in.wav", rng.normal(0, 0.1, 102), 16000)
    return [
        "--bundle",
        str(tmp_path / "net"),
        "--recording",
        str(tmp_path / "in.wav"),
        "--build",
        str(tmp_path / "build"),
    ]


@pytest.mark.simulator
def test_its_recording_is_the_denoised_one_and_every_word_was_compared(case, tmp_path):
    result = bgru("sim", "--samples", *case)
    assert result.exit_code == 0, result.output
    assert "samples compared     522 feature bits, 261 mask bits, 116 samples: none differs" in result.output
    made = tmp_path / "build" / "ulx3s_85f" / "random" / "in_from_samples.wav"
    assert bgru("denoise", tmp_path / "in.wav", tmp_path / "out.wav", "--bundle", tmp_path / "net").exit_code == 0
    assert made.read_bytes() == (tmp_path / "out.wav").read_bytes()


@pytest.mark.simulator
def test_the_readme_shows_what_it_prints(case):
    printed = figures(bgru("sim", "--samples", *case).output)
    assert len(printed) >= 4
    assert printed <= figures(Path("README.md").read_text(encoding="utf-8"))


@pytest.mark.simulator
def test_a_denoiser_that_fits_no_device_is_simulated_all_the_same(case, monkeypatch):
    small = find("ulx3s_85f")
    part = replace(small.part, available={**small.part.available, "block_ram": 7})
    monkeypatch.setitem(BOARDS, "ulx3s_85f", replace(small, part=part))
    result = bgru("sim", "--samples", *case)
    assert result.exit_code == 0, result.output
    assert re.search(r"no bitstream +bundle random does not fit ulx3s_85f", result.output.replace("\n", " "))
    assert "116 samples: none differs" in result.output


def found(tmp_path: Path) -> dict[str, Any]:
    path = tmp_path / "build" / "ulx3s_85f" / "random" / "report" / "sound" / "cosim_sound.json"
    return dict(json.loads(path.read_text())["layers"])


@pytest.mark.simulator
def test_it_measures_the_delay_and_prints_it_next_to_the_predicted_one(case, tmp_path):
    result = bgru("sim", "--samples", *case)
    assert result.exit_code == 0, result.output
    said = dict(re.findall(r"delay, (\w+) +([\d,]+) samples, [\d.]+ ms", result.output))
    measured = found(tmp_path)
    bundle = read_bundle(tmp_path / "net")
    board = find("ulx3s_85f").at_sound_clock(None)
    predicted = Delay.of(bundle.front_end, lay_out_sound(bundle, board, {}).spec, board)
    assert said == {
        "measured": str(replace(predicted, computing=measured["computing"]).samples),
        "predicted": str(predicted.samples),
    }
    assert measured["window"] == 15 and 0 < measured["computing"] <= predicted.computing
    assert measured["compared"] == {"feature bit": 522, "mask bit": 261, "sample": 116}


@pytest.mark.simulator
def test_the_clock_makes_the_sample_rate(case):
    said = []
    for more in ([], ["--clock", "25"]):
        output = bgru("sim", "--samples", *case, *more).output
        said += re.findall(r"measured +(\d+) samples, ([\d.]+) ms .*\(([\d,]+) cycles", output)
    (few, ms, cycles), (more_samples, slower_ms, same) = said
    assert cycles == same
    assert int(few) <= int(more_samples) and float(ms) <= float(slower_ms)


@pytest.mark.simulator
def test_with_a_limit_it_is_that_of_denoise_with_the_limit(case, tmp_path):
    result = bgru("sim", "--samples", "--limit", "12", *case)
    assert result.exit_code == 0, result.output
    made, limited = tmp_path / "build" / "ulx3s_85f" / "random" / "in_from_samples.wav", tmp_path / "out.wav"
    bgru("denoise", tmp_path / "in.wav", limited, "--bundle", tmp_path / "net", "--limit", "12")
    assert made.read_bytes() == limited.read_bytes()


def test_a_limit_without_the_audio_path_is_refused(case):
    assert bgru("sim", "--limit", "12", *case).exit_code == 2


@pytest.mark.simulator
def test_a_word_that_differs_ends_it_with_1(case, tmp_path, monkeypatch):
    truth = cosim.bench.sound.expected

    def wrong(*arguments):
        features, mask, samples = truth(*arguments)
        samples[70] ^= 1
        return features, mask, samples

    monkeypatch.setattr(cosim.bench.sound, "expected", wrong)
    result = bgru("sim", "--samples", *case)
    assert result.exit_code == 1
    assert "MISMATCH sample 70: expected " in result.output
    assert found(tmp_path)["mismatch"].startswith("sample 70: expected ")


@pytest.mark.parametrize("option", [["--sim", "icarus"], ["--waves"]], ids=" ".join)
def test_what_it_cannot_do_is_refused(option, case):
    result = bgru("sim", "--samples", *case, *option)
    assert result.exit_code == 2 and "with --samples" in " ".join(result.stderr.split())


@pytest.mark.simulator
@pytest.mark.synthesis
def test_the_netlist_gives_the_same_samples_at_the_same_delay(case, tmp_path):
    said = {}
    for more in ([], ["--netlist"]):
        result = bgru("sim", "--samples", *case, *more)
        assert result.exit_code == 0, result.output
        assert found(tmp_path)["netlist"] == bool(more)
        said[bool(more)] = {what: found(tmp_path)[what] for what in ("compared", "frame", "window", "computing")}
    assert "116 samples of the netlist: none differs" in result.output
    assert said[True] == said[False]


def test_a_netlist_of_a_family_without_models_is_refused(case, tmp_path):
    result = bgru("sim", "--samples", "--netlist", "--board", "tang_primer_20k", *case)
    assert (result.exit_code, result.stderr) == (
        2,
        "error: netlist: expected a family whose cells are modelled, ecp5 or ice40, got gowin\n",
    )
    assert not (tmp_path / "build").exists()


def test_a_front_end_without_an_engine_is_refused(tmp_path):
    write_bundle(random_bundle(np.random.default_rng(0)), tmp_path / "net")
    result = bgru("sim", "--samples", "--bundle", tmp_path / "net", "--build", tmp_path / "build")
    assert (result.exit_code, result.stderr) == (
        2,
        "error: audio engine: expected features in thermometer code or levels, got binary code\n",
    )
    assert not (tmp_path / "build").exists()
