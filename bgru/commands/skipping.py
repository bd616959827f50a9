"""`bgru skipping`."""

from bgru.options import Recordings, SmallBundle, bundle_for, recording_or_sample


def command(bundle: SmallBundle = None, recordings: Recordings = None) -> None:
    """Measure how much of a network's work could be skipped without changing a bit of the result.

    Runs the golden model over the recordings (repeat `--recording`) and prints, for every BGRU layer, the share of its
    cycles spent on work that changes nothing: mean, minimum and maximum over the recordings.

    Example: `bgru skipping --recording a.wav --recording b.wav`
    """
    from cosim.measure.skipping import run

    run(bundle_for(bundle), recordings or [recording_or_sample(None)])
