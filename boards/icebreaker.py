"""iCEBreaker (1BitSquared), with a Lattice iCE40UP5K: https://1bitsquared.com/products/icebreaker."""

from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.spec import Board
from hw.family import ICE40

__all__ = ["ICEBREAKER"]

ICEBREAKER = Board(
    name="icebreaker",
    device="iCE40UP5K",
    family=ICE40,
    available={"lut4": 5280, "ff": 5280, "block_ram": 30, "spram": 4},
    clock_hz=24_000_000,
    platform=ICEBreakerPlatform,
    router=("--up5k", "--package", "sg48"),
    program="iceprog {}",
    alive=("led_g", 0),
    error=("led_r", 0),
    flash_offset=0x40000,
)
