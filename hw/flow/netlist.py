"""The nets of a netlist as Yosys writes it in JSON, for the passes over it."""

from collections import Counter
from typing import Any

__all__ = ["Bit", "Cell", "uses"]

Bit = int | str
"""A net, or a constant "0", "1" or "x"."""

Cell = dict[str, Any]
"""A cell: its type, parameters, and the nets on its ports."""


def uses(module: dict[str, Any]) -> Counter[Bit]:
    """How often each net is read by a cell, or is on a port of the module."""
    found: Counter[Bit] = Counter(bit for port in module["ports"].values() for bit in port["bits"])
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) != "output":
                found.update(bits)
    return found
