"""The host's own handling of what can go wrong, against boards that misbehave in ways that the gateware doesn't."""

import errno
import grp
import os
import re
import select
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
import pytest
import serial
import soundfile

import boards.host.link
import boards.host.transfer
from boards.host.link import Link
from boards.host.protocol import VERSION, Kind, Packet, PacketDecoder, Reason, State, Type, encode, info_constants
from model.bundle.write import write_bundle
from model.reference.golden_model import GoldenModel
from tests.support.command import bgru
from tests.support.random_bundles import random_bundle

WINDOW = 4
MADE = random_bundle(np.random.default_rng(3), [("bgru", 12)], bins=9, qad_bits=2)
Answer = Callable[[Packet], list[Packet]]


@contextmanager
def board(answer: Answer) -> Iterator[str]:
    """A terminal on whose other end `answer` gets each packet and says what comes back."""
    here, there = os.openpty()
    tty.setraw(there)
    over = threading.Event()

    def serve() -> None:
        decoder = PacketDecoder()
        while not over.is_set():
            if select.select([here], [], [], 0.01)[0]:
                for packet in decoder.feed(os.read(here, 4096)):
                    os.write(here, b"".join(map(encode, answer(packet))))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield os.ttyname(there)
    finally:
        over.set()
        thread.join()
        os.close(here)
        os.close(there)


def info(
    identity: bytes = MADE.identity,
    state: State = State.READY,
    expected: int = 0,
    version: int = VERSION,
    kind: Kind = Kind.NETWORK,
) -> Packet:
    sizes = (MADE.front_end.features, MADE.front_end.bins)
    payload = bytes([version]) + identity + bytes([kind]) + b"".join(size.to_bytes(2, "little") for size in sizes)
    return Packet(Type.INFO, expected, payload + bytes([WINDOW, state, 0, 0, 0, 0]))


class GoldenBoard:
    """Answers as a board should."""

    def __init__(self, expected: int = 0) -> None:
        self.model, self.expected = GoldenModel(MADE), expected

    def __call__(self, packet: Packet) -> list[Packet]:
        if packet.type == Type.IDENTIFY:
            return [info(expected=self.expected)]
        if packet.sequence != self.expected:
            return [Packet(Type.REFUSAL, self.expected, bytes([Reason.ORDER]))]
        if packet.type == Type.START:
            self.model.reset()
        self.expected = (self.expected + 1) & 0xFF
        features = np.frombuffer(packet.payload.ljust(8, b"\0"), dtype=np.uint64)
        return [Packet(Type.ANSWER, packet.sequence, self.model.step(features)[0].tobytes()[:2])]


@pytest.fixture
def folder(tmp_path):
    write_bundle(MADE, tmp_path / "net")
    soundfile.write(tmp_path / "in.wav", np.random.default_rng(4).normal(0, 0.1, 192), 16000)
    return tmp_path


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(boards.host.link, "PATIENCE", 3.0)
    for module in (boards.host.link, boards.host.transfer):
        monkeypatch.setattr(module, "FIRST_TIMEOUT", 0.5)


def run(folder, port: str, *options: str):
    return bgru("host", folder / "in.wav", folder / "out.wav", "--bundle", folder / "net", "--port", port, *options)


def refused(folder, port: str, *options: str) -> str:
    """Runs, and is refused: the sentence. Nothing is written."""
    before = sorted(folder.iterdir())
    result = run(folder, port, *options)
    assert result.exit_code == 2, result.output
    assert sorted(folder.iterdir()) == before
    return str(result.stderr)


@pytest.mark.parametrize("expected", [0, 250], ids=["from 0", "over the end"])
def test_all_masks_of_a_recording(folder, expected):
    with board(GoldenBoard(expected)) as port:
        result = run(folder, port, "--loop-check")
    assert result.exit_code == 0, result.output
    assert "mask agreement       459 of 459 bits in 51 frames" in result.output
    assert "sent again           0 frames" in result.output
    for word in ("frames/s", "x real time", "50 %", "95 %", "99 %", "max"):
        assert word in result.output
    assert (folder / "out.wav").is_file()


def test_a_mask_that_differs_is_printed_and_nothing_is_written(folder):
    golden = GoldenBoard()

    def wrong(packet: Packet) -> list[Packet]:
        answers = golden(packet)
        if packet.type == Type.FRAME and packet.sequence == 20:
            return [Packet(Type.ANSWER, 20, bytes([answers[0].payload[0] ^ 0b110000, answers[0].payload[1]]))]
        return answers

    with board(wrong) as port:
        result = run(folder, port, "--loop-check")
    assert result.exit_code == 1
    assert re.search(r"MISMATCH frame 20: 2 of 9 bins, first bin 4: expected [01], got [01]", result.output)
    assert "mask agreement       457 of 459 bits in 51 frames" in result.output
    assert not (folder / "out.wav").exists()


