"""`bgru sim` refuses bad input in one sentence and writes nothing; a wrong network ends with exit code 1."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

import cosim.bench.sim
from model.bundle.layers import Kind
from model.bundle.write import write_bundle
from tests.support.command import bgru, figures
from tests.support.random_bundles import random_bundle
from tests.support.simulators import QUICKEST

NOISY = Path("samples/noisy.flac").resolve()


def refused(tmp_path: Path, *options: str) -> str:
    result = bgru("sim", "--build", str(tmp_path / "build"), *options)
    assert result.exit_code == 2, result.output
    assert not (tmp_path / "build").exists()
    (error,) = result.stderr.splitlines()
    assert error.startswith("error: ")
    return error


def test_a_bundle_that_is_not_there(tmp_path):
    assert "nowhere: expected a bundle" in refused(tmp_path, "--bundle", "nowhere")


def test_a_recording_that_is_not_there(tmp_path):
    assert "no.wav: expected an audio file" in refused(tmp_path, "--recording", "no.wav")


def test_an_empty_recording(tmp_path):
    path = tmp_path / "empty.wav"
    soundfile.write(path, np.zeros(0), 16000)
    assert "expected audio, got a file with 0 samples" in refused(tmp_path, "--recording", str(path))


def test_a_file_that_is_no_recording(tmp_path):
    path = tmp_path / "text.wav"
    path.write_text("not audio")
    assert "text.wav: expected audio" in refused(tmp_path, "--recording", str(path))


def test_an_altered_bundle(tmp_path):
    copy = tmp_path / "small"
    shutil.copytree("bundles/small", copy)
    arrays = dict(np.load(copy / "arrays.npz"))
    arrays["gru0.threshold"][0, 0] += 1
    np.savez(copy / "arrays.npz", **arrays)
    assert "array gru0.threshold: its SHA-256 differs" in refused(tmp_path, "--bundle", str(copy))


def test_an_unknown_board_is_answered_with_the_nearest(tmp_path):
    assert "nearest: ulx3s_85f" in refused(tmp_path, "--board", "ulx3s")


@pytest.mark.parametrize(
    ("fold", "words"),
    [
        ("gru0=0x64", "layer gru0: expected PE from 1 to 256 (its units), got 0"),
        ("gru0=1x0", "layer gru0: expected SIMD from 1 to 1028 (its columns), got 0"),
        ("mask=772x1", "layer mask: expected PE from 1 to 771 (its units), got 772"),
        ("mask=1x257", "layer mask: expected SIMD from 1 to 256 (its columns), got 257"),
        ("gru9=1x1", "expected one of the layers gru0, mask, got 'gru9'"),
        ("gru0=fast", "expected LAYER=PExSIMD such as gru0=1x64 or gru0=1x64-packed, got 'gru0=fast'"),
    ],
)
def test_an_impossible_folding(fold, words, tmp_path):
    assert words in refused(tmp_path, "--fold", fold)


def test_a_network_too_large_for_the_board_is_told_the_bits(tmp_path):
    message = refused(tmp_path, "--board", "icebreaker", "--bundle", "bundles/small")
    assert "bits of single-port RAM, the iCE40UP5K has 1,048,576" in message


def test_an_unknown_simulator(tmp_path):
    assert "--sim: expected verilator or icarus, got 'ghdl'" in refused(tmp_path, "--sim", "ghdl")


@pytest.mark.parametrize("missing", ["g++", "make", "perl"])
def test_a_missing_tool_is_named_with_how_to_install_it(missing, tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"g++", "make", "perl"} - {missing}:
        (programs / name).symlink_to(shutil.which(name))
    monkeypatch.setenv("PATH", str(programs))
    message = refused(tmp_path)
    assert f"{missing}: expected it on the PATH, found none; install it with: apt-get install {missing}" in message


def small_case(
    tmp_path: Path, hidden: Sequence[tuple[Kind, int]] = (("bgru", 12),), simulator: str = QUICKEST
) -> list[str]:
    """A bundle and a recording that simulate in a moment."""
    made = random_bundle(np.random.default_rng(3), hidden, bins=9, qad_bits=2)
    write_bundle(made, tmp_path / "net")
    soundfile.write(tmp_path / "in.wav", np.random.default_rng(4).normal(0, 0.1, 160), 16000)
    paths = {"--bundle": "net", "--recording": "in.wav", "--build": "build"}
    return ["--sim", simulator, *(word for option, name in paths.items() for word in (option, str(tmp_path / name)))]


@pytest.mark.simulator
def test_a_good_run_says_so_and_leaves_the_denoised_recording_and_the_reports(tmp_path):
    result = bgru("sim", *small_case(tmp_path))
    assert result.exit_code == 0, result.output
    denoised, rate = soundfile.read(tmp_path / "build/ulx3s_85f/random/in_denoised.wav")
    assert (len(denoised), rate) == (160, 16000)
    assert {path.name for path in (tmp_path / "build/ulx3s_85f/random/report").iterdir()} >= {
        "estimate_layer_cycles.json",
        "cosim_layer_cycles.json",
        "estimate_layer_resources.json",
        "synth_layer_resources.json",
    }


@pytest.mark.simulator
def test_the_readme_shows_what_it_prints(tmp_path):
    printed = figures(bgru("sim", *small_case(tmp_path)).output)
    assert len(printed) >= 6
    assert printed <= figures(Path("README.md").read_text(encoding="utf-8"))


@pytest.mark.simulator
def test_a_folder_with_a_space_is_as_good_as_any(tmp_path):
    folder = tmp_path / "a b"
    folder.mkdir()
    result = bgru("sim", *small_case(folder, simulator="verilator"))
    assert result.exit_code == 0, result.output


@pytest.mark.simulator
def test_a_wrong_network_ends_with_1_and_names_the_bit(tmp_path, monkeypatch):
    generate = cosim.bench.sim.generate

    def with_another_tie_rule(network, folder, weights):
        verilog = generate(network, folder, weights)
        verilog.write_text(verilog.read_text().replace(" >= ", " > "))
        return verilog

    monkeypatch.setattr(cosim.bench.sim, "generate", with_another_tie_rule)
    result = bgru("sim", *small_case(tmp_path))
    assert result.exit_code == 1
    assert "MISMATCH layer gru0, frame 0, signal r" in result.output.replace("\n", " ")


@pytest.mark.simulator
def test_a_layer_that_waits_for_a_slower_one_is_no_failure(tmp_path):
    result = bgru("sim", *small_case(tmp_path, [("dense", 4), ("dense", 20)]))
    assert result.exit_code == 0, result.output


def test_a_model_of_the_sdram_needs_its_module_and_a_network_that_streams(tmp_path):
    model = ("--sdram-model", "tests/support/sdr_chip.v")
    assert bgru("sim", *model).exit_code == 2
    assert bgru("sim", "--module", "sdr_chip").exit_code == 2
    message = refused(tmp_path, *model, "--module", "sdr_chip", "--bundle", "bundles/tiny")
    assert "--sdram-model: expected a network with weights in SDRAM, got all of them on ulx3s_85f" in message
