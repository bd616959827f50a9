"""Recordings as pictures."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from model.errors import BadInput
from model.pages.spectrogram import RATE, draw, run
from model.reference import audio


def sine(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def brightness(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"), dtype=float)


def test_a_tone_is_a_bright_line_at_its_height(tmp_path):
    heights = []
    for hertz in (1000, 7000):
        draw({"tone": sine(hertz)}, tmp_path / "tone.png")
        seen = brightness(tmp_path / "tone.png")
        inside = seen[:, seen.shape[1] // 4 : seen.shape[1] // 2]
        dark = inside.mean(axis=1) < 200  # the margins are white
        heights.append(np.flatnonzero(dark)[np.argmax(inside[dark].mean(axis=1))] / len(seen))
    assert heights[0] > 0.5 > heights[1]


def test_recordings_share_one_scale(tmp_path):
    draw({"loud": sine(1000), "silence": np.zeros(RATE, np.float32)}, tmp_path / "two.png")
    seen = brightness(tmp_path / "two.png")
    middle = slice(seen.shape[1] // 4, seen.shape[1] // 2)
    upper, lower = seen[: len(seen) // 2, middle], seen[len(seen) // 2 :, middle]
    assert upper[upper < 250].mean() > lower[lower < 250].mean()


def test_only_the_beginning_of_a_recording_is_drawn(tmp_path):
    for name, rest in (("short", 0.0), ("long", 3.0)):
        audio.write(tmp_path / f"{name}.wav", np.concatenate([sine(500), sine(3000, rest)]), RATE)
    drawn = []
    for name in ("short", "long"):
        (tmp_path / f"{name}.wav").rename(tmp_path / "heard.wav")
        run([tmp_path / "heard.wav"], tmp_path / f"{name}.png", 0.9)
        drawn.append((tmp_path / f"{name}.png").read_bytes())
    assert drawn[0] == drawn[1]


@pytest.mark.parametrize(("name", "sentence"), [("x.gif", "ends in .png"), ("x.png", "expected at least 512 samples")])
def test_what_can_not_be_drawn_is_refused_and_leaves_nothing(name, sentence, tmp_path):
    audio.write(tmp_path / "click.wav", np.ones(100, np.float32), RATE)
    with pytest.raises(BadInput, match=sentence):
        run([tmp_path / "click.wav"], tmp_path / name, 10.0)
    assert not (tmp_path / name).exists()
