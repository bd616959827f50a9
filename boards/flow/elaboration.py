"""The top for a board as RTLIL, and its pin constraints."""

from boards.definitions.registry import Board
from boards.gateware.top import BoardTop, check_clock
from hw.flow.rtl import described, elaborated
from hw.gateware.network import Network

__all__ = ["top_rtlil"]


def top_rtlil(network: Network, board: Board, sound: str | None = None, limit: float | None = None) -> tuple[str, str]:
    """RTLIL of the module `top`, and the pin constraints in the format of the board's family; cached.

    With `sound`, where sound comes from, it is the whole denoiser, otherwise the network behind the UART; `limit` is
    that of the denoiser between converters. Raises `BadInput` for a clock that the board cannot make.
    """
    constraints = f"top.{board.family.constraints}"
    check_clock(board)

    def make() -> dict[str, str]:
        files = board.platform().prepare(BoardTop(network, board, sound, limit), "top", emit_src=False).files
        return {name: files[name] for name in ("top.il", constraints)}

    parts = ["top"] if sound is None else [f"sound from {sound}, limit {limit}", network.bundle.identity.hex()]
    files = elaborated([*parts, board.name, str(board.clock_hz), *described(network)], make)
    return files["top.il"], files[constraints]
