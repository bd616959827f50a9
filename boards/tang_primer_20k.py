"""Tang Primer 20K (Sipeed) on its Dock, with a Gowin GW2A-18C: https://wiki.sipeed.com/hardware/en/tang/."""

from amaranth_boards.tang_primer_20k import TangPrimer20kDockPlatform

from boards.spec import Board
from hw.family import GOWIN

__all__ = ["DOCK"]

DOCK = Board(
    name="tang_primer_20k",
    device="GW2A-18C",
    family=GOWIN,
    available={"lut4": 20736, "ff": 15552, "block_ram": 46},
    clock_hz=54_000_000,
    platform=TangPrimer20kDockPlatform,
    router=("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18C"),
    program="openFPGALoader --board tangprimer20k {}",
)
