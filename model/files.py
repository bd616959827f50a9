"""Write files that are either whole or absent: next to the target, then rename."""

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from model.errors import BadInput

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Errors of a full disk, an exhausted quota, and a file over the size limit."""


def _mode(bits: int) -> int:
    """Permissions of a new file or folder under the umask."""
    mask = os.umask(0)
    os.umask(mask)
    return bits & ~mask


def _open_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(0, "a folder without write permission")
    except OSError as error:
        raise BadInput(f"{target}: expected a place to write to, got {error.strerror}") from None


@contextmanager
def _room_for(target: Path) -> Iterator[None]:
    """Turn a full disk into a sentence, wherever in the block it occurs."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise BadInput(f"{target}: expected room to write it, got {error.strerror}; what was there is kept") from None


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary file path that becomes `target` if the block succeeds, and vanishes if not.

    A symbolic link stays one: the file that it points to is replaced. A replaced file keeps its permissions, a new one
    gets those of the umask. Raises `BadInput` where there is no place, or no room, to write it.
    """
    _open_folder(target)
    target = target.resolve() if target.is_symlink() else target
    _open_folder(target)
    if target.is_dir():
        raise BadInput(f"{target}: expected a file to write, got a folder")
    with _room_for(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else _mode(0o666))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` (replacing an older one) if the block succeeds.

    No portable system call replaces a folder that is not empty, so an older one is moved aside first, and back if its
    successor cannot take its place. Of two writers at once, the later one's folder stays.
    A symbolic link stays one. Raises `BadInput` where there is no place, or no room, to write it.
    """
    _open_folder(target)
    target = target.resolve() if target.is_symlink() else target
    _open_folder(target)
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: expected a folder to write, got a file")
    with _room_for(target):
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield temporary
            temporary.chmod(target.stat().st_mode & 0o7777 if target.exists() else _mode(0o777))
            _put_in_place(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _put_in_place(temporary: Path, target: Path) -> None:
    while True:
        aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
        retired = aside / target.name
        try:
            with suppress(FileNotFoundError):  # there is none, or another writer has just moved it
                target.rename(retired)
            temporary.rename(target)
        except BaseException as error:
            if _occupied(error):
                continue
            if retired.exists() and not target.exists():
                retired.rename(target)
            raise
        else:
            return
        finally:
            if not retired.exists() or target.exists():
                shutil.rmtree(aside, ignore_errors=True)


def _occupied(error: BaseException) -> bool:
    """Whether another writer was quicker: its folder is in the place, and will be replaced."""
    return isinstance(error, OSError) and error.errno in (errno.ENOTEMPTY, errno.EEXIST)


def write_json(path: Path, value: Any) -> None:
    """Write JSON for people to read, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
