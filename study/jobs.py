"""Rows of the study as jobs, on all cores or on a cluster: `bgru study run --scheduler`."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from hw.flow import cache
from hw.flow.cache import Entry, maker
from jobs.cluster import connect
from jobs.progress import follow
from jobs.queue import Job, Queue
from jobs.versions import TRAINING, versions
from model.errors import BadInput
from model.training import config
from model.training.distributed import Team
from study.experiments import ROWS, Experiment
from study.run import ALL, QUICK, missing, save, train_and_score

__all__ = ["data_key", "make_row", "run", "training"]

DATA = "BGRU_DATA"
"""Environment variable with the folder of recordings on a worker: they are too large to travel."""


def data_key(data: Path) -> str:
    """Key of the recordings in a folder: their names and sizes."""
    files = (path for name in ("paper", "open") for path in (data / name).rglob("*") if path.is_file())
    return cache.key(sorted(f"{path.relative_to(data)} {path.stat().st_size}" for path in files))


def training(row: Experiment, data: str, units: int, length: float, quick: bool, every: int, seed: int) -> Entry:
    """The result of a row, trained on the recordings whose key is `data`."""
    inputs = {"name": row.name, "data": data, "quick": quick, "every": every}
    changes = [f"seed={seed}", *row.with_sizes(units, length)]
    parts = (*map(str, versions(TRAINING).items()), json.dumps(inputs), *changes)
    return Entry("study", parts, make_row, {**inputs, "changes": changes})


@maker
def make_row(folder: Path, name: str, data: str, quick: bool, every: int, changes: list[str]) -> None:
    """Train and score a row; leaves `result.json`. A worker that was stopped goes on from its checkpoint."""
    there = Path(os.environ.get(DATA) or "data")
    if data_key(there) != data:
        raise BadInput(f"{DATA}: expected the recordings of the client in {there.resolve()}, got other ones or none")
    (row,) = (one for one in ROWS if one.name == name)
    checkpoints = cache.folder() / "runs" / cache.key([name, data, *changes])
    settings = config.with_settings("small", changes)
    result = train_and_score(row, settings, there, checkpoints, Team(), QUICK if quick else ALL, every)
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def run(
    chosen: Sequence[Experiment],
    data: Path,
    results: Path,
    units: int,
    length: float,
    quick: bool,
    every: int,
    seeds: Sequence[int],
    scheduler: str | None,
    workers: int | None,
) -> None:
    """Train and score rows with each seed. Exits with 1 if one failed."""
    if tied := [row for row in chosen if row.start]:
        raise BadInput(
            f"row {tied[0].name}: expected a row that starts from nothing, as workers share no folder, but it starts "
            f"from {tied[0].start}'s network; leave --scheduler and --workers out"
        )
    os.environ[DATA] = str(data.resolve())  # of the workers that are started here
    known, failed = data_key(data), 0
    wanted = [
        Job(training(row, known, units, length, quick, every, seed), path.name)
        for row, seed, path in missing(chosen, seeds, results)
    ]
    done: list[str] = []
    with connect(scheduler, workers, TRAINING) as cluster:
        queue = Queue(cluster, results / "failed")
        for job in wanted:
            queue.add(job)
        for outcome in follow(queue, len(wanted), lambda: Text("\n".join(done))):
            if outcome.folder is None:
                failed += 1
                done.append(f"{outcome.job.label}: failed: {outcome.error}; its log: {outcome.log}")
            else:
                save(json.loads((outcome.folder / "result.json").read_text()), results / outcome.job.label)
                done.append(f"{outcome.job.label}: settings, curves and scores")
    if failed:
        raise SystemExit(1)
