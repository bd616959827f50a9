"""`bgru ip`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, DEFAULT_BUILD, Audio, Board, Build, Bundle, Fold, bundle_for


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    streamed: Annotated[
        list[str] | None,
        typer.Option(help="A layer that takes its weights from a stream in every frame; it needs its --fold too."),
    ] = None,
    width: Annotated[
        int | None, typer.Option(show_default="32", help="Word width of features and masks in bits; a multiple of 8.")
    ] = None,
    name: Annotated[
        str, typer.Option(help="Name of the module, its files and its C names; two cores need two names.")
    ] = "bgru",
    audio: Audio = False,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Write a network as a core with AXI4-Stream and Wishbone ports (docs/axi.md).

    Writes `<build>/<board>/<bundle>/ip/`: `bgru.v` with the contents of its memories, `bgru.vh` with its sizes,
    `bgru_driver.h`, `.c` and `.py` with drivers, `bgru.core` for FuseSoC with the targets `lint` and `sim`, and
    `bench.v` with its data: `sim` compares a few frames with the golden model's masks. The board sets the FPGA family.

    With `--audio`, into `<build>/<board>/<bundle>/ip_audio/`: a packet of 16-bit samples in, the denoised recording
    out, with as many samples. `sim` compares two recordings with the reference's samples.

    Example: `bgru ip --board ulx3s_85f --audio --name denoiser`
    """
    from boards.flow.ip import run

    run(bundle_for(bundle, board), board, fold, streamed, width, name, audio, build)
