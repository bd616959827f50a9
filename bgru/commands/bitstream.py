"""`bgru bitstream`."""

from typing import Annotated

import typer

from bgru.options import (
    DEFAULT_BOARD,
    DEFAULT_BUILD,
    SEEDS_HELP,
    Board,
    Build,
    Bundle,
    Clock,
    Fold,
    Limit,
    Sound,
    bundle_for,
)


def command(
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    clock: Clock = None,
    seeds: Annotated[int, typer.Option(min=1, help=SEEDS_HELP)] = 8,
    sound: Sound = None,
    limit: Limit = None,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Make a bitstream of a bundle for a board, from the plan to the file.

    Writes `<build>/<board>/<bundle>/bitstream/`: the bitstream, and `flash.bin` with both parts for a board whose
    weights come from SPI flash. A stand-in of the network's shape is placed and routed once and the weights are then
    written into it, so the next bundle of that shape takes seconds. Prints the use of each resource, the clock,
    cycles and latency per frame, and the slack to real time.

    With `--sound`, into `<build>/<board>/<bundle>/sound/`: from a Pmod I2S2's line in or an INMP441 microphone to the
    Pmod's line out, or with `jack` from the microphone to the ULX3S's own jack, without a PC (docs/sound.md has the
    wires). A button passes the sound unchanged. Also prints the true sample rate and the delay. With `--sound uart`,
    into `sound_uart/`, sound comes from a PC: `bgru host --audio`. `--limit` is for a denoiser with sound on its pins.

    Example: `bgru bitstream --board icebreaker --bundle tiny --sound microphone`
    """
    from boards.flow.bitstream import run

    run(bundle_for(bundle, board), board, fold, clock, seeds, build, sound, limit)
