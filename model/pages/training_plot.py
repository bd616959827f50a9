"""The picture of a run."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from model.files import replacing


def draw(history: Sequence[dict[str, Any]], path: Path) -> None:
    """A picture of the loss, the validation SDR and pi (of weights, of activations) over the epochs."""
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(7, 7), layout="constrained")
    axes = figure.subplots(3, 1, sharex=True)
    rows = (("training loss", ("loss",)), ("validation SDR (dB)", ("sdr",)), ("pi", ("weights", "activations")))
    for axis, (label, keys) in zip(axes, rows, strict=True):
        for key in keys:
            axis.plot(epochs, [row[key] for row in history], label=key)
        axis.set_ylabel(label)
        axis.grid(alpha=0.3)
    axes[-1].legend()
    axes[-1].set_xlabel("epoch")
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
