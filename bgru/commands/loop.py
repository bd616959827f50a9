"""`bgru loop`."""

from bgru.options import (
    DEFAULT_BOARD,
    DEFAULT_BUILD,
    DEFAULT_OUTPUT,
    Audio,
    Board,
    Build,
    Bundle,
    Fold,
    Noisy,
    Output,
    bundle_for,
    recording_or_sample,
)


def command(
    recording: Noisy = None,
    output: Output = DEFAULT_OUTPUT,
    board: Board = DEFAULT_BOARD,
    bundle: Bundle = None,
    fold: Fold = None,
    build: Build = DEFAULT_BUILD,
    audio: Audio = False,
) -> None:
    """Denoise a recording through the simulated board, and compare every mask with the golden model.

    The real host client talks to the real gateware, built with Verilator, over a pseudo-terminal. With `--audio` the
    gateware includes the audio path, and hops of samples go over the line (`bgru host --audio`).

    Example: `bgru loop --board icebreaker`
    """
    from boards.host.protocol import Kind
    from cosim.chips.loop import run

    kind = Kind.SOUND if audio else Kind.NETWORK
    run(bundle_for(bundle, board), board, fold, recording_or_sample(recording), output, build, kind)
