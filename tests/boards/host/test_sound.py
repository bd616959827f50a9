"""Sound through a simulated board: recordings and raw samples, over a good line and a bad one."""

import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np
import pytest
import soundfile

from boards.definitions.registry import find
from boards.flow.layout import lay_out
from boards.host.protocol import Kind
from boards.host.sound import from_payload, to_payload
from cosim.chips.board import Program, build, serving
from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.bundle.write import write_bundle
from model.reference import audio
from model.reference.analysis import Analysis
from model.reference.denoise import Stream, denoise
from model.reference.golden_model import GoldenModel
from model.reference.synthesis import Synthesis
from tests.boards.gateware.test_byte_denoiser import made
from tests.cosim.chips.test_board import between

pytestmark = pytest.mark.simulator

SAMPLES = 402  # 101 hops and half of one, and three of zeros
MADE = made()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("sound")
    write_bundle(MADE, path / "net")
    soundfile.write(path / "in.wav", np.random.default_rng(4).normal(0, 0.1, SAMPLES), 16000)
    return path


@pytest.fixture(scope="module")
def program(folder) -> Program:
    return build(lay_out(MADE, find("ulx3s_85f"), {}, 1, 2), folder / "build", quick_build=True, kind=Kind.SOUND)


def host(folder: Path, port: str, *words: str, net: str = "net", **options) -> "subprocess.CompletedProcess[bytes]":
    """`bgru host`; what an earlier one wrote is gone."""
    (folder / "out.wav").unlink(missing_ok=True)
    command = [sys.executable, "-m", "bgru", "host", *words, "--port", port, "--bundle", str(folder / net)]
    return subprocess.run(command, capture_output=True, timeout=120, **options)


def recording(folder: Path, port: str, *options: str, net: str = "net") -> "subprocess.CompletedProcess[bytes]":
    return host(folder, port, str(folder / "in.wav"), str(folder / "out.wav"), *options, net=net)


def noisy(folder: Path) -> audio.Samples:
    return audio.read_samples(folder / "in.wav", 16000)


def assert_the_references(result: "subprocess.CompletedProcess[bytes]", folder: Path) -> None:
    assert result.returncode == 0, result.stdout + result.stderr
    assert b"sample agreement     416 of 416 samples in 104 hops" in result.stdout
    written, _ = soundfile.read(folder / "out.wav", dtype="int16")
    assert np.array_equal(written, denoise(MADE, noisy(folder))[0])


def test_a_hop_is_two_bytes_a_sample_low_byte_first():
    hop = np.array([1, -2, 32767, -32768], np.int16)
    assert to_payload(hop) == bytes.fromhex("0100 feff ff7f 0080")
    assert from_payload(to_payload(hop)).tolist() == hop.tolist()


def test_every_sample_of_a_recording_is_the_references_and_so_is_the_next(folder, program):
    with serving(program) as (port, _):
        for _ in range(2):
            assert_the_references(recording(folder, port, "--audio"), folder)


def test_a_bad_line_changes_no_sample(folder, program):
    with serving(program) as (port, _), between(port, 0.005, 0.005, seed=5) as bad:
        result = recording(folder, bad, "--audio")
    assert_the_references(result, folder)
    assert int(result.stdout.split(b"sent again")[1].split()[0]) > 5


def test_raw_samples_come_out_as_a_stream_does(folder, program):
    samples = noisy(folder)
    stream = Stream(MADE)
    with serving(program) as (port, _):
        result = host(folder, port, "--live", input=samples.astype("<i2").tobytes())
    assert result.returncode == 0, result.stderr
    expected = stream(np.pad(samples, (0, stream.delay + -len(samples) % 4)))[: len(samples) + stream.delay]
    assert np.frombuffer(result.stdout, "<i2").tolist() == expected.tolist()


def test_a_recording_passes_when_bypassed(folder, program):
    with serving(program) as (port, _):
        result = recording(folder, port, "--audio", "--bypass")
    assert b"sample agreement     416 of 416 samples in 104 hops" in result.stdout, result.stderr
    written, _ = soundfile.read(folder / "out.wav", dtype="int16")
    assert np.abs(written.astype(int) - noisy(folder)).max() <= 4


def test_raw_samples_pass_when_bypassed_and_enter_denoises_those_that_come_later(folder, program):
    """The host has a terminal of its own, where Enter is pressed after half of the samples have come back."""
    samples = np.resize(noisy(folder), 240)  # 60 hops of 4
    octets = samples.astype("<i2").tobytes()
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-m", "bgru", "host", "--live", "--bypass", "--bundle", str(folder / "net"), "--port"]
    with (
        serving(program) as (port, _),
        subprocess.Popen(
            [*command, port],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
            preexec_fn=lambda: os.close(os.open(os.ttyname(terminal), os.O_RDWR)),
        ) as process,
    ):
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(octets[:240])
        got = _read(process.stdout, 240)
        os.write(keyboard, b"\n")
        assert process.stderr.readline() == b"denoised\n"
        process.stdin.write(octets[240:])
        process.stdin.close()
        got += process.stdout.read()
    for end in (keyboard, terminal):
        os.close(end)
    assert process.returncode == 0
    spectrum, features = Analysis(MADE.front_end)(np.pad(samples, (0, 12)))
    mask = GoldenModel(MADE).masks(features)
    mask[:30] = 1
    assert np.frombuffer(got, "<i2").tolist() == Synthesis(MADE.front_end)(spectrum, mask).tolist()


def _read(pipe: IO[bytes], count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += pipe.read(count - len(found))
    return found


def test_bypass_without_sound_is_refused(folder):
    result = recording(folder, "none", "--bypass")
    assert result.returncode == 2 and b"expected --audio or --live with --bypass" in result.stderr


def test_a_board_of_another_kind_is_refused(folder, program):
    with serving(program) as (port, _):
        result = recording(folder, port)
    assert result.returncode == 2
    assert b"expected the network alone on the board, got the whole denoiser; give --audio" in result.stderr
    assert not (folder / "out.wav").exists()


def test_samples_that_differ_are_printed_and_nothing_is_written(folder, program):
    """Another network's weights, under the identity of the one on the board."""
    other = Bundle("other", MADE.front_end, made(9).layers)
    bits = lay_out(other, find("ulx3s_85f"), {}, 1, 2).layers["mask"].engine.matrix.rom_slices()["weights.bits_0"][1]
    own = lay_out(MADE, find("ulx3s_85f"), {}, 1, 2).layers["mask"].engine.matrix.rom_slices()["weights.bits_0"][1]
    assert bits != own
    (contents,) = [
        file for file in program.folder.glob("*.mem") if [int(line, 2) for line in file.read_text().split()] == own
    ]
    whole = contents.read_text()
    width = len(whole.split()[0])
    contents.write_text("".join(f"{word:0{width}b}\n" for word in bits))
    try:
        with serving(program) as (port, _):
            result = recording(folder, port, "--audio")
    finally:
        contents.write_text(whole)
    assert result.returncode == 1, result.stderr
    assert b"MISMATCH sample " in result.stdout
    assert b"samples differ from the reference; nothing was written" in result.stdout
    assert not (folder / "out.wav").exists()


def test_a_recording_with_live_is_refused(folder):
    result = host(folder, "none", str(folder / "in.wav"), "--live")
    assert result.returncode == 2 and b"expected no recording with --live" in result.stderr
    assert read_bundle(folder / "net").identity == MADE.identity
