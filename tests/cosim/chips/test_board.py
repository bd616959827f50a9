"""The real host against the real gateware: Verilated UART, link and network on a pseudo-terminal."""

import os
import random
import select
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from boards.definitions.registry import find
from boards.definitions.sdram import ULX3S_SDRAM
from boards.flow.layout import lay_out
from boards.gateware.sdram_weights import Memory
from boards.host.link import Link
from boards.host.protocol import BAUD, END, Packet, Type, encode
from cosim.chips.board import Program, build, serving
from hw.gateware.network import Network
from hw.shape.folding import Folding
from model.bundle.write import write_bundle
from model.reference import audio
from model.reference.denoise import denoise
from tests.boards.gateware.test_byte_denoiser import made
from tests.support.paths import ROOT
from tests.support.random_bundles import random_bundle

pytestmark = pytest.mark.simulator

MADE = random_bundle(np.random.default_rng(3), [("bgru", 12)], bins=9, qad_bits=2)
SAMPLES = 1996  # 502 frames


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A bundle, a recording, and a longer one."""
    path = tmp_path_factory.mktemp("board")
    write_bundle(MADE, path / "net")
    for name, samples in (("in", SAMPLES), ("long", 100 * SAMPLES)):
        soundfile.write(path / f"{name}.wav", np.random.default_rng(4).normal(0, 0.1, samples), 16000)
    return path


@pytest.fixture(scope="module")
def program(folder) -> Program:
    return build(lay_out(MADE, find("ulx3s_85f"), {}, 8, 8), folder / "ecp5", quick_build=True)


def command(folder: Path, port: str, recording: str = "in.wav", net: Path | str = "net") -> list[str]:
    words = ["bgru", "host", folder / recording, folder / "out.wav", "--bundle", folder / net, "--port", port]
    return [sys.executable, "-m", *map(str, words), "--loop-check"]


def run(folder: Path, port: str, *more: str, **options) -> subprocess.CompletedProcess[str]:
    (folder / "out.wav").unlink(missing_ok=True)
    return subprocess.run([*command(folder, port, **options), *more], capture_output=True, text=True, timeout=120)


def assert_bit_exact(result: subprocess.CompletedProcess[str], folder: Path) -> None:
    assert result.returncode == 0, result.stdout + result.stderr
    assert "mask agreement       4,518 of 4,518 bits in 502 frames" in result.stdout
    front_end = MADE.front_end
    noisy = audio.read_samples(folder / "in.wav", front_end.sample_rate)
    expected, _ = denoise(MADE, noisy)
    audio.write(folder / "expected.wav", expected, front_end.sample_rate)
    assert (folder / "out.wav").read_bytes() == (folder / "expected.wav").read_bytes()


def refused(result: subprocess.CompletedProcess[str], folder: Path) -> str:
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert not (folder / "out.wav").exists()
    (error,) = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    return error


@contextmanager
def between(port: str, lose: float, flip: float, seed: int) -> Iterator[str]:
    """A terminal whose line to `port` loses bytes and flips bits of them, both ways, with these probabilities."""
    here, there = os.openpty()
    board = os.open(port, os.O_RDWR | os.O_NOCTTY)
    for terminal in (there, board):
        tty.setraw(terminal)
    chances = {here: random.Random(seed), board: random.Random(seed + 1)}
    over = threading.Event()

    def carry(source: int, sink: int) -> None:
        chance = chances[source]
        for byte in os.read(source, 4096):
            luck = chance.random()
            if luck >= lose:
                os.write(sink, bytes([byte ^ (1 << chance.randrange(8) if luck < lose + flip else 0)]))

    def serve() -> None:
        while not over.is_set():
            for ready in select.select([here, board], [], [], 0.01)[0]:
                carry(ready, board if ready == here else here)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(there)
    finally:
        over.set()
        thread.join()
        for terminal in (here, there, board):
            os.close(terminal)


def test_a_recording_is_bit_exact_and_so_is_the_next(folder, program):
    with serving(program) as (port, _):
        for _ in range(2):
            result = run(folder, port)
            assert_bit_exact(result, folder)
            assert "after 0 refusals" in result.stdout


@pytest.mark.parametrize(
    ("lose", "flip"), [(0.005, 0), (0, 0.005), (0.005, 0.005)], ids=["bytes lost", "bits flipped", "both"]
)
def test_a_recording_is_bit_exact_over_a_bad_line(folder, program, lose, flip):
    with serving(program) as (port, _), between(port, lose, flip, seed=5) as bad:
        result = run(folder, bad)
    assert_bit_exact(result, folder)
    again = int(result.stdout.split("sent again")[1].split()[0])
    assert again > 10


def test_frames_that_an_earlier_host_left_on_the_way_do_no_harm(folder, program):
    with serving(program) as (port, _):
        terminal = os.open(port, os.O_RDWR | os.O_NOCTTY)
        frames = [Packet(Type.FRAME if n else Type.START, n, bytes(3)) for n in range(4)]
        os.write(terminal, b"".join(map(encode, frames))[:-5])  # killed in the middle of the last
        os.close(terminal)
        assert_bit_exact(run(folder, port), folder)


def test_a_board_that_is_unplugged_on_the_way(folder, program):
    with serving(program) as (port, process):
        (folder / "out.wav").unlink(missing_ok=True)
        host = subprocess.Popen(
            command(folder, port, "long.wav"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        _wait_for_frames(process.pid)
        process.kill()
        begin = time.monotonic()
        stdout, stderr = host.communicate(timeout=30)
        assert time.monotonic() - begin < 10
    result = subprocess.CompletedProcess([], host.returncode, stdout, stderr)
    assert f"{port}: expected the board to stay connected, it went away" in refused(result, folder)


def _wait_for_frames(process: int) -> None:
    """Until the simulation has written more than an info and a mask or two."""
    end = time.monotonic() + 60
    while int((Path("/proc") / str(process) / "io").read_text().split("wchar:")[1].split()[0]) < 200:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_board_with_another_bundle(folder, program):
    other = random_bundle(np.random.default_rng(9), [("bgru", 12)], bins=9, qad_bits=2)
    write_bundle(other, folder / "other")
    with serving(program) as (port, _):
        message = refused(run(folder, port, net="other"), folder)
    assert f"({other.identity.hex()}) on the board, got another ({MADE.identity.hex()})" in message


@pytest.fixture(scope="module")
def flashed(folder) -> Program:
    """A board whose weights come from flash."""
    return build(lay_out(MADE, find("icebreaker"), {}, 8, 8), folder / "ice40", quick_build=True)


def test_weights_from_flash_and_a_recording_that_is_bit_exact(folder, flashed):
    with serving(flashed) as (port, _):
        assert_bit_exact(run(folder, port), folder)


def with_a_flipped_bit(program, folder) -> str:
    """What the host says of a board with a bit of its flash's image flipped, whose error LED is lit."""
    (contents,) = [file for file in program.folder.glob("*.mem") if _begins_with_identity(file)]
    whole = contents.read_text()
    lines = whole.splitlines()
    lines[20] = f"{int(lines[20], 2) ^ 1:08b}"
    contents.write_text("\n".join(lines) + "\n")
    try:
        with serving(program, subprocess.PIPE) as (port, board):
            message = refused(run(folder, port), folder)
            assert board.stderr is not None and board.stderr.readline().endswith(b": LED error: on\n")
    finally:
        contents.write_text(whole)
    return message


