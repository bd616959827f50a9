"""What decoders in C write to standard error by themselves: libmpg123 does so of every MP3 file that it doubts."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

__all__ = ["caught"]

STANDARD_ERROR = 2


@contextmanager
def caught(words: list[str]) -> Iterator[None]:
    """Add the lines that this process writes to its standard error meanwhile to `words`; nothing of them is shown."""
    sys.stderr.flush()
    try:
        kept = os.dup(STANDARD_ERROR)
    except OSError:  # closed: there is nothing to keep quiet
        yield
        return
    with TemporaryFile() as file:
        os.dup2(file.fileno(), STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(kept, STANDARD_ERROR)
            os.close(kept)
            file.seek(0)
            words += file.read().decode(errors="replace").splitlines()
