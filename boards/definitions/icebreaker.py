"""iCEBreaker (1BitSquared), with a Lattice iCE40UP5K: https://1bitsquared.com/products/icebreaker."""

from amaranth.build import Attrs
from amaranth_boards.icebreaker import ICEBreakerPlatform

from boards.definitions.board import Board
from boards.definitions.devices import ICE40UP5K
from boards.definitions.sound import PMOD_I2S2, codec, microphone

__all__ = ["ICEBREAKER"]

CMOS = Attrs(IO_STANDARD="SB_LVCMOS")

ICEBREAKER = Board(
    name="icebreaker",
    part=ICE40UP5K,
    clock_hz=24_000_000,
    sound_clock_hz=24_000_000,
    platform=ICEBreakerPlatform,
    program="iceprog {}",
    bundle="tiny",
    sound=(microphone(("pmod", 0), "1", "2", "3", CMOS), codec(("pmod", 1), PMOD_I2S2, CMOS)),
    alive=("led_g", 0),
    error=("led_r", 0),
    flash_offset=0x40000,
)
