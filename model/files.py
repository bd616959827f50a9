"""Files that are either whole or absent: write beside the target, then rename."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import BadInput


def _open_folder(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not os.access(target.parent, os.W_OK):
            raise PermissionError(0, "a folder without write permission")
    except OSError as error:
        raise BadInput(f"{target}: expected a place to write to, got {error.strerror}") from None


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Yield a temporary file path that becomes `target` if the block ends well, and vanishes if not."""
    _open_folder(target)
    if target.is_dir():
        raise BadInput(f"{target}: expected a file to write, got a folder")
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
    """Yield a temporary folder that becomes `target` (replacing an older one) if the block ends well."""
    _open_folder(target)
    if target.exists() and not target.is_dir():
        raise BadInput(f"{target}: expected a folder to write, got a file")
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