def test_a_damaged_flash(folder, flashed):
    assert "expected weights in the board's flash, it found damaged ones" in with_a_flipped_bit(flashed, folder)


@pytest.fixture(scope="module")
def streamed(folder) -> Program:
    """A board whose weights go from flash to SDRAM, and from there to the network in every frame."""
    foldings = {"gru0": Folding(1, 8, "streamed"), "mask": Folding(2, 10, "streamed", packed=True)}
    network = Network(MADE, foldings, find("ulx3s_85f").family, 8, 8)
    return build(network, folder / "sdram", quick_build=True, memory=Memory(ULX3S_SDRAM, 100e6))


def test_weights_from_sdram_and_a_recording_that_is_bit_exact(folder, streamed):
    with serving(streamed) as (port, _):
        assert_bit_exact(run(folder, port), folder)


def test_a_damaged_flash_next_to_an_sdram(folder, streamed):
    assert "it found damaged ones" in with_a_flipped_bit(streamed, folder)


@contextmanager
def erased(program) -> Iterator[bytes]:
    """The board's flash without an image, and that image."""
    (contents,) = [file for file in program.folder.glob("*.mem") if _begins_with_identity(file)]
    whole = contents.read_text()
    contents.write_text("11111111\n" * len(whole.splitlines()))
    try:
        yield bytes(int(line, 2) for line in whole.splitlines())
    finally:
        contents.write_text(whole)


def test_weights_from_the_host_where_the_flash_has_none(folder, streamed):
    with erased(streamed) as contents:
        (folder / "weights.bin").write_bytes(contents)
        with serving(streamed) as (port, _):
            assert "send it with --load" in refused(run(folder, port), folder)
            assert_bit_exact(run(folder, port, "--load", str(folder / "weights.bin")), folder)
            message = refused(run(folder, port, "--load", str(folder / "weights.bin")), folder)
    assert f"expected a board without weights, it has those of {MADE.identity.hex()}" in message


