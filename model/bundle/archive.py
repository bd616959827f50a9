"""Arrays out of a .npz archive that nobody vouches for: nothing is unpickled, nothing large is read to be refused."""

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
"""Bytes of a .npy file before its data, at most; NumPy writes 128."""

LARGEST = 1 << 28
"""Bytes of an array, at most: a hundred times the largest of `paper`."""

LARGEST_TEXT = 1 << 24
"""Bytes of a manifest, at most; that of `small`, with a score for every noise, has 0.4 million."""

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
"""What zipfile and NumPy raise on damaged archives, encrypted ones, and headers of nonsense."""

SUFFIX = ".npy"


def read_text(path: Path) -> str:
    """Read a file of UTF-8 text. Raises `BadInput` for what is no plain file, too long, or other bytes."""
    _plain(path)
    if path.stat().st_size > LARGEST_TEXT:
        raise BadInput(f"{path}: expected at most {LARGEST_TEXT:,} bytes, got {path.stat().st_size:,}")
    try:
        return path.read_text(encoding="utf-8")
    except ValueError as error:
        raise BadInput(f"{path}: expected UTF-8 text, got {error}") from None


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open a .npz archive. Raises `BadInput` for what is no plain file or no archive."""
    _plain(path)
    try:
        return zipfile.ZipFile(path)
    except DAMAGED as error:
        raise BadInput(f"{path}: expected a whole .npz archive of plain arrays, got {error}") from None


def names(archive: zipfile.ZipFile) -> set[str]:
    """The arrays in an archive, and its other members by their whole names."""
    return {info.filename.removesuffix(SUFFIX) for info in archive.infolist()}


def read_array(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    """Read an array of known dtype and shape.

    The archive's directory and the array's header are looked at first, so one that claims more, or expands to more, is
    refused at the cost of a few kilobytes. Raises `BadInput`.
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
    """Refuse a pipe or a device, which may never end."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise BadInput(f"{path}: expected a file that can be read, got: {error.strerror}") from None
    if not stat.S_ISREG(mode):
        raise BadInput(f"{path}: expected a plain file, got a folder, a pipe or a device")
