"""`bgru study`: the paper's experiment and ours."""

from pathlib import Path
from typing import Annotated

import typer

from bgru.options import (
    DEFAULT_BOARD,
    SEED_HELP,
    SNR_HELP,
    WORKERS_HELP,
    Run,
    Scheduler,
    SmallBundle,
    bundle_for,
    finite,
)

Data = Annotated[Path, typer.Option("--data", help="The folder with paper/ and open/.", envvar="BGRU_DATA")]
Results = Annotated[Path, typer.Option("--results", help="Folder of the study's JSON, tables and pictures.")]
Score = Annotated[list[Path] | None, typer.Option("--score", show_default=False, help="A bundle to score. Repeatable.")]
Count = Annotated[int, typer.Option(min=1, help="Mixtures of held-out kinds of noise, and as many of known ones.")]
Scores = Annotated[Path, typer.Option("--scores", help="Folder of the scores so far: a stopped run resumes from them.")]
RESULTS = Path("docs/study")

command = typer.Typer(
    no_args_is_help=True, help="The paper's experiment, ablations, and other denoisers (docs/study.md)."
)


def _rows(wanted: bool) -> None:
    if wanted:
        from study.experiments import ROWS

        for row in ROWS:
            print(f"{row.group}: {row.name}: {row.label}")
        raise typer.Exit


@command.command("run")
def rows(
    names: Annotated[list[str], typer.Argument(metavar="ROW...", help="Names of rows or groups, or `all`.")],
    data: Data,
    out: Run = Path("runs/study"),
    results: Results = RESULTS,
    units: Annotated[int, typer.Option(min=1, help="Hidden units where the paper has 1024.")] = 1024,
    length: Annotated[float, typer.Option(min=0.001, callback=finite, help="Share of the epochs of each stage.")] = 1.0,
    quick: Annotated[
        bool, typer.Option(help="Leave out the scores that take most of the time: PESQ, and SIR and SAR or DNSMOS.")
    ] = False,
    every: Annotated[int, typer.Option(min=1, help="Score every n-th of the 400 test mixtures.")] = 1,
    seed: Annotated[list[int] | None, typer.Option("--seed", min=0, show_default="0", help=SEED_HELP)] = None,
    scheduler: Scheduler = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, show_default="none", help=WORKERS_HELP)] = None,
    _: Annotated[bool, typer.Option("--rows", callback=_rows, is_eager=True, help="List all rows and exit.")] = False,
) -> None:
    """Train and score rows of the study, one after another.

    Skips rows that have a result. A row may have a seed of its own; with several `--seed`, each row runs with each.
    Under `torchrun -m bgru study run` several processes share each batch. With `--scheduler`, or `--workers` on this
    machine, rows and seeds are jobs that run at the same time (docs/sweeps.md).

    Example: `bgru study run ours --data data --units 256`
    """
    seeds = seed or [0]
    if scheduler is None and workers is None:
        from study.run import run

        run(names, data, out, results, units, length, quick, every, seeds)
    else:
        from study import jobs
        from study.run import choose

        jobs.run(choose(names), data, results, units, length, quick, every, seeds, scheduler, workers)


@command.command("references")
def references(
    data: Data,
    bundles: Score = None,
    results: Results = RESULTS,
    protocol: Annotated[str, typer.Option(help="How speakers are split: disjoint, or as in the paper.")] = "disjoint",
) -> None:
    """Score the systems that need no training on the 400 test mixtures: ideal masks, RNNoise, bundles.

    Example: `bgru study references --data data --score small`
    """
    from study.references import run

    run(data, [bundle_for(bundle) for bundle in bundles or ()], results, protocol)


