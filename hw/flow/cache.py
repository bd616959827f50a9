"""The cache: whatever a tool made, kept under a hash of all that went into it.

One folder for all commands, `build/cache` unless the environment variable `BGRU_CACHE` names another. An entry is keyed
by its inputs (RTLIL, netlist, constraints), the tool's version and its options, never by our own source: a changed
docstring invalidates nothing. An entry is either whole or absent, so Ctrl-C or two commands at once cost at most work
done twice. `make clean` empties it.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from model.errors import BadInput

__all__ = ["MARK", "Entry", "cached", "folder", "keep", "key", "maker"]

MARK = "makes_entries"
"""Attribute of the functions that another machine may call by name."""

Maker = TypeVar("Maker", bound=Callable[..., None])


def folder() -> Path:
    """Where the entries are."""
    return Path(os.environ.get("BGRU_CACHE") or "build/cache")


def key(parts: Iterable[str | bytes]) -> str:
    """SHA-256 of parts in order, in hexadecimal; their lengths count too, so that no two lists collide."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()


def cached(kind: str, parts: Iterable[str | bytes], make: Callable[[Path], object]) -> Path:
    """The entry of `kind` for `parts`: a folder, which `make(folder)` fills if it is not there yet.

    What `make` raises passes through and leaves no entry. Do not change an entry: others read it. Raises `BadInput`
    where the cache cannot be written.
    """
    return keep(folder() / kind / key(parts), make)


def keep(entry: Path, make: Callable[[Path], object]) -> Path:
    """The entry of that path in the cache; as `cached`."""
    if not entry.is_dir():
        try:
            entry.parent.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=f".{entry.parent.name}.", dir=entry.parent))
        except OSError as error:
            raise BadInput(
                f"{folder()}: expected a cache folder that can be written, got {error.strerror}; "
                "set BGRU_CACHE to another"
            ) from None
        try:
            make(temporary)
            temporary.chmod(0o755)
            try:
                temporary.rename(entry)
            except OSError:  # another command was quicker: its entry is the same
                if not entry.is_dir():
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return entry


def maker(function: Maker) -> Maker:
    """Mark a function that fills an entry's folder, so that another machine may call it by name."""
    setattr(function, MARK, True)
    return function


@dataclass(frozen=True)
class Entry:
    """An entry with all that it takes to make it, here or on a machine that shares no folder with this one.

    kind, parts : as for `cached`
    make : a function of a module, marked as `maker`; called as `make(folder, **inputs)`
    inputs : text, numbers, bytes, and lists of them
    """

    kind: str
    parts: tuple[str | bytes, ...]
    make: Callable[..., None]
    inputs: Mapping[str, Any]

    @cached_property
    def key(self) -> str:
        """Name of its folder."""
        return key(self.parts)

    @property
    def path(self) -> Path:
        """Its folder, whether it is there or not."""
        return folder() / self.kind / self.key

    def made(self) -> Path:
        """Its folder; made here if it is not there yet."""
        return keep(self.path, lambda target: self.make(target, **self.inputs))
