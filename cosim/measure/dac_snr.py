"""The SNR of the noise-shaped DAC, from the codes of its gateware: `bgru dac`."""

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from amaranth.hdl import Module
from amaranth.sim import Simulator
from numpy.typing import NDArray
from rich.box import SIMPLE_HEAD
from rich.table import Table

from boards.definitions.registry import find
from boards.gateware.noise_shaper import CODE, MIDDLE, QUANTUM, SCALE, NoiseShaper
from boards.gateware.sample_rate import rate
from model.console import console
from model.errors import BadInput

__all__ = ["BAND_HZ", "Tone", "codes", "measure", "run", "snr", "weights"]

BAND_HZ = 7_800
"""Upper end of the band: a sample rate of 15,625 Hz has no higher frequencies."""

SAMPLES, SETTLE = 512, 64
"""Measured samples, a power of two, and samples discarded before them."""

BIN = 33
"""The tone's periods in `SAMPLES`: odd, so every sample has a different phase; near 1 kHz."""

LEVELS_DB = (-0.01, -6, -20, -60)
RATE_HZ = 16_000


@dataclass(frozen=True)
class Tone:
    """The output for a sine.

    level_db : dB full scale; snr_db : signal to noise and distortion in the band, resistors exact
    resistors_db : the same with each resistor 1 % off, the worst combination of signs
    """

    level_db: float
    snr_db: float
    resistors_db: float


def sine(level_db: float, samples: int) -> NDArray[np.int64]:
    """A sine of `BIN` periods in `SAMPLES` samples, rounded to 16 bits."""
    phase = 2 * np.pi * BIN / SAMPLES * np.arange(samples)
    return np.rint(32768 * 10 ** (level_db / 20) * np.sin(phase)).astype(np.int64).clip(-32768, 32767)


def codes(samples: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
    """The codes of the gateware in simulation, `steps` for each sample."""
    shaper, found = NoiseShaper(), []
    top = Module()
    top.submodules.shaper = shaper
    top.d.comb += shaper.step.eq(1)

    async def bench(ctx: Any) -> None:
        for sample in samples:
            ctx.set(shaper.sample, int(sample))
            for _ in range(steps):
                await ctx.tick()
                found.append(ctx.get(shaper.code))

    simulator = Simulator(top)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return np.array(found)


def weights(errors: tuple[float, ...] = (0.0,) * CODE) -> NDArray[np.float64]:
    """The DAC's output for each code, if bit n's weight is off by the n-th share."""
    bits = np.arange(1 << CODE)[:, None] >> np.arange(CODE) & 1
    return np.asarray(bits @ (2.0 ** np.arange(CODE) * (1 + np.asarray(errors))))


def snr(output: NDArray[np.float64], steps: int, sample_hz: float) -> float:
    """Signal to noise and distortion in dB from 0 Hz (without it) to `BAND_HZ`: `SAMPLES` samples of `steps` values."""
    power = np.abs(np.fft.rfft(output[-SAMPLES * steps :])) ** 2
    band = power[1 : int(BAND_HZ / (sample_hz / SAMPLES)) + 1]
    signal = power[BIN]
    return float(10 * np.log10(signal / (band.sum() - signal)))


def measure(level_db: float, steps: int, sample_hz: float, resistor_error: float = 0.01) -> Tone:
    """Send a sine of this level through the gateware."""
    made = codes(sine(level_db, SETTLE + SAMPLES), steps)
    corners = product((-resistor_error, resistor_error), repeat=CODE)
    worst = min(snr(weights(errors)[made], steps, sample_hz) for errors in corners)
    return Tone(level_db, snr(weights()[made], steps, sample_hz), worst)


def run(board_name: str, divide: int) -> None:
    """Measure the DAC's SNR at a board's clock: `bgru dac`."""
    board = find(board_name)
    found = rate(board.clock_hz, RATE_HZ, mclk=True)
    steps = found.cycles >> divide
    if steps < 2:
        raise BadInput(f"divide: expected two codes a sample or more, got {found.cycles} cycles >> {divide}")
    console.print(
        f"{board.name}: {found.hz:,.1f} Hz, {steps} codes a sample ({board.clock_hz / 2**divide / 1e6:g} MHz), "
        f"full scale is {SCALE * 2 * 32768 / QUANTUM:g} of {(1 << CODE) - 1} steps around code {MIDDLE / QUANTUM:g}"
    )
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for column in (f"tone, {BIN * found.hz / SAMPLES:,.0f} Hz", "SNR to 7.8 kHz", "resistors 1 % off"):
        table.add_column(column, justify="right")
    for level_db in LEVELS_DB:
        tone = measure(level_db, steps, found.hz)
        table.add_row(f"{tone.level_db:g} dBFS", f"{tone.snr_db:.1f} dB", f"{tone.resistors_db:.1f} dB")
    console.print(table)
