"""`bgru train`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import Noise, Notice


def _settings(wanted: bool) -> None:
    if wanted:
        from model.training.config import described

        print(described())
        raise typer.Exit


def command(
    speech: Annotated[
        list[Path], typer.Option("--speech", help="Speech: any folder of `speaker/utterance` recordings.")
    ],
    noise: Noise,
    out: Annotated[Path, typer.Option(help="The run's folder; training goes on from the checkpoint found there.")],
    preset: Annotated[str, typer.Option(help="Size of the network: tiny, small or paper.")] = "small",
    result: Annotated[
        Path | None, typer.Option("--result", help="Where the bundle goes; `OUT/bundle` if not given.")
    ] = None,
    test_speakers: Annotated[str, typer.Option(help="Speakers for the final scores, separated by commas.")] = "",
    validation_speakers: Annotated[str, typer.Option(help="Speakers for the scores of each epoch.")] = "",
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
    """Train a network in two rounds, and export it as a bundle with a model card and a page.

    The recordings are split by speaker (and each noise in time) into training, validation and test; `--speech` is
    repeatable. A run that was stopped goes on where it was when the same command is given again. `torchrun
    --nproc-per-node N -m bgru train` with the same options shares the work between N processes, with the same result.

    Example: `bgru train --speech speech --noise noise --out runs/mine --preset small`
    """
    from model.training.train import run

    run(speech, noise, out, preset, result, test_speakers, validation_speakers, seed, settings, notice, skip_broken)
