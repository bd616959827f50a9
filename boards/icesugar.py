"""iCESugar (Muse Lab), with a Lattice iCE40UP5K: https://github.com/wuxx/icesugar."""

from amaranth_boards.icesugar import ICESugarPlatform

from boards.spec import Board
from hw.family import ICE40

__all__ = ["ICESUGAR"]

ICESUGAR = Board(
    name="icesugar",
    device="iCE40UP5K",
    family=ICE40,
    available={"lut4": 5280, "ff": 5280, "block_ram": 30, "spram": 4},
    clock_hz=24_000_000,
    platform=ICESugarPlatform,
    router=("--up5k", "--package", "sg48"),
    program="icesprog {}",
    alive=("led_g", 0),
    error=("led_r", 0),
    flash_offset=0x40000,
)
