"""The picture of a run."""

from pathlib import Path

import pytest

pytest.importorskip("matplotlib")

from model.pages import training_plot

EPOCHS = [
    {"epoch": 1, "weights": 0.0, "activations": 0.0, "loss": 0.5, "sdr": 1.0},
    {"epoch": 2, "weights": 1.0, "activations": 0.5, "loss": 0.4, "sdr": 2.0},
]


def test_curves_are_a_picture(tmp_path: Path) -> None:
    training_plot.draw(EPOCHS, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]
