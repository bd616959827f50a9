"""`bgru onnx`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import SmallBundle, bundle_for


def command(
    out: Annotated[Path, typer.Argument(help="The .onnx file to write.", show_default=False)],
    bundle: SmallBundle = None,
    qonnx: Annotated[
        bool, typer.Option("--qonnx", help="As a QONNX model, which `bgru import` and other tools read.")
    ] = False,
) -> None:
    """Write a bundle's network as an ONNX model that gives the same integers in any runtime.

    Features in, gains out, the state as an input and an output; docs/onnx.md has an example. With `--qonnx`, a network
    of integers as real numbers with quantisers, for tools that go on from there.

    Example: `bgru onnx small.onnx --bundle small`
    """
    from model.reference.onnx_graph import run

    run(bundle_for(bundle), out, qonnx)
