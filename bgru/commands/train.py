"""`bgru train`."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import PRESET_HELP, NoiseFolders, Notice, Run, Seed, SpeechFolders, board_names


def _settings(wanted: bool) -> None:
    if wanted:
        from model.training.config import described

        print(described())
        raise typer.Exit


def command(
    speech: SpeechFolders,
    noise: NoiseFolders,
    out: Run,
    preset: Annotated[str, typer.Option(help=PRESET_HELP)] = "small",
    result: Annotated[
        Path | None, typer.Option("--result", show_default="OUT/bundle", help="Folder for the bundle.")
    ] = None,
    test_speakers: Annotated[
        str, typer.Option(show_default="a share of them", help="Speakers for the final scores, separated by commas.")
    ] = "",
    validation_speakers: Annotated[
        str,
        typer.Option(
            show_default="a share of them", help="Speakers for the scores of each epoch, separated by commas."
        ),
    ] = "",
    held_out_kinds: Annotated[
        str,
        typer.Option(
            show_default="none", help="Kinds of noise that only validation hears, not training, separated by commas."
        ),
    ] = "",
    rooms: Annotated[
        Path | None,
        typer.Option("--rooms", show_default="no rooms", help="A folder of recordings: impulse responses of rooms."),
    ] = None,
    start: Annotated[
        Path | None,
        typer.Option(
            "--start",
            show_default="none",
            help="A run whose best network, at pi = 1 if it has one, and front end to start from.",
        ),
    ] = None,
    seed: Seed = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            show_default=False,
            help="Change a setting; `--settings` lists them. Repeatable.",
        ),
    ] = None,
    notice: Notice = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out unreadable recordings, and name them.")
    ] = False,
    fit: Annotated[
        str | None,
        typer.Option(
            metavar="BOARD",
            autocompletion=board_names,
            show_default="the settings' formats",
            help="Choose each layer's weight format so that the network fits this board.",
        ),
    ] = None,
    with_audio: Annotated[
        bool, typer.Option("--with-audio", help="With --fit: leave room on the board for the audio path.")
    ] = False,
    method: Annotated[
        str,
        typer.Option(help="How --fit predicts the cost of a format: curvature (of the loss), divergence or search."),
    ] = "curvature",
    _: Annotated[
        bool, typer.Option("--settings", callback=_settings, is_eager=True, help="List all settings and exit.")
    ] = False,
) -> None:
    """Train a network, and export it as a bundle with a model card and a page.

    Splits the recordings by speaker, and each noise in time, into training, validation and test. `--speech` and
    `--noise` may be given several times. A noise called `rain__roof.wav` is of the kind `rain`; kinds are drawn evenly.
    The same command again resumes a stopped run. `torchrun --nproc-per-node N -m bgru train` with the same
    options shares the work between N processes, with the same result.

    With `--fit`, the real-valued stages train first. Then all assignments of formats to layers that fit the board are
    compared, the best is printed and kept in `OUT/fit.json`, and the quantised stages train it.

    Example: `bgru train --speech speech --noise noise --out runs/mine --preset small`
    """
    from boards.definitions.registry import find
    from boards.flow.budget import BoardBudget
    from model.training.mixed_precision import Fit
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
        None if fit is None else Fit(fit, method, BoardBudget(find(fit), with_audio), with_audio),
    )
