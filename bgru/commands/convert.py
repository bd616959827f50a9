"""`bgru convert`."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    folders: Annotated[list[Path], typer.Argument(help="Folders of bundles of version 2.", show_default=False)],
) -> None:
    """Convert bundles of version 2 to version 3, in place.

    Version 2 stored the thresholds of the front end as floating-point magnitudes; version 3 stores them as integer
    keys, so hardware and golden model compute exactly the same. Weights and cards are unchanged. A bundle whose window
    or hop has no integer arithmetic is refused.

    Example: `bgru convert runs/small/bundle`
    """
    from model.bundle.convert import convert
    from model.console import console

    for folder in folders:
        convert(folder)
        console.print(f"{folder}: converted to version 3")
