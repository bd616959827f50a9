"""Denoising: what a mask does to a recording, and the command from end to end, as a user runs it."""

import dataclasses
import io
import json
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bgru.cli import main
from model.bundle.bits import Bits
from model.bundle.bundle import Bundle
from model.bundle.front_end import WORD_LENGTHS, FrontEnd
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.bundle.write import write_bundle
from model.reference import audio
from model.reference.denoise import Denoiser, Stream, apply_mask, hear, live, speed
from model.reference.denoise import denoise as denoise_whole
from model.reference.golden_model import GoldenModel
from model.reference.recording import READ, Samples, to_samples, to_signal
from tests.support.paths import ROOT
from tests.support.random_bundles import audible, bundles, random_bundle, seeds

RATE, BINS = 16000, 17
FRONT_END = FrontEnd(RATE, 32, 0.1, np.full((BINS, 1), 33_000, np.int32))
LATE = FRONT_END.fft_size - FRONT_END.hop


def noise(samples: int = 1600) -> Samples:
    return to_samples((0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32))


def mask_like(recording: Samples, value: int) -> Bits:
    return np.full(hear(FRONT_END, recording).shape, value, dtype=np.uint8)


def constant_network(keep: bool) -> Bundle:
    """Keeps all bins or none, whatever it hears."""
    theta = np.full(BINS, -BINS if keep else BINS + 1, dtype=np.int32)
    layer = Layer("mask", "dense", BINS, BINS, Matrix.from_values(np.ones((BINS, BINS), dtype=int)), theta)
    return Bundle("constant", FRONT_END, (layer,))


def distance(one: Samples, other: Samples) -> int:
    return int(np.abs(one.astype(int) - other).max(initial=0))


@given(samples=st.integers(1, 700), seed=seeds)
def test_mask_of_ones_returns_any_recording_within_4_lsb(samples, seed):
    recording = np.random.default_rng(seed).integers(-(2**15), 2**15, samples).astype(np.int16)
    got = apply_mask(FRONT_END, recording, mask_like(recording, 1))
    assert got.shape == recording.shape and got.dtype == np.int16
    assert distance(got, recording) <= 4


def test_mask_of_zeros_returns_silence():
    recording = noise()
    assert not apply_mask(FRONT_END, recording, mask_like(recording, 0)).any()


def test_mask_of_some_bins_leaves_those():
    seconds = np.arange(1600) / RATE
    low, high = np.sin(2 * np.pi * 1000 * seconds), np.sin(2 * np.pi * 6000 * seconds)
    recording = to_samples((0.4 * (low + high)).astype(np.float32))
    mask = mask_like(recording, 0)
    mask[:, :7] = 1  # bins are 500 Hz apart
    kept = to_signal(apply_mask(FRONT_END, recording, mask))
    assert np.allclose(kept[100:-100], 0.4 * low[100:-100], atol=0.01)


# A recording in pieces.


@st.composite
def networks(draw: st.DrawFn) -> Bundle:
    """Any network behind any front end of its bins."""
    made = draw(bundles(audible))
    words = draw(st.sampled_from(WORD_LENGTHS))
    front_end = dataclasses.replace(
        made.front_end,
        gain_frames=2 ** draw(st.integers(0, 5)),
        table_bits=words[0],
        fraction_bits=words[1],
        mantissa_bits=words[2],
    )
    return dataclasses.replace(made, front_end=front_end)


def cut(whole: Samples, cuts: int, seed: int) -> list[Samples]:
    places = np.random.default_rng(seed).integers(0, len(whole) + 1, cuts)
    return np.split(whole, np.sort(places))


def swelling(samples: int) -> Samples:
    """Noise with a level for the gain to follow."""
    return (noise(samples) * np.linspace(0.1, 2, samples)).astype(np.int16)


def test_in_pieces_it_is_the_whole_bit_by_bit():
    shares = []

    @given(network=networks(), samples=st.integers(1, 2500), cuts=st.integers(0, 9), seed=seeds)
    @settings(max_examples=60)
    def same(network: Bundle, samples: int, cuts: int, seed: int) -> None:
        whole = swelling(samples)
        front_end = network.front_end
        mask = GoldenModel(network).masks(hear(front_end, whole))
        expected = apply_mask(front_end, whole, mask)
        assert np.array_equal(denoise_whole(network, whole)[0], expected)
        denoise = Denoiser(network)
        got = np.concatenate(list(denoise(cut(whole, cuts, seed))))
        assert got.dtype == np.int16
        assert np.array_equal(got, expected)
        assert (denoise.stream.frames, denoise.stream.kept) == (len(mask), int(np.count_nonzero(mask)))
        shares.append(mask.mean())

    same()
    assert np.mean([0.05 < share < 0.95 for share in shares]) > 0.25  # masks of ones or zeros alone would show little


