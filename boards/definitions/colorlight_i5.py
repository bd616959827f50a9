"""Colorlight i5 v7.0 on its extension board, with an ECP5: https://github.com/wuxx/Colorlight-FPGA-Projects."""

from typing import ClassVar

from amaranth.build import Attrs, Clock, Connector, Pins, Resource
from amaranth.vendor import LatticeECP5Platform
from amaranth_boards.resources import ButtonResources, LEDResources, UARTResource

from boards.definitions.board import Board
from boards.definitions.devices import LFE5U_25F
from boards.definitions.sound import PMOD_I2S2, codec, microphone

__all__ = ["COLORLIGHT_I5", "ColorlightI5Platform"]

CMOS = Attrs(IO_TYPE="LVCMOS33")


class ColorlightI5Platform(LatticeECP5Platform):
    """What a top needs of the module and the extension board, which amaranth-boards does not have.

    Oscillator, UART (of the extension board's debugger), LED 0 and button 0 are those of
    litex_boards/platforms/colorlight_i5.py in litex-boards. Connectors `pmod` 0 to 3 are P2A, P2B, P3A and P3B
    (src/amaranth_boards/colorlight_i9_r7_2.py in wuxx/Colorlight-FPGA-Projects, for the same extension board; pin 4 of
    P2A is the i5's LED). There is no button, and one LED only: button 0 is pin 10 of P2A, to be connected to GND, and
    LED 1 is pin 1 of P2B.
    """

    device = "LFE5U-25F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources: ClassVar[list[Resource]] = [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), CMOS),
        UARTResource(0, rx="H18", tx="J17", attrs=CMOS),
        *LEDResources(pins={0: "U16"}, invert=True, attrs=CMOS),
        *LEDResources(pins={1: "1"}, conn=("pmod", 1), attrs=CMOS),
        *ButtonResources(pins={0: "10"}, conn=("pmod", 0), invert=True, attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
    ]
    connectors: ClassVar[list[Connector]] = [
        Connector("pmod", 0, "P17 R18 C18 U16 - - M17 R17 T18 K18 - -"),
        Connector("pmod", 1, "J20 L18 M18 N17 - - G20 K20 L20 N18 - -"),
        Connector("pmod", 2, "C17 B18 B20 F20 - - A18 A19 B19 D20 - -"),
        Connector("pmod", 3, "D1 C1 C2 E3 - - E2 D2 B1 A3 - -"),
    ]


COLORLIGHT_I5 = Board(
    name="colorlight_i5",
    part=LFE5U_25F,
    clock_hz=120_000_000,
    integer_clock_hz=80_000_000,
    sound_clock_hz=50_000_000,
    platform=ColorlightI5Platform,
    program="openFPGALoader --board colorlight-i5 {}",
    keep="openFPGALoader --board colorlight-i5 --unprotect-flash --write-flash {}",
    bundle="tiny",
    sound=(microphone(("pmod", 3), "1", "2", "3", CMOS), codec(("pmod", 2), PMOD_I2S2, CMOS)),
)
