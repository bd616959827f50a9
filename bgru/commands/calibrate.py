"""`bgru calibrate`."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    families: Annotated[
        list[str] | None, typer.Option("--family", show_default="all", help="ecp5, ice40 or gowin. Repeatable.")
    ] = None,
    result: Annotated[
        Path | None,
        typer.Option("--coefficients", show_default="the file used by the estimates", help="File for the fit."),
    ] = None,
) -> None:
    """Calibrate the LUT4 estimates against synthesis, and check them on layers that the fit never saw.

    Takes about ten minutes per family; layers synthesised before come from the cache. Exits with 1 if a LUT4 estimate
    is more than 10 % off, or a RAM estimate off at all.

    Example: `bgru calibrate --family ice40`
    """
    from cosim.measure.calibrate import run
    from hw.shape.estimate import CALIBRATION

    run(families, result or CALIBRATION)
