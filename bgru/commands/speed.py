"""`bgru speed`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import Json


def command(
    preset: Annotated[list[str] | None, typer.Option(help="Size of the network: tiny, small or paper.")] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Time for each figure, at least three steps.")] = 5.0,
    threads: Annotated[int, typer.Option(min=1, help="PyTorch's threads on the CPU.")] = 1,
    out: Json = None,
) -> None:
    """Measure training steps next to those of torch.nn.GRU and Linear of the same shape, and the making of mixtures.

    Example: `bgru speed --preset tiny`
    """
    from model.training.benchmark import run

    run(preset, seconds, threads, out or Path("build/training_speed.json"))
