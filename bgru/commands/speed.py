"""`bgru speed`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import PRESET_HELP, finite


def command(
    preset: Annotated[
        list[str] | None,
        typer.Option("--preset", show_default="small and paper", help=PRESET_HELP),
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.1, callback=finite, help="Time for each figure, at least three steps.")
    ] = 5.0,
    threads: Annotated[int, typer.Option(min=1, help="PyTorch's threads on the CPU.")] = 1,
    out: Annotated[Path, typer.Option("--json", help="File for the figures.")] = Path("build/training_speed.json"),
) -> None:
    """Measure training steps next to those of torch.nn.GRU and Linear of the same shape, and the speed of mixing.

    Example: `bgru speed --preset tiny`
    """
    from model.training.benchmark import run

    run(preset, seconds, threads, out)
