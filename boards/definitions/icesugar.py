"""iCESugar (Muse Lab), with a Lattice iCE40UP5K: https://github.com/wuxx/icesugar."""

from amaranth.build import Attrs
from amaranth_boards.icesugar import ICESugarPlatform

from boards.definitions.board import Board
from boards.definitions.devices import ICE40UP5K
from boards.definitions.sound import PMOD_I2S2, codec, microphone

__all__ = ["ICESUGAR"]

CMOS = Attrs(IO_STANDARD="LVCMOS33")

ICESUGAR = Board(
    name="icesugar",
    part=ICE40UP5K,
    clock_hz=24_000_000,
    sound_clock_hz=24_000_000,
    platform=ICESugarPlatform,
    program="icesprog {}",
    bundle="tiny",
    sound=(microphone(("pmod", 1), "1", "2", "3", CMOS), codec(("pmod", 2), PMOD_I2S2, CMOS)),
    bypass=("switch", 0),
    alive=("led_g", 0),
    error=("led_r", 0),
    flash_offset=0x40000,
)
