"""`bgru train`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import Notice


def _settings(wanted: bool) -> None:
    if wanted:
        from model.training.config import described

        print(described())
        raise typer.Exit


def command(
    speech: Annotated[
        list[Path], typer.Option("--speech", help="Speech: any folder of `speaker/utterance` recordings.")
    ],
    noise: Annotated[
        list[Path],
        typer.Option("--noise", help="Noise: any folder of recordings."),
    ],
    out: Annotated[Path, typer.Option(help="The run's folder; training goes on from the checkpoint found there.")],
    preset: Annotated[str, typer.Option(help="Size of the network: tiny, small or paper.")] = "small",
    result: Annotated[
        Path | None, typer.Option("--result", help="Where the bundle goes; `OUT/bundle` if not given.")
    ] = None,
    test_speakers: Annotated[str, typer.Option(help="Speakers for the final scores, separated by commas.")] = "",
    validation_speakers: Annotated[str, typer.Option(help="Speakers for the scores of each epoch.")] = "",
    held_out_kinds: Annotated[
        str, typer.Option(help="Kinds of noise that training never hears and validation does, separated by commas.")
    ] = "",
    rooms: Annotated[
        Path | None, typer.Option("--rooms", help="Impulse responses of rooms: any folder of recordings.")
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", help="A run to begin with: its best bitwise network and its front end.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything that is drawn, as `--set seed=`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="`name=value`, repeatable; `--settings` lists them.")
    ] = None,
    notice: Notice = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Name recordings that cannot be read and go on without them.")
    ] = False,
    _: Annotated[
        bool, typer.Option("--settings", callback=_settings, is_eager=True, help="List all settings and exit.")
    ] = False,
) -> None:
    """Train a network, and export it as a bundle with a model card and a page.

    The recordings are split by speaker, and noises in time, into training, validation and test. `--speech` and
    `--noise` are repeatable; a noise called `rain__roof.wav` is of the kind `rain`, and kinds are drawn evenly. A run
    that was stopped goes on where it was when the same command is given again. `torchrun --nproc-per-node N -m bgru
    train` with the same options shares the work between N processes, with the same result.

    Example: `bgru train --speech speech --noise noise --out runs/mine --preset small`
    """
    from model.training.train import run

    run(
        speech,
        noise,
        out,
        preset,
        result,
        test_speakers,
        validation_speakers,
        held_out_kinds,
        rooms,
        start,
        seed,
        settings,
        notice,
        skip_broken,
    )
