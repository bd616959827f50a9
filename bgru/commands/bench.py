"""`bgru bench`."""

from bgru.options import DEFAULT_BOARD, Board, Bundle, Recording, bundle_for, recording_or_sample


def command(board: Board = DEFAULT_BOARD, bundle: Bundle = None, recording: Recording = None) -> None:
    """Measure every performance figure, and print it next to its target and its reference.

    For the network: simulation speed over the whole recording, and what could be skipped. For it and the presets:
    cycles, latency, and the use of the weight memories. For the components on ECP5: LUT4 and clock. And the gain from
    packed weights, memory slices and the synthesis options. Takes five to ten minutes.

    Example: `bgru bench`
    """
    from cosim.measure.benchmark import run

    run(bundle_for(bundle, board), recording_or_sample(recording), board)
