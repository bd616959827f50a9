"""Standard input and output as streams of bytes."""

import sys
from typing import BinaryIO

from model.errors import BadInput

__all__ = ["standard_input", "standard_output"]


def standard_input() -> BinaryIO:
    """Raises `BadInput` where it is closed, or a terminal: nobody types a recording."""
    return _bytes(sys.stdin, "standard input")


def standard_output() -> BinaryIO:
    """Raises `BadInput` where it is closed, or a terminal, which would show samples as text."""
    return _bytes(sys.stdout, "standard output")


def _bytes(stream: object, name: str) -> BinaryIO:
    buffer = getattr(stream, "buffer", None)
    if buffer is None or buffer.closed:
        raise BadInput(f"{name}: expected a pipe or a file, got none: it is closed")
    if buffer.isatty():
        raise BadInput(f"{name}: expected a pipe or a file, got a terminal")
    found: BinaryIO = buffer
    return found
