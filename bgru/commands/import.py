"""`bgru import`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import bundle_for


def command(
    model: Annotated[Path, typer.Argument(help="A QONNX model, such as Brevitas exports.", show_default=False)],
    front_end: Annotated[
        Path, typer.Option("--front-end", show_default=False, help="The bundle whose front end the network hears.")
    ],
    result: Annotated[Path, typer.Option("--result", show_default=False, help="Folder for the bundle.")],
) -> None:
    """Make a bundle of a network that was trained elsewhere, from a QONNX model.

    Dense layers and GRUs with quantised weights become layers of integers; docs/onnx.md says what a model may have.
    What cannot be imported is refused with the operator's name.

    Example: `bgru import model.onnx --front-end tiny-int4 --result bundles/mine`
    """
    from model.reference.qonnx_import import run

    run(model, bundle_for(front_end), result)
