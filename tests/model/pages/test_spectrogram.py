"""Recordings as pictures."""

import os
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from PIL import Image

from model.errors import BadInput
from model.pages.spectrogram import RATE, draw, run
from model.reference import audio
from model.reference.recording import Signal


def sine(hertz: float, seconds: float = 1.0) -> Signal:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(RATE * seconds)) / RATE)).astype(np.float32)


def pixels(path: Path) -> np.ndarray:
    """Brightness of the pixels in the left half of what is drawn, from the top; the margins are white."""
    seen = np.asarray(Image.open(path).convert("L"), dtype=float)
    inside = seen[:, seen.shape[1] // 4 : seen.shape[1] // 2]
    drawn = np.flatnonzero(inside.mean(axis=1) < 50)
    return inside[drawn[0] : drawn[-1] + 1]


@pytest.mark.parametrize("hertz", [1000, 4000, 7000])
def test_a_tone_is_a_bright_line_at_its_height(hertz, tmp_path):
    draw({"tone": sine(hertz)}, tmp_path / "tone.png")
    rows = pixels(tmp_path / "tone.png").mean(axis=1)
    assert np.argmax(rows) / len(rows) == pytest.approx(1 - hertz / 8000, abs=0.02)


def test_recordings_share_one_scale(tmp_path):
    for name, level in (("as loud", 1.0), ("softer", 0.01)):
        draw({"tone": sine(2000), "other": np.float32(level) * sine(6000)}, tmp_path / f"{name}.png")
    rows = {name: pixels(tmp_path / f"{name}.png").mean(axis=1) for name in ("as loud", "softer")}
    upper, lower = (slice(None, int(0.42 * len(rows["softer"]))), slice(-int(0.42 * len(rows["softer"])), None))
    assert max(rows["as loud"][upper]) == max(rows["softer"][upper])
    assert max(rows["as loud"][lower]) > max(rows["softer"][lower])


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


def test_recordings_of_one_name_in_two_folders_are_both_drawn(tmp_path, capsys):
    for folder in ("noisy", "clean"):
        (tmp_path / folder).mkdir()
        audio.write(tmp_path / folder / "x.wav", sine(1000), RATE)
    run([tmp_path / "noisy" / "x.wav"], tmp_path / "one.png", 1.0)
    run([tmp_path / "noisy" / "x.wav", tmp_path / "clean" / "x.wav"], tmp_path / "two.png", 1.0)
    heights = [Image.open(tmp_path / f"{name}.png").height for name in ("one", "two")]
    assert heights[1] > 1.5 * heights[0]
    assert "two.png: 2 recordings, their" in capsys.readouterr().out


@pytest.mark.parametrize("name", [b"caf\xe9.wav", b"a$b$.wav", b"$\\frac.wav$.wav", b"out[final].wav"])
def test_any_name_is_drawn_as_it_is(name, tmp_path):
    audio.write(tmp_path / "plain.wav", sine(1000), RATE)
    path = tmp_path / os.fsdecode(name)
    (tmp_path / "plain.wav").rename(path)
    run([path], tmp_path / "x.png", 1.0)
    assert (tmp_path / "x.png").stat().st_size > 1000
