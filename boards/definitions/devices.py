"""FPGAs, independent of the board."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hw.shape.family import ECP5, GOWIN, ICE40, Family

__all__ = ["GW2AR_18C", "GW2A_18C", "ICE40UP5K", "LFE5U_12F", "LFE5U_25F", "LFE5U_25F_MG285", "LFE5U_85F", "Device"]


@dataclass(frozen=True)
class Device:
    """One FPGA in its package.

    name : as the vendor writes it
    family : its block RAM and synthesis
    available : number of each resource, named as in `hw.flow.synth.Cost`
    router : its nextpnr options
    """

    name: str
    family: Family
    available: Mapping[str, int]
    router: tuple[str, ...]


LFE5U_85F = Device(
    "LFE5U-85F",
    ECP5,
    {"lut4": 83640, "ff": 83640, "block_ram": 208, "multiplier": 156},
    ("--85k", "--speed", "6", "--package", "CABGA381"),
)

LFE5U_25F = Device(
    "LFE5U-25F",
    ECP5,
    {"lut4": 24288, "ff": 24288, "block_ram": 56, "multiplier": 28},
    ("--25k", "--speed", "6", "--package", "CABGA381"),
)

LFE5U_12F = Device(
    "LFE5U-12F",
    ECP5,
    {"lut4": 12144, "ff": 12144, "block_ram": 32, "multiplier": 28},
    ("--12k", "--speed", "6", "--package", "CABGA381"),
)
"""The die of an LFE5U-25F, with another IDCODE. nextpnr uses all of it; a plan counts only what Lattice sells
(FPGA-DS-02012, Table 1.1): half of the LUTs, 32 of 56 block RAMs."""

LFE5U_25F_MG285 = replace(LFE5U_25F, router=("--25k", "--speed", "8", "--package", "CSFBGA285"))

ICE40UP5K = Device(
    "iCE40UP5K",
    ICE40,
    {"lut4": 5280, "ff": 5280, "block_ram": 30, "spram": 4, "multiplier": 8},
    ("--up5k", "--package", "sg48"),
)

GW2A_18C = Device(
    "GW2A-18C",
    GOWIN,
    {"lut4": 20736, "ff": 15552, "block_ram": 46, "multiplier": 48},
    ("--device", "GW2A-LV18PG256C8/I7", "--vopt", "family=GW2A-18C"),
)

GW2AR_18C = replace(GW2A_18C, name="GW2AR-18C", router=("--device", "GW2AR-LV18QN88C8/I7", "--vopt", "family=GW2A-18C"))
