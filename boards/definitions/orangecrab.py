"""OrangeCrab r0.2 with a Lattice LFE5U-25F: https://orangecrab-fpga.github.io/orangecrab-hardware/."""

from typing import ClassVar

from amaranth.build import Attrs, Resource
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
from amaranth_boards.resources import LEDResources, UARTResource

from boards.definitions.board import Board
from boards.definitions.devices import LFE5U_25F_MG285
from boards.definitions.sound import codec, microphone

__all__ = ["ORANGECRAB", "OrangeCrabPlatform"]

CMOS = Attrs(IO_TYPE="LVCMOS33")
FEATHER = ("io", 0)


class OrangeCrabPlatform(OrangeCrabR0_2_25FPlatform):
    """The platform of amaranth-boards, with a UART on Feather pins 0 (RX) and 1 (TX), and LEDs.

    LEDs 0 and 1 are the green and the red of the RGB LED. The UART is the one of litex-boards, `feather_serial` in
    litex_boards/platforms/gsd_orangecrab.py.
    """

    resources: ClassVar[list[Resource]] = [
        *OrangeCrabR0_2_25FPlatform.resources,
        UARTResource(0, rx="0", tx="1", conn=FEATHER, attrs=CMOS),
        *LEDResources(pins="M3 K4", invert=True, attrs=CMOS),
    ]


ORANGECRAB = Board(
    name="orangecrab",
    part=LFE5U_25F_MG285,
    clock_hz=120_000_000,
    integer_clock_hz=80_000_000,
    sound_clock_hz=50_000_000,
    platform=OrangeCrabPlatform,
    program="dfu-util --device 1209:5af0 --alt 0 --download {}",
    bundle="tiny",
    # D/A on 13 to 10, A/D on 9 to 5 and SCL: all on the shorter row of pins.
    sound=(
        microphone(FEATHER, "sck", "copi", "cipo", CMOS),
        codec(FEATHER, ("13", "12", "11", "10", "9", "6", "5", "scl"), CMOS),
    ),
)
