"""All boards by name; docs/boards.md shows how to add one."""

import difflib

from boards.definitions import colorlight_i5, icebreaker, icesugar, orangecrab, tang_nano_20k, tang_primer_20k, ulx3s
from boards.definitions.board import Board
from model.errors import BadInput

__all__ = ["BOARDS", "Board", "find"]

BOARDS = {
    board.name: board
    for board in (
        ulx3s.ULX3S_85F,
        ulx3s.ULX3S_25F,
        ulx3s.ULX3S_12F,
        icebreaker.ICEBREAKER,
        icesugar.ICESUGAR,
        tang_primer_20k.DOCK,
        tang_nano_20k.TANG_NANO_20K,
        orangecrab.ORANGECRAB,
        colorlight_i5.COLORLIGHT_I5,
    )
}


def find(name: str) -> Board:
    """The board of that name, or `BadInput` with the nearest names. Case, `-` and `_` do not matter."""
    plain = {_plain(known): board for known, board in BOARDS.items()}
    if _plain(name) not in plain:
        near = difflib.get_close_matches(name.lower(), BOARDS, n=3, cutoff=0.4) or list(BOARDS)
        raise BadInput(f"board: expected one of {', '.join(BOARDS)}, got {name!r}; nearest: {', '.join(near)}")
    return plain[_plain(name)]


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
