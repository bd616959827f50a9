"""`bgru plan`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BOARD, DEFAULT_BUILD, Board, Build, Bundle, Clock, Fold, Sound, bundle_for, finite


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    frame_rate: Annotated[
        float | None,
        typer.Option(min=1e-3, callback=finite, show_default=False, help="Frames per second to keep up with."),
    ] = None,
    fold: Fold = None,
    clock: Clock = None,
    sound: Sound = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Choose PE, SIMD and packing of each layer, before anything is synthesised.

    With a frame rate: prints the smallest design that keeps up with it at the clock, or one sentence about what is
    missing. Area is the sum of the shares of the device's LUT4, block RAM and single-port RAM. Without: the same for
    the bundle's own frame rate, and all Pareto-optimal designs in latency and LUT4, as a table and as a picture,
    `<build>/<board>/<bundle>/plan.svg` and `.png`. Cycles and RAM are exact, LUT4 within 10 % (docs/planning.md); all
    are of the network alone, without the link.

    With `--sound`: the network that fits next to the audio path of `bgru bitstream --sound`, the resources of both, the
    audio engine's cycles, and the delay of a sample. If they do not fit: what is missing, and what to leave out.

    Example: `bgru plan --board icebreaker --frame-rate 125`
    """
    from boards.flow.plan import run

    run(bundle_for(bundle, board), board, frame_rate, fold, clock, build, sound)
