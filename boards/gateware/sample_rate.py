"""Sample rates divided from one clock, shared by sound in, network and sound out."""

from dataclasses import dataclass

from model.errors import BadInput

__all__ = ["BIT_CLOCKS", "BIT_CLOCK_HZ", "MCLK_RATIO", "TOLERANCE", "SampleRate", "rate"]

BIT_CLOCKS = 64
"""Bit clocks per sample: a left and a right slot of 32."""

MCLK_RATIO = 256
"""Master clocks per sample: the only ratio that CS5343 and CS4344 both accept at all rates up to 50 kHz."""

BIT_CLOCK_HZ = (500_000, 3_200_000)
"""Slowest and fastest bit clock (INMP441 data sheet, DS-INMP441-00 1.1, Table 3)."""

TOLERANCE = 0.03
"""Largest deviation from the wanted rate: half a semitone."""


@dataclass(frozen=True)
class SampleRate:
    """A sample rate and the dividers that make it.

    clock_hz : of the `sync` domain
    divisor : clock cycles per bit clock
    mclk_divisor : clock cycles per master clock, None without one
    """

    clock_hz: int
    divisor: int
    mclk_divisor: int | None

    @property
    def hz(self) -> float:
        """The true sample rate."""
        return self.clock_hz / (BIT_CLOCKS * self.divisor)

    @property
    def cycles(self) -> int:
        """Clock cycles per sample."""
        return BIT_CLOCKS * self.divisor


def rate(clock_hz: int, wanted_hz: float, mclk: bool) -> SampleRate:
    """The rate nearest to `wanted_hz` that `clock_hz` divides to, with a master clock if `mclk`.

    `BadInput`, with the nearest possible rate, if that is off by more than `TOLERANCE`.
    """
    slowest, fastest = BIT_CLOCK_HZ
    possible = [
        SampleRate(clock_hz, divisor, divisor * BIT_CLOCKS // MCLK_RATIO if mclk else None)
        for divisor in range(-(-clock_hz // fastest), clock_hz // slowest + 1)
        if _even_enough(divisor) and (not mclk or _divides_into_mclk(divisor))
    ]
    best = min(possible, key=lambda found: abs(found.hz - wanted_hz), default=None)
    if best is None or abs(best.hz / wanted_hz - 1) > TOLERANCE:
        near = "none" if best is None else f"{best.hz:,.0f} Hz"
        with_mclk = f" with a master clock of {MCLK_RATIO} times that" if mclk else ""
        raise BadInput(
            f"sample rate: expected one that division makes of {clock_hz:,} Hz{with_mclk}, to {TOLERANCE:.0%}, "
            f"got {wanted_hz:,.0f} Hz; nearest: {near}"
        )
    return best


def _even_enough(divisor: int) -> bool:
    """Whether the divided clock is high for 45 to 55 % of the time, as CS5343 and CS4344 require."""
    return divisor >= 2 and 45 * divisor <= 100 * (divisor // 2)


def _divides_into_mclk(divisor: int) -> bool:
    mclks = MCLK_RATIO // BIT_CLOCKS  # per bit clock
    return divisor % mclks == 0 and _even_enough(divisor // mclks)
