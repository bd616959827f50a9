"""`bgru denoise`."""

from bgru.options import DEFAULT_OUTPUT, Bypass, Noisy, Output, SmallBundle, bundle_for, recording_or_sample


def command(
    recording: Noisy = None, output: Output = DEFAULT_OUTPUT, bundle: SmallBundle = None, bypass: Bypass = False
) -> None:
    """Denoise a recording with the golden model, the same samples that the hardware computes.

    Reads, denoises and writes piece by piece, in memory that does not grow with the length. Clips samples beyond full
    scale, and says how many. Prints the processor time and how many times real time that is.

    Example: `bgru denoise noisy.wav clean.wav`, or `ffmpeg -i talk.mp4 -f wav - | bgru denoise - clean.wav`
    """
    from model.reference.denoise import run

    run(recording_or_sample(recording), output, bundle_for(bundle), bypass)
