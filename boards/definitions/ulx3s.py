"""ULX3S (Radiona), with a Lattice ECP5: https://radiona.org/ulx3s."""

from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_85F_Platform

from boards.definitions.board import Board
from boards.definitions.devices import LFE5U_25F, LFE5U_85F

__all__ = ["ULX3S_25F", "ULX3S_85F"]

ULX3S_85F = Board(
    name="ulx3s_85f",
    part=LFE5U_85F,
    clock_hz=120_000_000,
    platform=ULX3S_85F_Platform,
    program="openFPGALoader --board ulx3s {}",
    keep="openFPGALoader --board ulx3s --write-flash {}",
    bundle="small",
)

ULX3S_25F = Board(
    name="ulx3s_25f",
    part=LFE5U_25F,
    clock_hz=120_000_000,
    platform=ULX3S_25F_Platform,
    program="openFPGALoader --board ulx3s {}",
    keep="openFPGALoader --board ulx3s --write-flash {}",
    bundle="tiny",
)
