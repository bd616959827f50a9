"""`bgru compare`."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    path: Annotated[Path, typer.Option("--baseline", help="File of the baseline.")] = Path("baselines.json"),
    renew: Annotated[bool, typer.Option("--renew", help="Measure again and write the committed figures.")] = False,
    fmax: Annotated[
        bool, typer.Option(help="Place components, tops and denoisers as well, which takes most of the time.")
    ] = True,
) -> None:
    """Measure every component and preset again, and fail if one is worse than the baseline allows.

    Components are synthesised alone for ECP5 and iCE40 and placed on ECP5; the presets' layers are synthesised
    and their cycles predicted; their tops, of the network alone and of the whole denoiser, are placed. Cycles and
    memories may not grow at all, LUT4 and flip-flops by 3 %; the clock is only reported. Takes about ten minutes;
    unchanged results come from the cache.

    Example: `bgru compare --no-fmax`
    """
    from cosim.measure.baselines import run

    run(path, renew, fmax)