def test_masks_that_come_twice_or_late_or_uncalled_for_change_nothing(folder):
    golden, kept = GoldenBoard(), []

    def untidy(packet: Packet) -> list[Packet]:
        answers = golden(packet)
        kept.extend(answers)
        return [Packet(Type.ANSWER, 99, b"\0\0"), *answers, *kept[-3:], Packet(ord("?"), 0)]

    with board(untidy) as port:
        result = run(folder, port, "--loop-check")
    assert result.exit_code == 0, result.output


def test_a_frame_that_is_lost_is_sent_again_with_those_behind_it(folder):
    golden, lost = GoldenBoard(), []

    def lossy(packet: Packet) -> list[Packet]:
        if packet.type == Type.FRAME and packet.sequence % 10 == 5 and packet.sequence not in lost:
            lost.append(packet.sequence)
            return []
        return golden(packet)

    with board(lossy) as port:
        result = run(folder, port, "--loop-check")
    assert result.exit_code == 0, result.output
    assert lost == [5, 15, 25, 35, 45]


def test_a_board_that_is_still_loading_is_waited_for(folder):
    golden, states = GoldenBoard(), [State.LOADING, State.LOADING, State.READY]

    def slow(packet: Packet) -> list[Packet]:
        if packet.type == Type.IDENTIFY and states:
            return [info(state=states.pop(0))]
        return golden(packet)

    with board(slow) as port:
        result = run(folder, port, "--loop-check")
    assert result.exit_code == 0, result.output
    assert not states


def test_a_port_that_is_not_there(folder):
    message = refused(folder, str(folder / "ttyNone"))
    assert re.search(r"ttyNone: expected a serial port, could not open it \(.*\); ports here: ", message)


def test_a_file_that_is_no_port(folder):
    assert "expected a serial port, could not open it" in refused(folder, str(folder / "in.wav"))


def test_a_port_that_another_program_has(folder):
    with board(GoldenBoard()) as port:
        link = boards.host.link.Link(port, 1_000_000)
        assert f"{port}: expected a serial port, could not open it" in refused(folder, port)
        link.close()


def test_nobody_answers(folder):
    with board(lambda packet: []) as port:
        assert "expected a board that identifies itself, got no answer for 3 s" in refused(folder, port)


def test_a_line_that_only_echoes(folder):
    with board(lambda packet: [packet]) as port:
        assert "expected a board that identifies itself, got no answer" in refused(folder, port)


def test_another_bundle_on_the_board(folder):
    with board(lambda packet: [info(identity=b"\1" * 8)]) as port:
        message = refused(folder, port)
    assert f"expected the bundle random ({MADE.identity.hex()}) on the board, got another (0101010101010101)" in message


def test_another_version_of_the_protocol(folder):
    with board(lambda packet: [info(version=1)]) as port:
        assert "expected version 4 of the protocol, got 01" in refused(folder, port)


def test_weights_that_cannot_be_used(folder):
    with board(lambda packet: [info(state=State.FAILED)]) as port:
        assert "expected weights in the board's flash, it found damaged ones" in refused(folder, port)


def test_weights_that_are_never_there(folder):
    with board(lambda packet: [info(state=State.LOADING)]) as port:
        assert "the board is still loading them" in refused(folder, port)


def test_a_board_that_falls_silent(folder):
    golden = GoldenBoard()
    with board(lambda packet: golden(packet) if packet.sequence < 20 else []) as port:
        assert "expected an answer to frame 20, got none for 3 s" in refused(folder, port)


def test_a_board_that_refuses_everything(folder):
    def refuse(packet: Packet) -> list[Packet]:
        return [info() if packet.type == Type.IDENTIFY else Packet(Type.REFUSAL, 0, bytes([Reason.CRC]))]

    with board(refuse) as port:
        assert re.search(r"expected an answer to frame 0, .* [1-9]\d* refused\)", refused(folder, port))


@pytest.mark.parametrize("reason", [Reason.NO_START, Reason.ORDER])
def test_a_board_that_is_reset_on_the_way(folder, reason):
    golden = GoldenBoard(100)

    def reset(packet: Packet) -> list[Packet]:
        if packet.sequence == 120:
            golden.expected = 0
        return golden(packet) if golden.expected else [Packet(Type.REFUSAL, 0, bytes([reason]))]

    with board(reset) as port:
        assert "expected the board to be at frame 20, it has started over" in refused(folder, port)


def test_a_board_that_is_reset_right_after_an_answer(folder):
    """The answer and the refusal reach the host in one read."""
    golden, held = GoldenBoard(100), list[Packet]()

    def reset(packet: Packet) -> list[Packet]:
        if packet.sequence == 119 and golden.expected == 119:
            held.extend(golden(packet))
            golden.expected = 0
            return []
        if golden.expected:
            return golden(packet)
        answers = [*held, Packet(Type.REFUSAL, 0, bytes([Reason.NO_START]))]
        held.clear()
        return answers

    with board(reset) as port:
        assert "expected the board to be at frame 20, it has started over" in refused(folder, port)


