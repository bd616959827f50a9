"""Files that are either whole or absent: write beside the target, then rename."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import BadInput

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a full disk, a used-up quota, and a file over the largest size that is allowed."""


def _open_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(0, "a folder without write permission")
    except OSError as error:
        raise BadInput(f"{target}: expected a place to write to, got {error.strerror}") from None


@contextmanager
def _room_for(target: Path) -> Iterator[None]:
    """A full disk as a sentence, wherever in the block it was met."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise BadInput(f"{target}: expected room to write it, got {error.strerror}; what was there is kept") from None


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary file path that becomes `target` if the block ends well, and vanishes if not.

    Raises `BadInput` where there is no place, or no room, to write it.
    """
    _open_folder(target)
    if target.is_dir():
        raise BadInput(f"{target}: expected a file to write, got a folder")
    with _room_for(target):
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=target.suffix, dir=target.parent)
        os.close(handle)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `target` (replacing an older one) if the block ends well.

    Raises `BadInput` where there is no place, or no room, to write it.
    """
    _open_folder(target)
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: expected a folder to write, got a file")
    with _room_for(target):
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            if target.exists():
                retired = Path(tempfile.mkdtemp(prefix=f".{target.name}.old.", dir=target.parent))
                target.rename(retired / target.name)
                temporary.rename(target)
                shutil.rmtree(retired)
            else:
                temporary.rename(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
