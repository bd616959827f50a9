"""`bgru calibrate`."""

from typing import Annotated

import typer

from bgru.options import Json


def command(
    families: Annotated[
        list[str] | None, typer.Option("--family", help="ecp5, ice40 or gowin; repeatable, all if not given.")
    ] = None,
    result: Json = None,
) -> None:
    """Calibrate the LUT4 estimates against synthesis, and check them on layers that the fit never saw.

    Takes about ten minutes for a family; the cache knows layers that were synthesised before. Exits with 1 where an
    estimate of the check is more than 10 % off, or a RAM block.

    Example: `bgru calibrate --family ice40`
    """
    from cosim.measure.calibrate import run
    from hw.shape.estimate import CALIBRATION

    run(families, result or CALIBRATION)
