"""The command that makes the sample recording."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.paths import ROOT


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for name, seconds in (("ann", (2.0, 4.0)), ("bob", (2.0, 6.0))):
        (tmp_path / "speech" / name).mkdir(parents=True)
        for take, length in enumerate(seconds):
            samples = rng.normal(0, 0.1, round(16000 * length))
            soundfile.write(tmp_path / "speech" / name / f"{take}.wav", samples, 16000)
    (tmp_path / "noise").mkdir()
    soundfile.write(tmp_path / "noise" / "clicks.wav", (rng.random(32000) > 0.999) * 0.5, 16000)
    return tmp_path


def sample(recordings: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "bgru", "sample", "--speech", str(recordings / "speech")]
    words += ["--noise", str(recordings / "noise"), "--folder", str(recordings / "samples"), *options]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_sample_is_the_first_utterance_of_fitting_length_at_the_snr_asked_for(recordings: Path) -> None:
    done = sample(recordings, "--speaker", "ann", "--noise-name", "clicks", "--snr", "3")
    assert done.returncode == 0, done.stderr
    noisy, rate = soundfile.read(recordings / "samples" / "noisy.flac")
    clean, _ = soundfile.read(recordings / "samples" / "clean.flac")
    assert (len(noisy), len(clean), rate) == (64000, 64000, 16000)
    assert np.max(np.abs(noisy)) < 1.0
    ratio = np.mean(clean**2) / np.mean((noisy - clean) ** 2)
    assert 10 * np.log10(ratio) == pytest.approx(3.0, abs=0.05)
    text = (recordings / "samples" / "README.md").read_text(encoding="utf-8")
    assert "`ann/1.wav`" in text
    assert str(recordings) not in text


@pytest.mark.parametrize(
    ("speaker", "noise", "message"),
    [
        ("zoe", "clicks", "error: speaker zoe: expected one of ann, bob, ..., got another"),
        ("ann", "rain", "error: noise rain: expected one of clicks, ..., got another"),
        ("bob", "clicks", "error: speaker bob: expected an utterance of 3.5 to 5.0 s, got none"),
    ],
)
def test_a_sample_that_cannot_be_made_is_refused(recordings: Path, speaker: str, noise: str, message: str) -> None:
    done = sample(recordings, "--speaker", speaker, "--noise-name", noise)
    assert done.returncode == 2
    assert done.stderr == message + "\n"
    assert not (recordings / "samples").exists()
