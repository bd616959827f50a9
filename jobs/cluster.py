"""The machines that do the work: worker processes here, or a Dask cluster that the user has."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import dask.config
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster
from distributed.comm.addressing import get_address_host_port

from jobs.versions import differences, versions
from model.errors import BadInput

__all__ = ["Cluster", "connect"]

ATTEMPTS = 3
"""Times that a job is tried, whether it raises or its worker dies."""

PATIENCE = 10
"""Seconds to wait for a scheduler."""

SETTINGS = {
    # A worker holds one job for each of its threads, so one that dies takes no other job with it.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
    # A netlist of some megabytes is no mistake.
    "distributed.admin.large-graph-warning-threshold": "1GB",
}


@dataclass(frozen=True)
class Cluster:
    """A connected client, where its scheduler is, and the versions that its workers must have."""

    client: Client
    address: str
    wanted: dict[str, str]

    @property
    def threads(self) -> int:
        """Jobs that the cluster can run at once, as last heard from its scheduler."""
        return sum(worker["nthreads"] for worker in self.client.scheduler_info(n_workers=-1)["workers"].values())


@contextmanager
def connect(scheduler: str | None, workers: int | None, tools: Sequence[str]) -> Iterator[Cluster]:
    """Connect to a scheduler, or start one here with `workers` processes (by default one per core).

    tools : packages whose versions must be those of this machine. Raises `BadInput` where the scheduler does not
    answer, or where a worker differs.
    """
    wanted = versions(tools)
    with dask.config.set(SETTINGS):
        if scheduler is None:
            with (
                LocalCluster(
                    n_workers=workers or CPU_COUNT,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=0,  # the tools' memory, which is most of it, is outside of the worker's process
                    dashboard_address=":0",
                    preload=["jobs.worker"],
                    silence_logs=logging.CRITICAL,
                ) as local,
                Client(local) as client,
            ):
                yield Cluster(client, str(local.scheduler_address), wanted)
            return
        with _client(scheduler) as client:
            _check(client, wanted)
            yield Cluster(client, scheduler, wanted)


def _client(scheduler: str) -> Client:
    try:
        get_address_host_port(scheduler)
        return Client(scheduler, timeout=PATIENCE)
    except (OSError, ValueError, TimeoutError):
        raise BadInput(
            f"--scheduler: expected a Dask scheduler such as tcp://host:8786, got no answer from {scheduler} "
            f"in {PATIENCE} s"
        ) from None


def _check(client: Client, wanted: dict[str, str]) -> None:
    """Raise `BadInput` for the first worker that differs from this machine."""
    try:
        found = client.run(differences, wanted)
    except ModuleNotFoundError as error:
        raise BadInput(f"workers: expected bgru-fpga on each of them, got no module {error.name} on one") from None
    for worker, text in sorted(found.items()):
        if text:
            raise BadInput(f"worker {worker}: expected the versions of this machine, but {text}")
