"""iCESugar (Muse Lab), with a Lattice iCE40UP5K: https://github.com/wuxx/icesugar."""

from amaranth_boards.icesugar import ICESugarPlatform

from boards.definitions.board import Board
from boards.definitions.devices import ICE40UP5K

__all__ = ["ICESUGAR"]

ICESUGAR = Board(
    name="icesugar",
    part=ICE40UP5K,
    clock_hz=24_000_000,
    platform=ICESugarPlatform,
    program="icesprog {}",
    bundle="tiny",
    alive=("led_g", 0),
    error=("led_r", 0),
    flash_offset=0x40000,
)
