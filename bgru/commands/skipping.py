"""`bgru skipping`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import Bundle, bundle_for, recording_or_sample


def command(
    bundle: Bundle = None,
    recordings: Annotated[
        list[Path] | None, typer.Option("--noisy", help="Noisy recording; repeatable. The shipped sample if not given.")
    ] = None,
) -> None:
    """Measure how much of a network's work could be skipped without changing a bit.

    Runs the golden model over recordings and prints, for every BGRU layer, the share of its cycles spent on work that
    changes nothing: mean, least and most over the recordings.

    Example: `bgru skipping --noisy a.wav --noisy b.wav`
    """
    from cosim.measure.skipping import run

    run(bundle_for(bundle), recordings or [recording_or_sample(None)])
