"""What a person sees while jobs run: a live table, and a bar with the time to go."""

from collections.abc import Callable, Iterator

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from jobs.queue import Outcome, Queue
from model.console import console

__all__ = ["follow"]

WINDOW = 24 * 3600
"""Seconds over which the speed is averaged: jobs may take minutes each."""


def follow(queue: Queue, total: int | None, table: Callable[[], RenderableType]) -> Iterator[Outcome]:
    """Iterate over a queue, of `total` jobs in the end, if that is known; show `table()` and a bar."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TextColumn("to go"), TimeRemainingColumn(), speed_estimate_period=WINDOW)
    task = bar.add_task("jobs", total=total)
    with Live(get_renderable=lambda: Group(table(), bar), console=console, refresh_per_second=2):
        for outcome in queue:
            bar.advance(task)
            running = f"jobs, {len(queue.running)} on {queue.cluster.threads} workers"
            bar.update(task, description=running if queue.running else "jobs")
            yield outcome
