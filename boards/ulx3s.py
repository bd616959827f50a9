"""ULX3S (Radiona), with a Lattice ECP5: https://radiona.org/ulx3s."""

from amaranth_boards.ulx3s import ULX3S_25F_Platform, ULX3S_85F_Platform

from boards.spec import Board
from hw.family import ECP5

__all__ = ["ULX3S_25F", "ULX3S_85F"]

ULX3S_85F = Board(
    name="ulx3s_85f",
    device="LFE5U-85F",
    family=ECP5,
    available={"lut4": 83640, "ff": 83640, "block_ram": 208},
    clock_hz=120_000_000,
    platform=ULX3S_85F_Platform,
    router=("--85k", "--speed", "6", "--package", "CABGA381"),
    program="openFPGALoader --board ulx3s {}",
)

ULX3S_25F = Board(
    name="ulx3s_25f",
    device="LFE5U-25F",
    family=ECP5,
    available={"lut4": 24288, "ff": 24288, "block_ram": 56},
    clock_hz=120_000_000,
    platform=ULX3S_25F_Platform,
    router=("--25k", "--speed", "6", "--package", "CABGA381"),
    program="openFPGALoader --board ulx3s {}",
)
