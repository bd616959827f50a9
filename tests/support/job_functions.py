"""Jobs that work, that fail, and that kill their worker."""

import os
import signal
import time
from pathlib import Path

from hw.flow.cache import Entry, maker

__all__ = ["double", "entry"]


@maker
def double(folder: Path, value: int) -> None:
    """Write twice the value."""
    (folder / "result").write_text(str(2 * value))


@maker
def reverse(folder: Path, value: int, data: bytes) -> None:
    """Write data backwards."""
    (folder / "result").write_bytes(data[::-1])


@maker
def wait(folder: Path, value: int) -> None:
    """Take longer than a test waits."""
    time.sleep(3)


@maker
def fail(folder: Path, value: int, tries: str) -> None:
    """Note the attempt in the file `tries`, leave half a result, fail."""
    with open(tries, "a") as file:
        file.write("x")
    (folder / "half").touch()
    raise RuntimeError(f"no result of {value}: too bad")


@maker
def kill(folder: Path, value: int, tries: str, times: int) -> None:
    """Kill the worker, as an operating system short of memory does, until it has been done so many times."""
    with open(tries, "a+") as file:
        file.write("x")
        file.seek(0)
        done = len(file.read())
    if done <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    double(folder, value)


@maker
def fill(folder: Path, value: int) -> None:
    """Write to a device that is full."""
    (folder / "result").symlink_to("/dev/full")
    (folder / "result").write_text("x")


def unmarked(folder: Path, value: int) -> None:
    (folder / "result").write_text("called")


def entry(make, value: int, **inputs) -> Entry:
    return Entry("demo", (make.__name__, str(value)), make, {"value": value, **inputs})
