"""Read arrays from an untrusted .npz archive: never unpickle, never expand more than an array should take."""

import io
import lzma
import stat
import tokenize
import zipfile
import zlib
from math import prod
from pathlib import Path

import numpy as np

from model.bundle.layers import Array
from model.errors import BadInput

__all__ = ["names", "open_archive", "read_array", "read_text"]

HEADER = 4096
"""Maximum size in bytes of a .npy header; NumPy writes 128."""

LARGEST = 1 << 28
"""Maximum size of an array in bytes: a hundred times the largest one of `paper`."""

LARGEST_TEXT = 1 << 24
"""Maximum size of a manifest in bytes; the one of `small`, with a score for every noise, has 0.4 million."""

DAMAGED = (
    OSError,
    ValueError,
    EOFError,
    KeyError,
    RuntimeError,
    NotImplementedError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    SyntaxError,
    tokenize.TokenError,
)
"""What zipfile and NumPy raise for damaged or encrypted archives and invalid headers."""

SUFFIX = ".npy"


def read_text(path: Path) -> str:
    """Read a UTF-8 text file. Raises `BadInput` for other files and for more than `LARGEST_TEXT` bytes."""
    _plain(path)
    if path.stat().st_size > LARGEST_TEXT:
        raise BadInput(f"{path}: expected at most {LARGEST_TEXT:,} bytes, got {path.stat().st_size:,}")
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise BadInput(f"{path}: expected UTF-8 text, got {error}") from None


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a .npz archive. Raises `BadInput` unless it is a plain file and an archive."""
    _plain(path)
    try:
        return zipfile.ZipFile(path)
    except DAMAGED as error:
        raise BadInput(f"{path}: expected a whole .npz archive of plain arrays, got {error}") from None


def names(archive: zipfile.ZipFile) -> set[str]:
    """Names of the arrays in an archive; other members keep their suffix."""
    return {info.filename.removesuffix(SUFFIX) for info in archive.infolist()}


def read_array(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    """Read an array of known dtype and shape.

    Checks the archive's directory and the array's header first, so an array that claims or expands to more costs only a
    few kilobytes. Raises `BadInput`.
    """
    path, wanted = archive.filename, np.dtype(dtype)
    most = HEADER + min(wanted.itemsize * prod(shape), LARGEST)
    try:
        info = archive.getinfo(name + SUFFIX)
        if info.file_size > most:
            raise BadInput(f"{path}: array {name}: expected at most {most:,} bytes, got {info.file_size:,}")
        with archive.open(info) as member:  # reads no more than the size that the directory states
            data = io.BytesIO(member.read())
        found = _header(data)
        if found != (wanted, shape):
            raise BadInput(f"{path}: array {name}: expected {dtype} {shape}, got {found[0]} {found[1]}")
        data.seek(0)
        return np.lib.format.read_array(data, allow_pickle=False)
    except DAMAGED as error:
        raise BadInput(f"{path}: array {name}: expected a whole .npy file of numbers, got {error}") from None


def _header(data: io.BytesIO) -> tuple[np.dtype, tuple[int, ...]]:
    version = np.lib.format.read_magic(data)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
    if read is None:
        raise ValueError(f"version {version[0]}.{version[1]} of the format")
    shape, _, dtype = read(data)
    return dtype, shape


def _plain(path: Path) -> None:
    """Refuse pipes and devices: they may never end."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadInput(f"{path}: expected a file that can be read, got: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise BadInput(f"{path}: expected a plain file, got a folder, a pipe or a device")
