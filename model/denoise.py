"""Denoise a recording with a bundle: `python -m model.denoise in.wav out.wav --bundle bundles/small`."""

from pathlib import Path
from typing import Annotated

import typer

from model import audio, bundle, cli
from model.audio import Signal
from model.bits import Bits
from model.frontend import FrontEnd
from model.golden import GoldenModel


def apply_mask(front_end: FrontEnd, recording: Signal, mask: Bits) -> Signal:
    """Keep the bins whose mask bit is 1: recording (samples,), mask (frames, bins) to a signal (samples,)."""
    return front_end.istft(front_end.stft(recording) * mask, len(recording))


def main(
    recording: Annotated[Path, typer.Argument(help="Noisy recording: WAV, FLAC, ... of any rate.")],
    output: Annotated[Path, typer.Argument(help="Where the denoised recording goes (WAV or FLAC).")],
    bundle_folder: Annotated[Path, typer.Option("--bundle", help="The network.")] = Path("bundles/small"),
) -> None:
    """Denoise a recording with the golden model, the same bits that the hardware computes."""
    network = bundle.read(bundle_folder)
    front_end = network.front_end
    noisy = audio.read(recording, front_end.sample_rate)
    mask = GoldenModel(network).masks(front_end.hear(noisy))
    audio.write(output, apply_mask(front_end, noisy, mask), front_end.sample_rate)
    cli.console.print(f"{output}: {len(mask)} frames, {mask.mean():.0%} of the bins kept")


if __name__ == "__main__":
    cli.run(main)
