"""Pins of a microphone and a codec on a board's connectors, as resources of its amaranth-boards platform."""

from collections.abc import Sequence

from amaranth.build import Attrs, Pins, Resource, Subsignal

__all__ = ["CODEC", "MICROPHONE", "PMOD_I2S2", "Connector", "codec", "microphone"]

Connector = tuple[str, int]
"""Name and number of a connector of an amaranth-boards platform."""

MICROPHONE, CODEC = ("microphone", 0), ("codec", 0)
"""Names of the resources."""

PMOD_I2S2 = ("1", "2", "3", "4", "7", "8", "9", "10")
"""The signal pins of a Pmod connector into which a Pmod I2S2 is plugged."""


def microphone(connector: Connector, sck: str, ws: str, sd: str, attrs: Attrs) -> Resource:
    """An INMP441 on three pins of a connector, with its L/R pin on GND for the left channel."""
    return Resource(
        *MICROPHONE,
        Subsignal("sck", Pins(sck, dir="o", conn=connector)),
        Subsignal("ws", Pins(ws, dir="o", conn=connector)),
        Subsignal("sd", Pins(sd, dir="i", conn=connector)),
        attrs,
    )


def codec(connector: Connector, pins: Sequence[str], attrs: Attrs) -> Resource:
    """A Pmod I2S2 on the connector pins that match its pins 1 to 4 (line out) and 7 to 10 (line in).

    Each converter has its own clock pins: `mclk`, `lrck` and `sclk` are two pins each, which carry the same signal
    (Digilent, Pmod I2S2 Reference Manual, "Pinout Table Diagram").
    """
    dac_mclk, dac_lrck, dac_sclk, sdin, adc_mclk, adc_lrck, adc_sclk, sdout = pins
    return Resource(
        *CODEC,
        Subsignal("mclk", Pins(f"{dac_mclk} {adc_mclk}", dir="o", conn=connector)),
        Subsignal("lrck", Pins(f"{dac_lrck} {adc_lrck}", dir="o", conn=connector)),
        Subsignal("sclk", Pins(f"{dac_sclk} {adc_sclk}", dir="o", conn=connector)),
        Subsignal("sdin", Pins(sdin, dir="o", conn=connector)),
        Subsignal("sdout", Pins(sdout, dir="i", conn=connector)),
        attrs,
    )
