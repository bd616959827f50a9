"""The boards that the project knows; docs/boards.md shows how to add one."""

import difflib

from boards.definitions import icebreaker, icesugar, tang_primer_20k, ulx3s
from boards.definitions.board import Board
from model.errors import BadInput

__all__ = ["BOARDS", "Board", "find"]

BOARDS = {
    board.name: board
    for board in (ulx3s.ULX3S_85F, ulx3s.ULX3S_25F, icebreaker.ICEBREAKER, icesugar.ICESUGAR, tang_primer_20k.DOCK)
}


def find(name: str) -> Board:
    """The board of that name, in any case and with `-` for `_`; or `BadInput` with the names that are near."""
    plain = name.lower().replace("-", "_")
    if plain not in BOARDS:
        near = difflib.get_close_matches(plain, BOARDS, n=3, cutoff=0.4) or list(BOARDS)
        raise BadInput(f"board: expected one of {', '.join(BOARDS)}, got {name!r}; nearest: {', '.join(near)}")
    return BOARDS[plain]