@given(network=networks(), hops=st.integers(1, 60), cuts=st.integers(0, 9), seed=seeds)
@settings(max_examples=40)
def test_the_stream_is_the_recording_denoised_and_late_by_all_but_a_hop_of_a_window(network, hops, cuts, seed):
    whole, stream = swelling(hops * network.front_end.hop), Stream(network)
    got = np.concatenate([stream(piece) for piece in cut(whole, cuts, seed)])
    late = network.front_end.fft_size - network.front_end.hop
    assert (len(got), stream.delay) == (len(whole), late)
    assert np.array_equal(got[late:], np.concatenate(list(Denoiser(network)([whole])))[: max(0, len(whole) - late)])


@given(network=networks(), samples=st.integers(1, 900), seed=seeds)
@settings(max_examples=30)
def test_a_hop_of_silence_first_makes_the_output_a_hop_later(network, samples, seed):
    """Without the network, whose state and gain would hear the silence."""
    front_end, recording = network.front_end, noise(samples)
    later = np.pad(recording, (front_end.hop, 0))
    shape = len(hear(front_end, recording)), network.layers[-1].units
    mask = np.random.default_rng(seed).integers(0, 2, shape, dtype=np.uint8)
    first = np.zeros((1, mask.shape[1]), np.uint8)
    got = apply_mask(front_end, later, np.concatenate([first, mask]))
    assert np.array_equal(got[front_end.hop :], apply_mask(front_end, recording, mask))


def test_after_sound_silence_ends_in_exact_zeros():
    network = constant_network(keep=True)
    stream = Stream(network)
    assert stream(noise(800)).any()
    stream(np.zeros(LATE, np.int16))
    assert not stream(np.zeros(4000, np.int16)).any()


def test_bypass_is_the_recording_whatever_the_network_says():
    recording = noise()
    (got,) = [np.concatenate(list(Denoiser(constant_network(keep=False), bypass=True)([recording])))]
    assert distance(got, recording) <= 4
    assert not np.concatenate(list(Denoiser(constant_network(keep=False))([recording]))).any()


def test_memory_does_not_grow_with_the_recording():
    network = Bundle("random", FRONT_END, random_bundle(np.random.default_rng(5), [("bgru", 20)], BINS).layers)

    def peak(pieces: int) -> int:
        tracemalloc.start()
        for _ in Denoiser(network)(noise(2048) for _ in range(pieces)):
            pass
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(12) < 1.1 * peak(4)


def test_speed_is_measured_on_any_network():
    assert speed(constant_network(keep=True), 0.5) > 0


# Live.


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


