"""`bgru stream`."""

from typing import Annotated

import typer

from bgru.options import DEFAULT_BUILD, Build, Frames, LargeBundle, Recording, bundle_for, finite, recording_or_sample


def command(
    bundle: LargeBundle = None,
    recording: Recording = None,
    clocks: Annotated[
        list[float] | None,
        typer.Option(
            "--memory-clock",
            min=10,
            max=133.3,
            callback=finite,
            show_default="100 and 133",
            help="Clock of the SDRAM in MHz. Repeatable.",
        ),
    ] = None,
    frames: Frames = 4,
    build: Build = DEFAULT_BUILD,
) -> None:
    """Simulate a network with weights from SDRAM, compare every bit, and measure its pace.

    The largest layer's weights come from a model of the ULX3S's SDRAM, at each clock. Prints cycles per frame, frames
    per second next to real time, and how busy the SDRAM is; exits with 1 at the first bit that differs. All frames but
    the first are measured. Without a bundle it takes a random network of the paper's size: some minutes per clock.

    Example: `bgru stream --memory-clock 100`
    """
    from cosim.measure.streaming import run

    run(bundle_for(bundle) if bundle else None, recording_or_sample(recording), clocks, frames or 4, build)