def test_a_name_that_cannot_be_written(folder):
    with board(GoldenBoard()) as port:
        result = bgru("host", folder / "in.wav", folder / "out.mp3", "--bundle", folder / "net", "--port", port)
    assert "expected a name that ends in .wav or .flac, got .mp3" in result.stderr


class LoadingBoard:
    """Takes blocks of weights, one after another. Each packet takes its time, and an answer `pause` more."""

    def __init__(self, blocks: int, pause: float) -> None:
        self.blocks, self.pause, self.taken = blocks, pause, 0

    def __call__(self, packet: Packet) -> list[Packet]:
        time.sleep(0.001)
        if packet.type == Type.WEIGHTS:
            self.taken += packet.sequence == self.taken & 0xFF
            return []
        time.sleep(self.pause)
        state = State.READY if self.taken == self.blocks else State.LOADING if self.taken else State.FAILED
        return [Packet(Type.INFO, 0, info(state=state).payload[:-2] + self.taken.to_bytes(2, "little"))]


@pytest.mark.parametrize("pause", [0.0, 0.02])
def test_a_slow_boards_answers_to_earlier_questions_are_not_taken_for_new_ones(monkeypatch, pause):
    monkeypatch.setattr(boards.host.link, "FIRST_TIMEOUT", 0.002)
    image, size = MADE.identity + bytes(800), (MADE.front_end.features + 7) // 8
    blocks = (len(image) + size - 1) // size
    with board(LoadingBoard(blocks, pause)) as port, closing(Link(port, 1_000_000)) as link:
        assert list(link.load(image))[-1] == len(image)


@pytest.mark.parametrize("payload", [b"", b"\x01\x01"], ids=["empty", "too long"])
def test_a_refusal_of_a_wrong_length_is_dropped_like_a_damaged_packet(folder, payload):
    golden = GoldenBoard()

    def untidy(packet: Packet) -> list[Packet]:
        return [Packet(Type.REFUSAL, 77, payload), *golden(packet)]

    with board(untidy) as port:
        result = run(folder, port, "--loop-check")
    assert result.exit_code == 0, result.output
    assert "after 0 refusals" in result.output


def test_a_state_of_the_weights_that_the_host_does_not_know(folder):
    strange = Packet(Type.INFO, 0, info().payload[:-5] + bytes([9, 0, 0, 0, 0]))
    with board(lambda packet: [strange]) as port:
        assert "board: expected 0, 1 or 2 as the state of its weights, got 9" in refused(folder, port)


def test_a_window_of_no_frames(folder):
    shut = Packet(Type.INFO, 0, info().payload[:-6] + bytes([0, State.READY, 0, 0, 0, 0]))
    with board(lambda packet: [shut]) as port:
        assert "board: expected a window of 1 to 127 frames, got 0" in refused(folder, port)


def test_a_board_whose_sizes_are_not_the_bundles(folder):
    constants = info_constants(MADE.identity, Kind.NETWORK, MADE.front_end.features, 10, WINDOW)
    with board(lambda packet: [Packet(Type.INFO, 0, constants + bytes([State.READY, 0, 0, 0, 0]))]) as port:
        message = refused(folder, port)
    assert "expected frames of 18 and answers of 9 elements from the board, got 18 and 10" in message


def test_a_port_without_permission_names_the_group_that_has_it(folder, monkeypatch):
    port = folder / "in.wav"
    denied = serial.SerialException(errno.EACCES, f"could not open port {port}: Permission denied")

    def deny(*_: object, **__: object) -> None:
        raise denied

    monkeypatch.setattr(serial, "Serial", deny)
    if port.stat().st_gid == 0:
        assert "usermod" not in refused(folder, str(port)), "nobody should join root's group"
        os.chown(port, -1, next(group.gr_gid for group in grp.getgrall() if group.gr_gid))
    group = grp.getgrgid(port.stat().st_gid).gr_name
    assert f"it belongs to the group {group}: `sudo usermod -a -G {group} $USER`" in refused(folder, str(port))


def test_weights_that_are_not_there(folder):
    with board(lambda packet: [info(state=State.FAILED)]) as port:
        message = refused(folder, port, "--load", str(folder / "missing.bin"))
    assert "missing.bin: expected the file of weights that `bgru bitstream` writes, found none" in message


def test_a_board_that_takes_no_weights(folder):
    """A network that streams none drops their packets."""
    (folder / "weights.bin").write_bytes(MADE.identity + bytes(500))
    with board(lambda packet: [info(state=State.FAILED)] if packet.type == Type.IDENTIFY else []) as port:
        message = refused(folder, port, "--load", str(folder / "weights.bin"))
    assert "expected the board to take weights from block 0 on, it has 0 of" in message
    (folder / "weights.bin").write_bytes(b"")
    with board(lambda packet: [info(state=State.FAILED)]) as port:
        assert f"expected weights of {MADE.identity.hex()}, got those of ;" in refused(
            folder, port, "--load", str(folder / "weights.bin")
        )
