"""The SDRAM's pins: registers in the pads, and its clock."""

from typing import Any

from amaranth.hdl import Const, Module
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In

from boards.definitions.sdram import Chip
from boards.gateware.sdram import PINS

__all__ = ["PADS", "SdramPads", "chip_clock_lag", "read_margin", "write_margin"]

PADS = 3
"""Cycles that the pads add to a read: a register out, one in, and one for the way there and back (docs/sdram.md)."""

CLOCK_TO_PIN = 1.5, 4.5
"""ns from a clock edge in the FPGA to the pin of an output register, at least and at most: an estimate, since Lattice's
figures were not available. The board must confirm it."""

BOARD = 0.5
"""ns of the traces, to the chip and back: some 4 cm."""

INPUT_SETUP, INPUT_HOLD, SKEW = 0.5, 0.5, 0.3
"""ns of an input register, and between any two pins: estimates too."""


def write_margin(chip: Chip, clock_hz: float, lag: float) -> tuple[float, float]:
    """Ns to spare in set-up and hold of the chip's inputs, with its clock `lag` seconds after the registers'."""
    period, late = 1e9 / clock_hz, 1e9 * lag
    return late - chip.setup - SKEW, period - late - chip.hold - SKEW


def read_margin(chip: Chip, clock_hz: float, lag: float) -> tuple[float, float]:
    """Ns to spare in set-up and hold of the FPGA's input registers, two clocks after the edge `lag` belongs to."""
    period, late = 1e9 / clock_hz, 1e9 * lag
    arrives = late + CLOCK_TO_PIN[1] + chip.access + BOARD
    goes = late + CLOCK_TO_PIN[0] + period + chip.held + BOARD
    return 2 * period - arrives - INPUT_SETUP, goes - 2 * period - INPUT_HOLD


def chip_clock_lag(chip: Chip, clock_hz: float) -> float:
    """Seconds by which the chip's clock lags, such that reads have the same margin in set-up and in hold."""
    setup, hold = read_margin(chip, clock_hz, 0)
    return (setup - hold) / 2 * 1e-9


class SdramPads(wiring.Component):
    """Every pin has its register in the pad, so its delay is the same in every placement.

    The chip's clock is that of the domain `chip`, a phase-shifted copy of `sync`, sent through a DDR register. The
    registers, and those of the data's direction, take `PADS` cycles together with the way.

    Parameters
    ----------
    resource : the pins `sdram` of an amaranth-boards platform, requested with `dir="-"`

    Members
    -------
    pins : In(PINS)
    """

    def __init__(self, resource: Any) -> None:
        self.resource = resource
        super().__init__({"pins": In(PINS)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports, pins = self.resource, self.pins
        m.submodules.clk = clk = io.DDRBuffer("o", ports.clk, o_domain="chip")
        m.d.comb += [clk.o[0].eq(1), clk.o[1].eq(0)]
        outputs = {"clk_en": pins.cke, "ras": pins.ras_n, "cas": pins.cas_n, "we": pins.we_n}
        outputs |= {"ba": pins.ba, "a": pins.a, "dqm": pins.dqm, "cs": Const(1)}
        for name, value in outputs.items():
            m.submodules[name] = pad = io.FFBuffer("o", getattr(ports, name))
            m.d.comb += pad.o.eq(value)
        for bit in range(len(ports.dq)):
            m.submodules[f"dq_{bit}"] = pad = io.FFBuffer("io", ports.dq[bit])
            m.d.comb += [pad.o.eq(pins.dq_o[bit]), pad.oe.eq(pins.dq_oe)]
            m.d.sync += pins.dq_i[bit].eq(pad.i)
        return m
