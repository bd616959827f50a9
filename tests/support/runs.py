"""Training runs of a second: recordings made here, and settings."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from model.training import config
from model.training.config import Config

SETTINGS = {
    "fft_size": "64",
    "hop": "16",
    "gain_frames": "16",
    "hidden": "12",
    "mask_bits": "1",
    "sequences": "4",
    "frames": "40",
    "truncation": "20",
    "batches": "2",
    "noise_speeds": "0.9,1.0",
    "validation_mixtures": "3",
    "synthetic_clips": "9",
    "simulated_rooms": "1",
    "test_mixtures": "6",
    "stages": "2:0:0:1e-2:5e-3,1:0.5:0.5:5e-3:5e-3,2:1:1:5e-3:1e-3",
}
"""Five epochs: two real-valued, one half bitwise, two bitwise."""


def as_options(**changes: str) -> list[str]:
    """The settings, with changes, as `name=value`."""
    return [f"{name}={value}" for name, value in {**SETTINGS, **changes}.items()]


def settings(**changes: str) -> Config:
    return config.with_settings("tiny", as_options(**changes))


def record(folder: Path) -> Path:
    """Four "speakers" of tones with pauses, and two noises, 16 kHz. Of a there is one utterance, of the others two."""
    rng, time = np.random.default_rng(0), np.arange(16000) / 16000
    for index, name in enumerate("abcd"):
        (folder / "speech" / name).mkdir(parents=True)
        for take in range(1 if name == "a" else 2):
            tone = sum(np.sin(2 * np.pi * (200 + 70 * index) * k * time + take) / k for k in range(1, 6))
            signal = 0.1 * tone * (np.sin(2 * np.pi * 30 * time + take) > 0)
            soundfile.write(folder / "speech" / name / f"{take}.wav", signal, 16000)
    (folder / "noise").mkdir()
    for name in ("hiss", "hum"):
        soundfile.write(folder / "noise" / f"{name}.flac", rng.normal(0, 0.05, 24000), 16000)
    return folder


def without_seconds(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A history without what no two runs have in common."""
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]
