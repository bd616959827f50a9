"""Workers as a user starts them, each a process with a folder and a cache of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from distributed import Client, LocalCluster

from tests.support.paths import ROOT

__all__ = ["scheduler", "started"]


@contextmanager
def scheduler(workers: int = 0) -> Iterator[str]:
    """The address of a scheduler in this process, with so many workers in it."""
    with LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=":0",
                      protocol="tcp", host="127.0.0.1") as cluster:  # fmt: skip
        yield str(cluster.scheduler_address)


@contextmanager
def started(address: str, folders: list[Path], path: Path | None = None) -> Iterator[None]:
    """Start a worker in each folder, wait until they have come, end them. `path` comes first where modules are."""
    processes = []
    paths = [str(path)] if path else []
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            command = ["worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--memory-limit", "0"]
            environment = os.environ | {
                "BGRU_CACHE": str(folder / "cache"),
                "PYTHONPATH": os.pathsep.join([*paths, str(ROOT)]),
            }
            call = [sys.executable, "-m", "dask", *command, "--local-directory", str(folder)]
            with open(folder / "log", "w") as log:
                processes.append(subprocess.Popen(call, cwd=folder, env=environment, stdout=log, stderr=log))
        with Client(address) as client:
            client.wait_for_workers(len(folders), timeout=60)
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()
