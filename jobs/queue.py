"""Jobs on a cluster: each makes one entry of the cache, and whatever is in the cache is not made again.

A worker that dies costs its job only: the scheduler gives it to another. A job that fails three times is reported with
its log, and the others go on. What is done stays done, whatever ends the program.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any

from distributed import CancelledError, Future
from distributed.scheduler import KilledWorker

from hw.flow.cache import Entry
from jobs.cluster import ATTEMPTS, Cluster
from jobs.worker import OtherVersions, perform, store
from model.errors import BadInput
from model.files import replacing

__all__ = ["Job", "Outcome", "Queue"]


@dataclass(frozen=True)
class Job:
    """An entry to be made; `label` says to a person what it is."""

    entry: Entry
    label: str


@dataclass(frozen=True)
class Outcome:
    """The end of a job.

    folder : the entry's, or None for a job that failed
    error, log : what a job that failed said last, and the file with all of it
    seconds : from its start on the cluster's queue to its end; None for one that was in the cache
    """

    job: Job
    folder: Path | None = None
    error: str = ""
    log: Path | None = None
    seconds: float | None = None


class Queue:
    """Jobs for a cluster. Iterate over it for their outcomes, in the order in which they end.

    More may be added while it is iterated. `logs` is the folder for the logs of jobs that fail.
    """

    def __init__(self, cluster: Cluster, logs: Path) -> None:
        self.cluster, self.logs = cluster, logs
        self.waiting: deque[Job] = deque()
        self.running: dict[str, list[Job]] = {}
        self.ended: SimpleQueue[Future[Any]] = SimpleQueue()
        self.futures: dict[str, Future[Any]] = {}
        self.since: dict[str, float] = {}

    def add(self, job: Job, *, first: bool = False) -> None:
        """Add a job at the end, or with `first` before all that have not begun."""
        (self.waiting.appendleft if first else self.waiting.append)(job)

    def __iter__(self) -> Iterator[Outcome]:
        while self.waiting or self.running:
            # Enough for each worker to find its next job at the scheduler; their inputs take memory there.
            while self.waiting and len(self.running) < 2 * self.cluster.threads + 2:
                job = self.waiting.popleft()
                if job.entry.path.is_dir():
                    yield Outcome(job, job.entry.path)
                else:
                    self._submit(job)
            if self.running:
                yield from self._outcomes(self._next())

    def _submit(self, job: Job) -> None:
        entry = job.entry
        name = f"bgru-{entry.kind}-{entry.key}"
        self.running.setdefault(name, []).append(job)
        if name in self.futures:
            return
        make = f"{entry.make.__module__}:{entry.make.__qualname__}"
        arguments = (make, entry.kind, entry.key, dict(entry.inputs), self.cluster.wanted)
        future = self.cluster.client.submit(perform, *arguments, key=name, retries=ATTEMPTS - 1, pure=False)
        self.futures[name], self.since[name] = future, monotonic()
        future.add_done_callback(self.ended.put)

    def _next(self) -> Future[Any]:
        while True:
            try:
                return self.ended.get(timeout=1)
            except Empty:
                if self.cluster.client.status not in ("running", "connecting"):
                    raise self._lost() from None

    def _lost(self) -> BadInput:
        return BadInput(
            f"{self.cluster.address}: expected the scheduler to answer until the end, got none; "
            "what is done is kept, the same command goes on with the rest"
        )

    def _outcomes(self, future: Future[Any]) -> Iterator[Outcome]:
        name = str(future.key)
        jobs, seconds = self.running.pop(name), monotonic() - self.since.pop(name)
        del self.futures[name]
        entry, error = jobs[0].entry, ""
        try:
            files = future.result()  # made again if its worker has died in the meantime
        except CancelledError:
            raise self._lost() from None
        except KilledWorker:
            error = f"{ATTEMPTS} workers died with this job"
        except OtherVersions as different:
            raise BadInput(
                f"a worker that came later: expected the versions of this machine, but {different}; stop it, and the "
                "same command goes on with the rest"
            ) from None
        except Exception as failure:
            error = str(failure)
        else:
            store(entry.path, files)
        if not error:
            yield from (Outcome(job, entry.path, seconds=seconds) for job in jobs)
            return
        log = self.logs / f"{entry.kind}-{entry.key[:12]}.log"
        with replacing(log) as temporary:
            temporary.write_text(f"{jobs[0].label}\n\n{error}\n", encoding="utf-8")
        yield from (Outcome(job, None, error.strip().splitlines()[-1], log, seconds) for job in jobs)
