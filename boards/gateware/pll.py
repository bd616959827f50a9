"""Phase-locked loops: the network's clock from a board's oscillator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Const, Instance, Signal, Value

from hw.shape.family import Family
from model.errors import BadInput

__all__ = ["Setting", "fastest", "instance", "setting"]


@dataclass(frozen=True)
class Setting:
    """A PLL's output frequency and how it is set.

    vco_hz : of its oscillator
    parameters : of the family's primitive, by name
    """

    hz: float
    vco_hz: float
    parameters: dict[str, int]


def _ecp5(reference: float) -> Iterator[Setting]:
    """EHXPLLL, CLKOP fed back, CLKOS the clock (FPGA-DS-02012: phase detector 10 to 400 MHz, VCO 400 to 800 MHz)."""
    for divide in range(1, 129):
        detector = reference / divide
        if not 10e6 <= detector <= 400e6:
            continue
        for multiply in range(1, 129):
            vco = detector * multiply
            if 400e6 <= vco <= 800e6:
                for output in range(1, 129):
                    dividers = {"CLKI_DIV": divide, "CLKFB_DIV": 1, "CLKOP_DIV": multiply, "CLKOS_DIV": output}
                    yield Setting(vco / output, vco, dividers)


def _ice40(reference: float) -> Iterator[Setting]:
    """SB_PLL40_PAD, simple feedback (Lattice FPGA-TN-02052; phase detector 10 to 133 MHz, VCO 533 to 1066 MHz)."""
    for divide in range(16):
        detector = reference / (divide + 1)
        if not 10e6 <= detector <= 133e6:
            continue
        limits = (17e6, 26e6, 44e6, 66e6, 101e6)
        loop_filter = 1 + sum(detector >= limit for limit in limits)
        for feedback in range(128):
            vco = detector * (feedback + 1)
            if 533e6 <= vco <= 1066e6:
                for output in range(1, 7):
                    dividers = {"DIVR": divide, "DIVF": feedback, "DIVQ": output, "FILTER_RANGE": loop_filter}
                    yield Setting(vco / 2**output, vco, dividers)


def _gowin(reference: float) -> Iterator[Setting]:
    """The rPLL of GW2A (Gowin UG286, DS102; phase detector 3 to 500 MHz, VCO 500 to 1250 MHz)."""
    for divide in range(64):
        detector = reference / (divide + 1)
        if not 3e6 <= detector <= 500e6:
            continue
        for feedback in range(64):
            hz = detector * (feedback + 1)
            for output in (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128):
                if 500e6 <= hz * output <= 1250e6:
                    dividers = {"IDIV_SEL": divide, "FBDIV_SEL": feedback, "ODIV_SEL": output}
                    yield Setting(hz, hz * output, dividers)


SETTINGS: dict[str, Callable[[float], Iterator[Setting]]] = {"ecp5": _ecp5, "ice40": _ice40, "gowin": _gowin}


def setting(family: Family, reference_hz: float, wanted_hz: float, also_hz: float | None = None) -> Setting:
    """The setting for `wanted_hz`, to within 100 ppm; `BadInput` with the nearest frequencies if there is none.

    also_hz : on ECP5, a further frequency that the oscillator must make
    """
    possible = list(SETTINGS[family.name](reference_hz))
    if also_hz is not None:
        possible = [found for found in possible if _close(found.vco_hz / _divider(found, also_hz), also_hz)]
        if not possible:
            raise BadInput(
                f"clock: expected one that the {family.name} PLL makes of {reference_hz / 1e6:g} MHz, "
                f"got {also_hz / 1e6:g} MHz"
            )
    best = min(possible, key=lambda found: abs(found.hz - wanted_hz))
    if not _close(best.hz, wanted_hz):
        below = max((found.hz for found in possible if found.hz < wanted_hz), default=None)
        above = min((found.hz for found in possible if found.hz > wanted_hz), default=None)
        near = " and ".join(f"{hz / 1e6:.4g}" for hz in (below, above) if hz is not None)
        together = "" if also_hz is None else f", next to {also_hz / 1e6:g} MHz"
        raise BadInput(
            f"clock: expected one that the {family.name} PLL makes of {reference_hz / 1e6:g} MHz{together}, "
            f"got {wanted_hz / 1e6:g} MHz; nearest: {near} MHz"
        )
    return best


def _close(hz: float, wanted_hz: float) -> bool:
    return abs(hz - wanted_hz) <= 1e-4 * wanted_hz


def _divider(found: Setting, hz: float) -> int:
    """From the oscillator to a further output."""
    return min(128, max(1, round(found.vco_hz / hz)))


def fastest(family: Family, reference_hz: float, limit_hz: float) -> float | None:
    """The highest frequency of at most `limit_hz` that the PLL makes; None if there is none."""
    return max((found.hz for found in SETTINGS[family.name](reference_hz) if found.hz <= limit_hz), default=None)


def instance(
    family: Family,
    found: Setting,
    reference_hz: float,
    pin: Value,
    out: Signal,
    locked: Signal,
    further: Sequence[tuple[Signal, float, float]] = (),
) -> Instance:
    """The family's primitive. `pin` is the oscillator's signal, or on iCE40 its pin.

    further : on ECP5, up to two more clocks: the signal, its frequency, and the seconds by which it lags a clock of the
        same frequency with none, in steps of an eighth of the VCO's period
    """
    parameters: dict[str, Any] = {f"p_{name}": value for name, value in found.parameters.items()}
    if family.name == "ecp5":
        feedback = Signal()
        for name, (clock, hz, lag) in zip(("CLKOS2", "CLKOS3"), further, strict=False):
            cycles, eighths = divmod(round(8 * lag * found.vco_hz), 8)
            parameters |= {f"p_{name}_DIV": _divider(found, hz), f"p_{name}_ENABLE": "ENABLED"}
            parameters |= {f"p_{name}_CPHASE": cycles, f"p_{name}_FPHASE": eighths, f"o_{name}": clock}
        idle = ("RST", "STDBY", "PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PHASELOADREG", "PLLWAKESYNC")
        return Instance(
            "EHXPLLL",
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
            **parameters,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOS_ENABLE="ENABLED",
            i_CLKI=pin,
            i_CLKFB=feedback,
            **{f"i_{name}": Const(0) for name in idle},
            o_CLKOP=feedback,
            o_CLKOS=out,
            o_LOCK=locked,
        )
    if family.name == "ice40":
        return Instance(
            "SB_PLL40_PAD",
            **parameters,
            p_FEEDBACK_PATH="SIMPLE",
            i_PACKAGEPIN=pin,
            i_RESETB=Const(1),
            i_BYPASS=Const(0),
            o_PLLOUTGLOBAL=out,
            o_LOCK=locked,
        )
    widths = {"CLKFB": 1, "RESET": 1, "RESET_P": 1, **dict.fromkeys(("FBDSEL", "IDSEL", "ODSEL"), 6)}
    widths |= dict.fromkeys(("PSDA", "DUTYDA", "FDLY"), 4)
    return Instance(
        "rPLL",
        **parameters,
        p_FCLKIN=f"{reference_hz / 1e6:g}",
        p_DEVICE="GW2A-18C",
        i_CLKIN=pin,
        **{f"i_{name}": Const(0, width) for name, width in widths.items()},
        o_CLKOUT=out,
        o_LOCK=locked,
    )
