"""Tang Primer 20K (Sipeed) on its Dock, with a Gowin GW2A-18C: https://wiki.sipeed.com/hardware/en/tang/."""

from amaranth.build import Attrs
from amaranth_boards.tang_primer_20k import TangPrimer20kDockPlatform

from boards.definitions.board import Board
from boards.definitions.devices import GW2A_18C
from boards.definitions.sound import PMOD_I2S2, codec, microphone

__all__ = ["DOCK"]

CMOS = Attrs(IO_TYPE="LVCMOS33")

DOCK = Board(
    name="tang_primer_20k",
    part=GW2A_18C,
    clock_hz=54_000_000,
    sound_clock_hz=54_000_000,
    platform=TangPrimer20kDockPlatform,
    program="openFPGALoader --board tangprimer20k {}",
    keep="openFPGALoader --board tangprimer20k --write-flash {}",
    bundle="tiny",
    sound=(microphone(("pmod", 1), "1", "2", "3", CMOS), codec(("pmod", 0), PMOD_I2S2, CMOS)),
)
