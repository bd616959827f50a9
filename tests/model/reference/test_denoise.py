"""Denoising: what a mask does to a recording, and the command from end to end, as a user runs it."""

import dataclasses
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
from model.bundle.bundle import Bundle
from model.bundle.layers import Layer
from model.bundle.matrices import Matrix
from model.bundle.write import write_bundle
from model.corpora.float_front_end import FloatFrontEnd
from model.reference import audio
from model.reference.denoise import Denoiser, apply_mask, speed
from model.reference.golden_model import GoldenModel
from model.reference.recording import READ
from tests.support.paths import ROOT
from tests.support.random_bundles import bundles, random_bundle, seeds

RATE, BINS = 16000, 17
FRONT_END = FloatFrontEnd(RATE, 32, 16, "hann", 0.1, np.full((BINS, 1), 0.05, dtype=np.float32))


def noise(samples: int = 1600) -> np.ndarray:
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(np.float32)


def constant_network(keep: bool) -> Bundle:
    """Keeps all bins or none, whatever it hears."""
    theta = np.full(BINS, -BINS if keep else BINS + 1, dtype=np.int32)
    layer = Layer("mask", "dense", BINS, BINS, Matrix.from_values(np.ones((BINS, BINS), dtype=int)), theta)
    return Bundle("constant", FRONT_END, (layer,))


def test_mask_of_ones_returns_the_recording():
    recording = noise()
    mask = np.ones(FRONT_END.stft(recording).shape, dtype=np.uint8)
    got = apply_mask(FRONT_END, recording, mask)
    assert got.shape == recording.shape and np.allclose(got, recording, atol=1e-6)


def test_mask_of_zeros_returns_silence():
    recording = noise()
    mask = np.zeros(FRONT_END.stft(recording).shape, dtype=np.uint8)
    assert not apply_mask(FRONT_END, recording, mask).any()


def test_mask_of_some_bins_leaves_those():
    seconds = np.arange(1600) / RATE
    low, high = np.sin(2 * np.pi * 1000 * seconds), np.sin(2 * np.pi * 6000 * seconds)
    recording = (low + high).astype(np.float32)
    mask = np.zeros(FRONT_END.stft(recording).shape, dtype=np.uint8)
    mask[:, :7] = 1  # bins are 500 Hz apart
    assert np.allclose(apply_mask(FRONT_END, recording, mask)[100:-100], low[100:-100], atol=0.01)


# A recording in pieces.


@st.composite
def networks(draw: st.DrawFn) -> Bundle:
    """Any network behind a front end whose frames any hop sets apart."""
    made = draw(bundles(max_bins=9))
    size = made.front_end.fft_size
    loud = np.sort(np.random.default_rng(0).gamma(1, 0.3, made.front_end.thresholds.shape), axis=1).astype(np.float32)
    front_end = dataclasses.replace(
        made.front_end,
        hop=draw(st.integers(1, max(1, size // 2))),
        gain_frames=draw(st.integers(1, 40)),
        thresholds=loud,
    )
    return dataclasses.replace(made, front_end=front_end)


def test_in_pieces_it_is_the_whole_bit_by_bit():
    shares = []

    @given(network=networks(), samples=st.integers(8, 2500), cuts=st.integers(0, 9), seed=seeds)
    @settings(max_examples=60)
    def same(network: Bundle, samples: int, cuts: int, seed: int) -> None:
        rng = np.random.default_rng(seed)
        whole = noise(samples) * np.linspace(0.1, 2, samples, dtype=np.float32)  # a level for the gain to follow
        front_end = network.front_end
        mask = GoldenModel(network).masks(front_end.hear(whole))
        expected = apply_mask(front_end, whole, mask)
        denoise = Denoiser(network)
        got = np.concatenate(list(denoise(np.split(whole, np.sort(rng.integers(0, samples + 1, cuts))))))
        assert got.dtype == np.float32
        assert np.array_equal(got, expected)
        assert (denoise.frames, denoise.kept) == (len(mask), int(np.count_nonzero(mask)))
        shares.append(mask.mean())

    same()
    assert np.mean([0.05 < share < 0.95 for share in shares]) > 0.25  # masks of ones or zeros alone would show little


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
    assert result.stdout.startswith("clean.wav: 101 frames, 100% of the bins kept; ")
    assert np.abs(audio.read(folder / "clean.wav", RATE) - noise()).max() < 2**-14


def test_command_writes_the_denoised_recording_and_its_speed(folder, denoise):
    code, out, err = denoise("noisy.wav", "out/clean.flac", "--bundle", "net")
    assert (code, err) == (0, "")
    said = r"out/clean.flac: 101 frames, 100% of the bins kept; 0.1 s in \d+\.\d\d s of one core, [\d,]+ x real time\n"
    assert re.fullmatch(said, out)
    got, rate = soundfile.read(folder / "out" / "clean.flac", dtype="float32")
    assert rate == RATE and np.abs(got - noise()).max() < 2**-14


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
    recording = audio.read(folder / "noisy.wav", RATE)
    mask = GoldenModel(network).masks(FRONT_END.hear(recording))
    assert 0 < mask.mean() < 1
    audio.write(folder / "expected.wav", apply_mask(FRONT_END, recording, mask), RATE)
    assert (folder / "clean.wav").read_bytes() == (folder / "expected.wav").read_bytes()


def test_a_recording_may_be_replaced_by_its_denoised_one(folder, denoise):
    assert denoise("noisy.wav", "noisy.wav", "--bundle", "net")[0] == 0
    assert np.abs(audio.read(folder / "noisy.wav", RATE) - noise()).max() < 2**-14


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


def click(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.ones(5), RATE)


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
    (click, "recording: expected at least 16 samples (half a window), got 5"),
    (no_bundle, "net: expected a bundle (a folder with manifest.json and arrays.npz), found none"),
    (other_version, "net/manifest.json: expected version 2, got 9"),
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
