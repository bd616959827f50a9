"""From a converter's 24 bits to a sample's 16."""

from amaranth.hdl import Const, Mux, Value, signed

from model.errors import BadInput

__all__ = ["SHIFTS", "level"]

SHIFTS = range(9)
"""Possible level shifts: 0 keeps full scale, 8 keeps the least significant bit."""


def level(word: Value, shift: int) -> Value:
    """A signed 24-bit word as a signed 16-bit sample, 2^`shift` times louder.

    `(word + 2^(7 - shift)) >> (8 - shift)`: rounded to the nearest, ties up (shift 8 has nothing to round); then
    saturated to -32768 .. 32767. Every step is 6.02 dB.
    Cost: up to 40 LUT4 on iCE40. `BadInput` if the shift is not in `SHIFTS`.
    """
    if shift not in SHIFTS:
        raise BadInput(f"level shift: expected {SHIFTS[0]} to {SHIFTS[-1]}, got {shift}")
    dropped = 8 - shift
    rounded = (word.as_signed() + (1 << dropped >> 1)) >> dropped
    sign, beyond = rounded[-1], rounded[15:-1]  # in range if all bits from 15 up are equal
    fits = Mux(sign, beyond.all(), ~beyond.any())
    return Mux(fits, rounded[:16].as_signed(), Mux(sign, Const(-0x8000, signed(16)), Const(0x7FFF, signed(16))))
