"""iCEBreaker (1BitSquared), with a Lattice iCE40UP5K: https://1bitsquared.com/products/icebreaker."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.definitions.board import Board
from boards.definitions.devices import ICE40UP5K

__all__ = ["ICEBREAKER"]

ICEBREAKER = Board(
    name="icebreaker",
    part=ICE40UP5K,
    clock_hz=24_000_000,
    platform=ICEBreakerPlatform,
    program="iceprog {}",
    bundle="tiny",
    alive=("led_g", 0),
    error=("led_r", 0),
    flash_offset=0x40000,
)