def piped(*words: str, folder: Path, given: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bgru", *words, "--bundle", str(folder / "net")]
    return subprocess.run(
        command, input=given, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )


def test_live_in_a_pipe(folder):
    result = piped("live", "--bypass", folder=folder, given=noise(400).tobytes())
    assert (result.returncode, result.stderr) == (0, b"")
    assert distance(np.frombuffer(result.stdout, "<i2")[LATE:], noise(400)) <= 4


def test_a_recording_comes_and_goes_through_pipes(folder):
    result = piped("denoise", "-", "-", folder=folder, given=(folder / "noisy.wav").read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    samples, rate = soundfile.read(io.BytesIO(result.stdout), dtype="int16")
    assert rate == RATE and distance(samples, noise()) <= 4


def test_a_pipe_without_a_recording_is_refused(folder):
    result = piped("denoise", "-", "-", folder=folder, given=b"Dear friend")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr == b"error: standard input: expected audio (WAV, FLAC, ...), got Format not recognised.\n"


# The command.


@pytest.fixture
def folder(tmp_path) -> Path:
    """A recording and a bundle that keeps everything."""
    audio.write(tmp_path / "noisy.wav", noise(), RATE)
    write_bundle(constant_network(keep=True), tmp_path / "net")
    return tmp_path


class Command:
    """The command within this process, which is quicker than a process each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self.monkeypatch.setattr(sys, "argv", ["bgru", "denoise", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (int(ended.value.code or 0), *self.capsys.readouterr())


@pytest.fixture
def denoise(folder, monkeypatch, capsys) -> Command:
    monkeypatch.chdir(folder)
    return Command(monkeypatch, capsys)


def test_as_a_user_runs_it(folder):
    result = subprocess.run(
        [sys.executable, "-m", "bgru", "denoise", "noisy.wav", "clean.wav", "--bundle", "net"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("clean.wav: 203 frames, 100% of the bins kept; ")
    assert distance(audio.read_samples(folder / "clean.wav", RATE), noise()) <= 4


def test_command_writes_the_denoised_recording_and_its_speed(folder, denoise):
    code, out, err = denoise("noisy.wav", "out/clean.flac", "--bundle", "net")
    assert (code, err) == (0, "")
    said = r"out/clean.flac: 203 frames, 100% of the bins kept; 0.1 s in \d+\.\d\d s of one core, [\d,]+ x real time\n"
    assert re.fullmatch(said, out)
    got, rate = soundfile.read(folder / "out" / "clean.flac", dtype="int16")
    assert rate == RATE and distance(got, noise()) <= 4


def test_command_writes_the_samples_of_the_whole(folder, denoise, caplog):
    """Longer than several pieces, stereo, at another rate: every sample as `audio` and `apply_mask` would have it."""
    rng = np.random.default_rng(5)
    random = random_bundle(rng, hidden=[("bgru", 20)], bins=BINS)
    network = Bundle("random", FRONT_END, random.layers)
    write_bundle(network, folder / "net")
    soundfile.write(folder / "noisy.wav", rng.normal(0, 0.1, (3 * READ + 5, 2)), 22050)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net")[0] == 0
    assert [record.message for record in caplog.records] == [
        "noisy.wav has 2 channels: using their average",
        "noisy.wav is sampled at 22050 Hz: resampled to 16000 Hz",
    ]
    recording = audio.read_samples(folder / "noisy.wav", RATE)
    mask = GoldenModel(network).masks(hear(FRONT_END, recording))
    assert 0 < mask.mean() < 1
    audio.write(folder / "expected.wav", apply_mask(FRONT_END, recording, mask), RATE)
    assert (folder / "clean.wav").read_bytes() == (folder / "expected.wav").read_bytes()


def test_a_recording_may_be_replaced_by_its_denoised_one(folder, denoise):
    assert denoise("noisy.wav", "noisy.wav", "--bundle", "net")[0] == 0
    assert distance(audio.read_samples(folder / "noisy.wav", RATE), noise()) <= 4


@pytest.mark.parametrize("samples", [1, 5, 16])
def test_a_recording_may_be_shorter_than_a_window(samples, folder, denoise):
    audio.write(folder / "noisy.wav", noise(samples), RATE)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net")[0] == 0
    assert distance(audio.read_samples(folder / "clean.wav", RATE), noise(samples)) <= 4


def test_silence_stays_silence(folder, denoise):
    soundfile.write(folder / "noisy.wav", np.zeros(1600), RATE)
    code, _, err = denoise("noisy.wav", "clean.wav", "--bundle", "net")
    assert (code, err) == (0, "")
    assert soundfile.read(folder / "clean.wav")[0].tolist() == [0] * 1600


def no_file(folder: Path) -> None:
    (folder / "noisy.wav").unlink()


def empty_file(folder: Path) -> None:
    (folder / "noisy.wav").write_bytes(b"")


def letter(folder: Path) -> None:
    (folder / "noisy.wav").write_text("Dear friend, this is a letter.\n" * 9)


def no_samples(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.zeros(0), RATE)


def not_a_number(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.array([0.1, np.nan] * 50), RATE, subtype="FLOAT")


def no_bundle(folder: Path) -> None:
    (folder / "net" / "manifest.json").unlink()


def other_version(folder: Path) -> None:
    path = folder / "net" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 9}))


def output_folder(folder: Path) -> None:
    (folder / "clean.wav").mkdir()


BAD = [
    (no_file, "noisy.wav: expected an audio file, found none"),
    (empty_file, "noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised."),
    (letter, "noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised."),
    (no_samples, "noisy.wav: expected audio, got a file with 0 samples"),
    (not_a_number, "noisy.wav: expected finite samples, got nan in sample 1 (at 0.000 s)"),
    (no_bundle, "net: expected a bundle (a folder with manifest.json and arrays.npz), found none"),
    (other_version, "net/manifest.json: expected version 3, got 9"),
    (output_folder, "clean.wav: expected a file to write, got a folder"),
]


@pytest.mark.parametrize(("spoil", "sentence"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_bad_input_is_one_sentence_and_no_output(folder, denoise, spoil, sentence):
    spoil(folder)
    before = sorted(folder.rglob("*"))
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net") == (2, "", f"error: {sentence}\n")
    assert sorted(folder.rglob("*")) == before


def test_unknown_output_format_is_refused(folder, denoise):
    code, _, err = denoise("noisy.wav", "clean.doc", "--bundle", "net")
    assert (code, err) == (2, "error: clean.doc: expected a name that ends in .wav or .flac, got .doc\n")
    assert not (folder / "clean.doc").exists()


def test_an_argument_too_many_is_exit_code_2(denoise):
    code, _, err = denoise("noisy.wav", "clean.wav", "another.wav")
    assert code == 2
    assert "Usage: " in err and "Traceback" not in err
