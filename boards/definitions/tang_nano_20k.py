"""Tang Nano 20K (Sipeed), with a Gowin GW2AR-18C: https://wiki.sipeed.com/hardware/en/tang/tang-nano-20k/nano-20k.html."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import GowinPlatform
from amaranth_boards.resources import ButtonResources, LEDResources, UARTResource

from boards.definitions.board import Board
from boards.definitions.devices import GW2AR_18C
from boards.definitions.sound import codec, microphone

__all__ = ["TANG_NANO_20K", "TangNano20kPlatform"]

CMOS = Attrs(IO_TYPE="LVCMOS33")
HEADER = ("header", 0)
PINS = "73 74 75 85 77 15 16 27 28 25 26 29 30 31 17 20 19 18"


class TangNano20kPlatform(GowinPlatform):
    """What a top needs of the board, which amaranth-boards does not have.

    Pins are those of litex_boards/platforms/sipeed_tang_nano_20k.py in litex-boards, and of `led` and `uart` in
    github.com/sipeed/TangNano-20K-example. The header is J6; the number printed next to a pin is the FPGA's. The board
    pulls the buttons down, and a pressed one is high (github.com/yrabbit/tangnano20k-i2s-sine).
    """

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    resources: ClassVar[list[Resource]] = [
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), CMOS),
        UARTResource(0, rx="70", tx="69", attrs=CMOS),
        *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=CMOS),
        *ButtonResources(pins="88 87", attrs=Attrs(IO_TYPE="LVCMOS33", PULL_MODE="NONE")),
    ]
    connectors: ClassVar[list[Connector]] = [Connector(*HEADER, {pin: pin for pin in PINS.split()})]


TANG_NANO_20K = Board(
    name="tang_nano_20k",
    part=GW2AR_18C,
    clock_hz=54_000_000,
    sound_clock_hz=54_000_000,
    platform=TangNano20kPlatform,
    program="openFPGALoader --board tangnano20k {}",
    keep="openFPGALoader --board tangnano20k --write-flash {}",
    bundle="tiny",
    sound=(
        microphone(HEADER, "73", "74", "75", CMOS),
        codec(HEADER, ("27", "28", "25", "26", "29", "30", "31", "77"), CMOS),
    ),
)
