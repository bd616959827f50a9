"""`bgru jobs`."""

from typing import Annotated

import typer


def command(
    processes: Annotated[int, typer.Option(min=2, help="Processes that share the work.")] = 2,
) -> None:
    """Measure the engine of `bgru sweep`, `bgru fuzz` and `bgru study run` on this machine (docs/sweeps.md).

    Overhead per job, trivial jobs per second, the throughput of several workers against one, and memory per worker.

    Example: `bgru jobs`
    """
    from jobs.benchmark import run

    run(processes)
