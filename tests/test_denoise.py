"""Denoising: what a mask does to a recording, and the command from end to end, as a user runs it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model import audio, bundle
from model.bundle import Bundle, Layer, Matrix
from model.denoise import apply_mask
from model.frontend import FrontEnd
from model.golden import GoldenModel
from tests.random_bundles import random_bundle, random_features

RATE, BINS = 16000, 17
FRONT_END = FrontEnd(RATE, 32, 16, "hann", 0.1, np.full((BINS, 1), 0.05, dtype=np.float32))
ROOT = Path(__file__).parent.parent


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


@pytest.fixture
def folder(tmp_path) -> Path:
    """A recording and a bundle that keeps everything."""
    audio.write(tmp_path / "noisy.wav", noise(), RATE)
    bundle.write(constant_network(keep=True), tmp_path / "net")
    return tmp_path


def denoise(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "model.denoise", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_command_writes_the_denoised_recording(folder):
    result = denoise(folder, "noisy.wav", "out/clean.flac", "--bundle", "net")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "out/clean.flac: 101 frames, 100% of the bins kept\n"
    assert result.stderr == ""
    got, rate = soundfile.read(folder / "out" / "clean.flac", dtype="float32")
    assert rate == RATE and np.abs(got - noise()).max() < 2**-14


def test_command_computes_the_golden_models_mask(folder):
    rng = np.random.default_rng(5)
    random = random_bundle(rng, hidden=[("bgru", 20)], bins=BINS)
    network = Bundle("random", FRONT_END, random.layers)
    assert GoldenModel(network).masks(random_features(rng, network, 9)).std() > 0.1
    bundle.write(network, folder / "net")
    assert denoise(folder, "noisy.wav", "clean.wav", "--bundle", "net").returncode == 0
    recording = audio.read(folder / "noisy.wav", RATE)
    level, _ = FRONT_END.normalise(recording)
    mask = GoldenModel(network).masks(FRONT_END.encode(FRONT_END.stft(level)))
    expected = apply_mask(FRONT_END, recording, mask)
    assert 0 < mask.mean() < 1
    assert np.abs(audio.read(folder / "clean.wav", RATE) - expected).max() < 2**-14


def test_stereo_at_another_rate_is_converted_and_said(folder):
    soundfile.write(folder / "noisy.wav", np.stack([noise(4800)] * 2, axis=1), 48000)
    result = denoise(folder, "noisy.wav", "clean.wav", "--bundle", "net")
    assert result.returncode == 0
    assert "noisy.wav has 2 channels: using their average" in result.stderr
    assert "noisy.wav is sampled at 48000 Hz: resampled to 16000 Hz" in result.stderr
    assert soundfile.info(folder / "clean.wav").frames == 1600


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


def silence(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.zeros(1600), RATE)


def click(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.ones(5), RATE)


def no_bundle(folder: Path) -> None:
    (folder / "net" / "manifest.json").unlink()


def other_version(folder: Path) -> None:
    path = folder / "net" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 3}))


def output_folder(folder: Path) -> None:
    (folder / "clean.wav").mkdir()


BAD = [
    (no_file, "noisy.wav: expected an audio file, found none"),
    (empty_file, "noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised."),
    (letter, "noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised."),
    (no_samples, "noisy.wav: expected audio, got a file with 0 samples"),
    (not_a_number, "noisy.wav: expected finite samples, got NaN or infinity"),
    (silence, "recording: expected sound, got digital silence"),
    (click, "recording: expected at least 16 samples (half a window), got 5"),
    (no_bundle, "net: expected a bundle (a folder with manifest.json and arrays.npz), found none"),
    (other_version, "net/manifest.json: expected version 1, got 3"),
    (output_folder, "clean.wav: expected a file to write, got a folder"),
]


@pytest.mark.parametrize(("spoil", "sentence"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_bad_input_is_one_sentence_and_no_output(folder, spoil, sentence):
    spoil(folder)
    before = sorted(folder.rglob("*"))
    result = denoise(folder, "noisy.wav", "clean.wav", "--bundle", "net")
    assert result.returncode == 2
    assert result.stderr == f"error: {sentence}\n"
    assert result.stdout == ""
    assert sorted(folder.rglob("*")) == before


def test_unknown_output_format_is_refused(folder):
    result = denoise(folder, "noisy.wav", "clean.doc", "--bundle", "net")
    assert result.returncode == 2
    assert result.stderr == "error: clean.doc: expected a name that ends in .wav or .flac, got .doc\n"
    assert not (folder / "clean.doc").exists()


def test_missing_argument_is_exit_code_2(folder):
    result = denoise(folder, "noisy.wav")
    assert result.returncode == 2
    assert "Missing argument" in result.stderr and "Traceback" not in result.stderr
