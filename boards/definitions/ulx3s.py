"""ULX3S (Radiona), with a Lattice ECP5: https://radiona.org/ulx3s."""

from dataclasses import replace

from amaranth.build import Attrs
from amaranth_boards.ulx3s import ULX3S_12F_Platform, ULX3S_25F_Platform, ULX3S_85F_Platform

from boards.definitions.board import Board
from boards.definitions.devices import LFE5U_12F, LFE5U_25F, LFE5U_85F
from boards.definitions.sdram import ULX3S_SDRAM
from boards.definitions.sound import codec, microphone

__all__ = ["ULX3S_12F", "ULX3S_25F", "ULX3S_85F"]

CMOS = Attrs(IO_TYPE="LVCMOS33")
GPIO = ("gpio", 0)
WEIGHTS = "openFPGALoader --board ulx3s --write-flash --offset {offset:#x} {file}"

SOUND = (
    microphone(GPIO, "4+", "5+", "6+", CMOS),
    # Pmod pins 1 to 4 on GP3 to GP0, 7 to 10 on GN3 to GN0: J1 0 to 3 are single-ended and shared with no other part.
    codec(GPIO, ("3+", "2+", "1+", "0+", "3-", "2-", "1-", "0-"), CMOS),
)

ULX3S_85F = Board(
    name="ulx3s_85f",
    part=LFE5U_85F,
    clock_hz=120_000_000,
    integer_clock_hz=80_000_000,
    sound_clock_hz=50_000_000,
    platform=ULX3S_85F_Platform,
    program="openFPGALoader --board ulx3s {}",
    keep="openFPGALoader --board ulx3s --write-flash {}",
    bundle="small",
    sound=SOUND,
    bypass=("button_fire", 0),
    jack=("audio", 0),
    flash_offset=0x200000,  # an uncompressed bitstream takes 1.9 MB
    weights=WEIGHTS,
    sdram=ULX3S_SDRAM,
)

ULX3S_25F = Board(
    name="ulx3s_25f",
    part=LFE5U_25F,
    clock_hz=120_000_000,
    integer_clock_hz=80_000_000,
    sound_clock_hz=50_000_000,
    platform=ULX3S_25F_Platform,
    program="openFPGALoader --board ulx3s {}",
    keep="openFPGALoader --board ulx3s --write-flash {}",
    bundle="tiny",
    sound=SOUND,
    bypass=("button_fire", 0),
    jack=("audio", 0),
    flash_offset=0x100000,  # an uncompressed bitstream takes 0.6 MB, and the flash may have 4 MB
    weights=WEIGHTS,
    sdram=ULX3S_SDRAM,
)

ULX3S_12F = replace(ULX3S_25F, name="ulx3s_12f", part=LFE5U_12F, platform=ULX3S_12F_Platform)
