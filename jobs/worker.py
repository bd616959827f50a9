"""What a worker does: it makes one entry of the cache, by a function of this project, and sends its files back."""

import errno
import importlib
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil

from hw.flow import cache
from jobs.versions import differences
from model.errors import BadInput
from model.files import NO_ROOM

__all__ = ["JobFailed", "OtherVersions", "dask_setup", "dask_teardown", "perform", "store"]


class JobFailed(Exception):
    """A job failed on a worker; the message is its log."""


class OtherVersions(Exception):
    """A worker is not of the client's versions; the message says which differ."""


def perform(maker: str, kind: str, key: str, inputs: Mapping[str, Any], wanted: Mapping[str, str]) -> dict[str, bytes]:
    """Make an entry in this machine's cache, or find it there; return its files by name.

    maker : `module:function`; only functions marked as `hw.flow.cache.maker` are called
    wanted : the versions of the client
    """
    if found := differences(wanted):
        raise OtherVersions(found)
    try:
        make = _function(maker)
        entry = cache.keep(cache.folder() / kind / key, lambda target: make(target, **inputs))
        return {path.name: path.read_bytes() for path in sorted(entry.iterdir())}
    except (BadInput, RuntimeError) as error:
        raise JobFailed(str(error)) from None
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise JobFailed(traceback.format_exc()) from None
        reason = errno.errorcode[error.errno]
        raise JobFailed(f"{cache.folder()}: expected room for the result, got {error.strerror} ({reason})") from None
    except Exception:
        raise JobFailed(traceback.format_exc()) from None


def _function(name: str) -> Callable[..., None]:
    module, _, function = name.partition(":")
    found: Callable[..., None] = getattr(importlib.import_module(module), function)
    if not getattr(found, cache.MARK, False):
        raise BadInput(f"job: expected a function that makes entries of the cache, got {name}")
    return found


def store(entry: Path, files: Mapping[str, bytes]) -> None:
    """Put an entry that a worker made into this machine's cache."""

    def write(folder: Path) -> None:
        for name, data in files.items():
            (folder / Path(name).name).write_bytes(data)

    cache.keep(entry, write)


def dask_setup(worker: object) -> None:
    """Preloaded by a worker of a command's own: leave Ctrl-C to the command, which then ends the worker."""
    os.setpgrp()


def dask_teardown(worker: object) -> None:
    """End the tools that still run; without their worker nobody takes their results."""
    for process in psutil.Process().children(recursive=True):
        process.kill()