@command.command("generalisation")
def generalisation(
    data: Data,
    bundles: Score = None,
    runs: Annotated[
        list[Path] | None,
        typer.Option(
            "--run", show_default=False, help="A training run to score, by its best bitwise epoch. Repeatable."
        ),
    ] = None,
    count: Count = 200,
    snr: Annotated[
        list[float] | None, typer.Option("--snr", callback=finite, show_default="0, 5 and 10", help=SNR_HELP)
    ] = None,
    part: Annotated[
        list[str] | None,
        typer.Option(
            show_default="all",
            help="held out, known, snr (-5 to 20 dB), reverberant or clean; the others keep their scores. Repeatable.",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option(help="Leave out the scores that take most of the time: PESQ, and SIR and SAR or DNSMOS.")
    ] = False,
    rnnoise: Annotated[bool, typer.Option(help="Score RNNoise as well.")] = True,
    label: Annotated[str, typer.Option(help="Name of the JSON: generalisation-LABEL.json.")] = "presets",
    out: Scores = Path("runs/study"),
    results: Results = RESULTS,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
) -> None:
    """Score bundles, RNNoise and the mixture on held-out kinds of noise and on known ones.

    Also from -5 to 20 dB, on reverberant speech and on clean speech. A stopped run resumes.

    Example: `bgru study generalisation --data data --score small`
    """
    from study.generalisation import run

    run(
        data,
        [bundle_for(one) for one in bundles or ()],
        runs or [],
        count,
        snr or [],
        part or [],
        quick,
        rnnoise,
        label,
        out,
        results,
        processes,
    )


@command.command("cards")
def cards(
    names: Annotated[
        list[Path], typer.Argument(metavar="BUNDLE...", help="Bundles' folders, or names of shipped ones.")
    ],
    results: Results = RESULTS,
) -> None:
    """Write each bundle's scores on held-out kinds, by SNR, in rooms and on clean speech into its model card.

    They stand next to RNNoise's on the same mixtures. The scores are those of `bgru study generalisation`.

    Example: `bgru study cards small tiny`
    """
    from study.cards import run

    run(results, [bundle_for(name) for name in names])


@command.command("levels")
def levels(data: Data, bundle: SmallBundle = None, results: Results = RESULTS) -> None:
    """Score a bundle on test mixtures that are louder or softer than it was trained on.

    Example: `bgru study levels --data data --bundle small`
    """
    from study.levels import run

    run(data, bundle_for(bundle), results)


@command.command("limits")
def limits(
    data: Data,
    bundle: SmallBundle = None,
    count: Count = 200,
    out: Scores = Path("runs/study"),
    results: Results = RESULTS,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
) -> None:
    """Score a bundle with attenuation limits from none to 6 dB, on held-out kinds of noise and on clean speech.

    Example: `bgru study limits --data data --bundle small`
    """
    from study.limits import run

    run(data, bundle_for(bundle), count, out, results, processes)


@command.command("word-lengths")
def word_lengths(
    data: Data,
    bundle: SmallBundle = None,
    out: Scores = Path("runs/study"),
    results: Results = RESULTS,
    processes: Annotated[int, typer.Option(min=1, help="Processes that share the work.")] = 1,
) -> None:
    """Score a bundle in integers of several word lengths against its front end in floating point.

    Uses 200 mixtures of kinds of noise that no network was trained on, at two levels, next to a null experiment with
    five flipped feature bits. Takes half an hour on one core; a stopped run resumes.

    Example: `bgru study word-lengths --data data --bundle small`
    """
    from study.word_lengths import run

    run(data, bundle_for(bundle), out, results, processes)


@command.command("tables")
def tables(
    results: Results = RESULTS,
    bundles: Annotated[Path, typer.Option(help="The folder of the presets, for the picture of sizes.")] = Path(
        "bundles"
    ),
) -> None:
    """Write the tables and pictures of the study from the available results.

    What each number format costs is planned for the ULX3S-85F; its rows need no result.

    Example: `bgru study tables`
    """
    from functools import partial

    from boards.definitions.registry import find
    from boards.flow.cost import cost
    from study.tables import run

    run(results, bundles, partial(cost, board=find(DEFAULT_BOARD)))
