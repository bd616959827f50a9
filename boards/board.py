"""What the project must know of a board, and the boards that it knows."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from hw.family import ECP5, ICE40, Family
from model.errors import BadInput

__all__ = ["BOARDS", "Board", "find"]


@dataclass(frozen=True)
class Board:
    """What is true of one board only.

    device : the FPGA, for people
    family : how its block RAM looks and how it is synthesised
    available : resource to how many the device has, in the words of `hw.synth.Cost`
    lanes : weights worked on per cycle unless the user says otherwise
    constraints : what the pin constraint file is called
    """

    name: str
    device: str
    family: Family
    available: Mapping[str, int]
    lanes: int
    constraints: str
    platform: Any

    @property
    def clock_hz(self) -> int:
        """Of its default oscillator."""
        return int(self.platform().default_clk_frequency)

    @property
    def block_ram_bits(self) -> int:
        """Usable bits of initialised block RAM."""
        return self.available["block_ram"] * self.family.block_ram_bits

    @property
    def spram_bits(self) -> int:
        """Bits of single-port RAM, which can't be initialised: weights are loaded into it after start."""
        return self.available.get("spram", 0) * 256 * 1024


BOARDS = {
    board.name: board
    for board in (
        Board(
            name="ulx3s_85f",
            device="LFE5U-85F",
            family=ECP5,
            available={"lut4": 83640, "ff": 83640, "block_ram": 208},
            lanes=64,
            constraints="top.lpf",
            platform=ULX3S_85F_Platform,
        ),
        Board(
            name="icebreaker",
            device="iCE40UP5K",
            family=ICE40,
            available={"lut4": 5280, "ff": 5280, "block_ram": 30, "spram": 4},
            lanes=32,
            constraints="top.pcf",
            platform=ICEBreakerPlatform,
        ),
    )
}


def find(name: str) -> Board:
    """The board of that name, or `BadInput` with the names that are near."""
    if name not in BOARDS:
        near = difflib.get_close_matches(name, BOARDS, n=3, cutoff=0.4) or list(BOARDS)
        raise BadInput(f"board: expected one of {', '.join(BOARDS)}, got {name!r}; nearest: {', '.join(near)}")
    return BOARDS[name]