def test_weights_go_on_where_an_earlier_host_stopped_and_over_a_bad_line(folder, streamed):
    with erased(streamed) as contents, serving(streamed) as (port, _):
        with closing(Link(port, BAUD)) as link:
            sent = link.load(contents)
            while next(sent) < len(contents) // 2:
                pass
        (folder / "weights.bin").write_bytes(contents)
        with between(port, 0.001, 0.001, seed=5) as bad:
            assert_bit_exact(run(folder, bad, "--load", str(folder / "weights.bin")), folder)


def test_wrong_weights_from_the_host_are_found_and_right_ones_taken_after_them(folder, streamed):
    with erased(streamed) as contents:
        wrong = bytearray(contents)
        wrong[100] ^= 1
        for name, written in (("wrong", wrong), ("weights", contents), ("strange", bytes(len(contents)))):
            (folder / f"{name}.bin").write_bytes(written)
        with serving(streamed) as (port, _):
            message = refused(run(folder, port, "--load", str(folder / "strange.bin")), folder)
            assert f"expected weights of {MADE.identity.hex()}, got those of {bytes(8).hex()}" in message
            message = refused(run(folder, port, "--load", str(folder / "wrong.bin")), folder)
            assert "expected the weights to be right in the board's memory, they are not" in message
            assert_bit_exact(run(folder, port, "--load", str(folder / "weights.bin")), folder)


def test_frames_that_find_no_room_are_shown_by_the_led(folder):
    slow = build(
        lay_out(MADE, find("ulx3s_85f"), dict.fromkeys(("gru0", "mask"), Folding(1, 1)), 8, 8), folder / "slow"
    )
    with serving(slow, subprocess.PIPE) as (port, board):
        terminal = os.open(port, os.O_RDWR | os.O_NOCTTY)
        frames = [Packet(Type.FRAME if n else Type.START, n, bytes(3)) for n in range(100)]
        second = bytes([END]) * (BAUD // 10)  # ignored, and ten bits each; the clock runs while they come
        feeding = threading.Thread(target=_write, args=(terminal, b"".join(map(encode, frames)) + second))
        feeding.start()
        assert board.stderr is not None and board.stderr.readline().endswith(b": LED alive: fast\n")
        board.kill()
        feeding.join()
        os.close(terminal)


def _write(terminal: int, octets: bytes) -> None:
    with suppress(OSError):  # the board is gone
        while octets:
            octets = octets[os.write(terminal, octets) :]


def _begins_with_identity(memory: Path) -> bool:
    lines = memory.read_text().split()
    return len(lines) > 16 and [int(line, 2) for line in lines[:8]] == list(MADE.identity)


def test_masks_of_other_weights_are_found_by_the_loop_check(folder, program):
    """A bit of a weight is changed behind the back of the identity."""
    network = lay_out(MADE, find("ulx3s_85f"), {}, 8, 8)
    part = network.layers["mask"].engine.matrix.rom_slices()["weights.bits_0"]
    (contents,) = [file for file in program.folder.glob("*.mem") if _words(file) == part]
    whole = contents.read_text()
    contents.write_text(whole.translate(str.maketrans("01", "10")))
    try:
        with serving(program) as (port, _):
            result = run(folder, port)
    finally:
        contents.write_text(whole)
    assert result.returncode == 1
    assert "MISMATCH frame " in result.stdout
    assert not (folder / "out.wav").exists()


def _words(memory: Path) -> tuple[int, list[int]]:
    lines = memory.read_text().split()
    return len(lines[0]), [int(line, 2) for line in lines]


@pytest.mark.parametrize("options", [(), ("--audio",)], ids=["network", "denoiser"])
def test_bgru_board_serves_a_host_at_its_link_until_it_is_stopped(tmp_path, options):
    write_bundle(made() if options else MADE, tmp_path / "net")
    soundfile.write(tmp_path / "in.wav", np.random.default_rng(4).normal(0, 0.1, 402), 16000)
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from bgru.cli import main; main()"
    words = ["board", "--bundle", "./net", "--link", "port", "--build", "build", *options]
    where = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(ROOT)}, "text": True}
    with subprocess.Popen([sys.executable, "-c", start, *words], stdout=subprocess.PIPE, **where) as board:
        assert board.stdout is not None and " on /dev/" in board.stdout.readline()
        words = ["host", "in.wav", "out.wav", "--port", "port", "--bundle", "./net", *(options or ("--loop-check",))]
        host = subprocess.run([sys.executable, "-m", "bgru", *words], **where, capture_output=True, timeout=120)
        board.send_signal(signal.SIGINT)
    assert host.returncode == 0, host.stdout + host.stderr
    assert " agreement  " in host.stdout
    assert board.returncode == 0 and not (tmp_path / "port").is_symlink()
