"""Random networks against the golden model, for as long as asked: `bgru fuzz`."""

from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import monotonic

import numpy as np
from rich.text import Text

from cosim.bench.simulators import simulator_path
from cosim.fuzz.case import Case, check, draw, read, verdict
from cosim.fuzz.case import entry as entry_of
from cosim.fuzz.minimise import Finding, hunt
from hw.flow.cache import key
from jobs.cluster import Cluster, connect
from jobs.progress import follow
from jobs.queue import Queue
from jobs.steps import Steps
from jobs.versions import SIMULATION
from model.console import console
from model.files import replacing

__all__ = ["Tally", "fuzz", "replay", "run"]


class Tally:
    """What was simulated so far, what could not be, and what differs."""

    def __init__(self) -> None:
        self.passed = self.failed = 0
        self.found: list[tuple[Case, str, Path]] = []


def run(hours: float, seed: int, simulator: str, scheduler: str | None, workers: int | None, build: Path) -> None:
    """Fuzz, and write what differs as test cases: `bgru fuzz`. Exits with 1 if anything differs."""
    if scheduler is None:
        simulator_path(simulator, waves=False)  # fail before the work, not after it
    tally = Tally()
    interrupted = True
    with connect(scheduler, workers, SIMULATION) as cluster, suppress(KeyboardInterrupt):
        fuzz(cluster, 3600 * hours, seed, simulator, build / "fuzz", tally, check)
        interrupted = False
    console.print(f"simulated  {tally.passed + len(tally.found):,} networks, every bit compared with the golden model")
    if tally.failed:
        console.print(f"failed     {tally.failed:,} jobs; their logs are in {build / 'fuzz' / 'failed'}")
    for _, mismatch, path in tally.found:
        console.print(f"MISMATCH   {mismatch}\n           bgru fuzz --replay {path}")
    if interrupted:
        raise KeyboardInterrupt
    if tally.found or tally.failed:
        raise SystemExit(1)


def fuzz(
    cluster: Cluster,
    seconds: float,
    seed: int,
    simulator: str,
    folder: Path,
    tally: Tally,
    checking: Callable[..., None],
    most: int | None = None,
) -> None:
    """Check cases by `checking` for some seconds, or `most` cases, and minimise those that differ into `folder`.

    Case n of a seed is always the same one.
    """
    queue = Queue(cluster, folder / "failed")
    steps: Steps[tuple[bool, Finding]] = Steps(queue)
    end, numbers = monotonic() + seconds, iter(count() if most is None else range(most))

    def start() -> None:
        if monotonic() < end and (number := next(numbers, None)) is not None:
            steps.start(number, hunt(draw(np.random.default_rng([seed, number]), simulator), checking))

    def shown() -> Text:
        left = max(0, round(end - monotonic()))
        return Text(f"{tally.passed:,} networks agree, {len(tally.found)} differ, {left:,} s left")

    for _ in range(2 * cluster.threads + 2):
        start()
    for outcome in follow(queue, None, shown):
        for _, (simulated, finding) in steps.ended(outcome):
            if finding is not None:
                case, mismatch = finding
                path = folder / f"{key([case.text])[:12]}.json"
                with replacing(path) as temporary:
                    temporary.write_text(case.text + "\n", encoding="utf-8")
                tally.found.append((case, mismatch, path))
            elif simulated:
                tally.passed += 1
            else:
                tally.failed += 1
            start()


def replay(path: Path) -> None:
    """Simulate one case here: `bgru fuzz --replay`. Exits with 1 if it differs."""
    mismatch = verdict(entry_of(read(path), check).made())
    if mismatch:
        console.print(f"MISMATCH   {mismatch}")
        raise SystemExit(1)
    console.print(f"agrees     {path}: every bit is the golden model's")
