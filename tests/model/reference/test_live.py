"""Live sound: the stream's samples, hop by hop, to the end."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest

from model.bundle.bundle import Bundle
from model.bundle.write import write_bundle
from model.reference.denoise import Stream
from model.reference.live import live
from tests.support.denoising import BINS, FRONT_END, LATE, constant_network, distance, noise
from tests.support.paths import ROOT
from tests.support.random_bundles import random_bundle


class Sink(io.BytesIO):
    """Remembers how much had been flushed each time."""

    def __init__(self) -> None:
        super().__init__()
        self.flushed: list[int] = []

    def flush(self) -> None:
        self.flushed.append(self.tell())


@pytest.mark.parametrize("samples", [0, 1, 7, 8, 100, 805])
def test_live_sound_is_that_of_the_stream_to_its_end(samples):
    network = Bundle("random", FRONT_END, random_bundle(np.random.default_rng(5), [("bgru", 20)], BINS).layers)
    recording, sink = noise(samples), Sink()
    live(network, io.BytesIO(recording.astype("<i2").tobytes()), sink)
    got = np.frombuffer(sink.getvalue(), "<i2")
    assert len(got) == samples + LATE
    padded = np.pad(recording, (0, LATE + -samples % FRONT_END.hop))
    assert np.array_equal(got, Stream(network)(padded)[: len(got)])


def test_live_sound_is_written_hop_by_hop():
    sink = Sink()
    live(constant_network(keep=True), io.BytesIO(noise(5 * FRONT_END.hop).tobytes()), sink)
    assert sink.flushed[:5] == [2 * FRONT_END.hop * (count + 1) for count in range(5)]


def test_live_sound_of_half_a_sample_ends_before_it():
    sink = Sink()
    live(constant_network(keep=True), io.BytesIO(noise(9).tobytes() + b"x"), sink)
    assert len(sink.getvalue()) == 2 * (9 + LATE)


def test_live_ends_when_nobody_listens():
    class Closed(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

    live(constant_network(keep=True), io.BytesIO(noise(100).tobytes()), Closed())


def test_live_in_a_pipe(tmp_path):
    write_bundle(constant_network(keep=False), tmp_path / "net")
    result = subprocess.run(
        [sys.executable, "-m", "bgru", "live", "--bypass", "--bundle", str(tmp_path / "net")],
        input=noise(400).tobytes(),
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert (result.returncode, result.stderr) == (0, b"")
    assert distance(np.frombuffer(result.stdout, "<i2")[LATE:], noise(400)) <= 4
