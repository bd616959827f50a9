"""Board: what the project needs to know about a board."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from amaranth.build import Resource as Pins

from boards.definitions.devices import Device
from boards.definitions.sdram import Chip
from hw.shape.family import Family
from model.bundle.bundle import Bundle

__all__ = ["Board", "Resource"]

Resource = tuple[str, int]
"""Name and number of a resource of an amaranth-boards platform."""


@dataclass(frozen=True)
class Board:
    """The facts of one board; pins and oscillator are in its amaranth-boards `platform`.

    part : the FPGA on it
    clock_hz : the network's default clock: whole tops route at it, and the PLL can make it
    integer_clock_hz : the same for a network with integer layers, whose products take longer; `clock_hz` if None
    sound_clock_hz : the same for a denoiser, whose sample rate is this clock divided
    program : the command that loads a bitstream, or a flash image
    keep : the command that writes it to flash, if `program` loads it only until power-off
    weights : the command that writes weights at an offset of the flash, if the bitstream does not come from there alone
    bundle : the shipped bundle that commands take by default
    alive, error : the LEDs
    flash_offset : start of the weights in the SPI flash, after the bitstream, on a board that loads or streams any
    sound : the pins of `microphone` and `codec` (boards/definitions/sound.py), to be added to the platform's
    bypass : the button or switch that passes sound unchanged
    jack : the resistor DAC, if the board has one
    sdram : the timing of its SDRAM, if the board has one that `boards.gateware.sdram` suits
    sdram_clock_hz : the SDRAM's clock next to a network
    """

    name: str
    part: Device
    clock_hz: int
    sound_clock_hz: int
    platform: Any
    program: str
    bundle: str
    sound: tuple[Pins, ...]
    bypass: Resource = ("button", 0)
    jack: Resource | None = None
    alive: Resource = ("led", 0)
    error: Resource = ("led", 1)
    flash_offset: int | None = None
    keep: str | None = None
    weights: str | None = None
    sdram: Chip | None = None
    sdram_clock_hz: int = 100_000_000
    integer_clock_hz: int | None = None

    def at(self, clock_mhz: float | None) -> "Board":
        """The board with its network at another clock; the same board for None."""
        return self if clock_mhz is None else replace(self, clock_hz=round(clock_mhz * 1e6))

    def at_network_clock(self, bundle: Bundle, clock_mhz: float | None = None) -> "Board":
        """The board with this network at a clock; at its own clock for such a network for None."""
        if clock_mhz is None and bundle.has_integers and self.integer_clock_hz is not None:
            return replace(self, clock_hz=self.integer_clock_hz)
        return self.at(clock_mhz)

    def at_sound_clock(self, clock_mhz: float | None) -> "Board":
        """The board with its denoiser at a clock; at its own sound clock for None."""
        return self.at(self.sound_clock_hz / 1e6 if clock_mhz is None else clock_mhz)

    @property
    def device(self) -> str:
        """The FPGA's name."""
        return self.part.name

    @property
    def family(self) -> Family:
        return self.part.family

    @property
    def available(self) -> Mapping[str, int]:
        return self.part.available

    @property
    def oscillator_hz(self) -> int:
        """Frequency of its default oscillator."""
        return int(self.platform().default_clk_frequency)

    @property
    def block_ram_bits(self) -> int:
        """Usable bits of initialised block RAM."""
        return self.available["block_ram"] * self.family.block_ram_bits

    @property
    def spram_bits(self) -> int:
        """Bits of single-port RAM, which can't be initialised: weights are loaded into it at start."""
        return self.available["spram"] * self.family.bits_of("spram") if "spram" in self.available else 0
