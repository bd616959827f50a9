"""MP3 files that do not state their length: libmpg123 guesses it from the bit rate of the first frame, and stops there.

Of a pipe no length is known, so it reads one to its end.
"""

import os
from contextlib import suppress
from threading import Thread
from typing import BinaryIO

__all__ = ["LONGEST_FRAME", "pipe_of_sound", "states_its_length"]

TAGS = (b"Xing", b"Info", b"VBRI")
"""The first frame has one of these, and no sound, where it states the length of the file."""

LONGEST_FRAME = 1152
"""Samples."""

BYTES = 1440
"""Of a frame, at most: 320 kbit/s at 32 kHz."""

BLOCK = 1 << 16


def states_its_length(file: BinaryIO) -> bool:
    """Whether an MP3 file says how many frames it has."""
    file.seek(_begin(file))
    first = file.read(BYTES)
    file.seek(0)
    return any(tag in first for tag in TAGS)


def pipe_of_sound(file: BinaryIO) -> int:
    """The reading end of a pipe with the file's frames. The file is closed when all is read, or the end is closed."""
    file.seek(_begin(file))  # libsndfile finds no MP3 in a pipe behind a long ID3v2 tag
    end, begin = os.pipe()

    def feed() -> None:
        with file, os.fdopen(begin, "wb") as pipe, suppress(BrokenPipeError):
            while block := file.read(BLOCK):
                pipe.write(block)
                pipe.flush()

    Thread(target=feed, daemon=True).start()
    return end


def _begin(file: BinaryIO) -> int:
    """Where the first frame is, after ID3v2 tags."""
    begin = 0
    while True:
        file.seek(begin)
        head = file.read(10)
        if head[:3] != b"ID3" or len(head) < 10:
            return begin
        size = 0
        for byte in head[6:]:
            size = size << 7 | byte & 127
        begin += 10 + size
