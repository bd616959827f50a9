"""`bgru ip`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, DEFAULT_BUILD, Board, Build, Bundle, Fold, bundle_for


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    streamed: Annotated[
        list[str] | None,
        typer.Option(help="A layer that takes its weights from a stream in every frame; it needs its --fold too."),
    ] = None,
    width: Annotated[int, typer.Option(help="Bits of a word of features and masks; a multiple of 8.")] = 32,
    name: Annotated[str, typer.Option(help="Of the module, its files and its C macros; two cores need two.")] = "bgru",
    build: Build = DEFAULT_BUILD,
) -> None:
    """Write a network as a core with AXI4-Stream and Wishbone ports (docs/axi.md).

    Writes `<build>/<board>/<bundle>/ip/`: `bgru.v` with the contents of its memories, `bgru.vh` and `registers.h` with
    its sizes for Verilog and C, `bgru.core` for FuseSoC with the targets `lint` and `sim`, and `bench.v` with its data:
    `sim` compares a few frames with the golden model's masks. The board decides the FPGA family.

    Example: `bgru ip --board ulx3s_85f --name denoiser`
    """
    from boards.flow.ip import run

    run(bundle_for(bundle, board), board, fold, streamed, width, name, build)
