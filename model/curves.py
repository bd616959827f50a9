"""The picture of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from model.files import replacing


def draw(history: Sequence[dict[str, Any]], path: Path) -> None:
    """A picture of the loss, the validation SDR and pi over the epochs."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    for axis, key, label in zip(
        axes, ("loss", "sdr", "pi"), ("training loss", "validation SDR (dB)", "pi"), strict=True
    ):
        axis.plot(epochs, [row[key] for row in history])
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel("epoch")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
