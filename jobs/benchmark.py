"""What the job engine costs: overhead per job, jobs per second, two workers against one, memory (`bgru jobs`)."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

import psutil

from hw.flow.cache import Entry, maker
from jobs.cluster import Cluster, connect
from jobs.queue import Job, Queue
from model.console import console

__all__ = ["run", "work"]

TRIVIAL = 1000
"""Jobs that do next to nothing."""

HEAVY, ROUNDS = 24, 1_000_000
"""Jobs that keep a core busy, and how many times they hash: some 0.5 s."""


@maker
def work(folder: Path, number: int, rounds: int) -> None:
    """Hash a number so many times; note the seconds that it took."""
    begin, digest = perf_counter(), number.to_bytes(32, "little")
    for _ in range(rounds):
        digest = hashlib.sha256(digest).digest()
    (folder / "digest").write_bytes(digest)
    (folder / "seconds").write_text(f"{perf_counter() - begin:.6f}")


def timed(cluster: Cluster, jobs: int, rounds: int) -> tuple[float, float]:
    """Run jobs that are in no cache: seconds in all, and the sum of the seconds in the jobs' own work."""
    with _own_cache() as folder:
        queue = Queue(cluster, folder / "logs")
        for number in range(jobs):
            entry = Entry("work", (os.urandom(16),), work, {"number": number, "rounds": rounds})
            queue.add(Job(entry, str(number)))
        begin, inside = perf_counter(), 0.0
        for outcome in queue:
            assert outcome.folder is not None, outcome.error
            inside += float((outcome.folder / "seconds").read_text())
        return perf_counter() - begin, inside


@contextmanager
def _own_cache() -> Iterator[Path]:
    """A cache of this process that vanishes."""
    before = os.environ.get("BGRU_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BGRU_CACHE"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["BGRU_CACHE"]
            else:
                os.environ["BGRU_CACHE"] = before


def run(workers: int) -> None:
    """Measure the engine on this machine: `bgru jobs`."""
    throughput = {}
    out = console.print
    with _own_cache():  # the workers' cache, too
        for count in (1, workers):
            with connect(None, count, ()) as cluster:
                timed(cluster, 2 * count, 1)  # the first job of a worker imports its function
                seconds, inside = timed(cluster, TRIVIAL, 1)
                out(f"{count} worker{'s' * (count > 1)}")
                out(f"  trivial jobs   {TRIVIAL:,} in {seconds:.1f} s: {TRIVIAL / seconds:,.0f} jobs/s")
                out(f"  overhead       {1e3 * (seconds * count - inside) / TRIVIAL:.1f} ms of a worker's time per job")
                seconds, inside = timed(cluster, HEAVY, ROUNDS)
                throughput[count] = HEAVY / seconds
                out(f"  busy jobs     {HEAVY} of {inside / HEAVY:.2f} s in {seconds:.1f} s: {HEAVY / seconds:.2f}/s")
                memory = cluster.client.run(_resident)
                out(f"  memory         {max(memory.values()) / 2**20:.0f} MiB per worker, beside what its tool takes")
    out(f"speed-up         {throughput[workers] / throughput[1]:.2f} x with {workers} workers")
    load, cores = os.getloadavg()[0], os.cpu_count()
    out(f"machine          {cores} cores, load average {load:.1f}, of which these jobs are {workers} at most")


def _resident() -> int:
    """Bytes of this process in memory."""
    return int(psutil.Process().memory_info().rss)
