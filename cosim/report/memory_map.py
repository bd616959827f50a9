"""Every memory of a network: its contents, its shape, and its cells in the netlist."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from hw.gateware.network import Network
from hw.shape.engine_spec import LOADED
from hw.shape.estimate import weight_use
from hw.shape.family import Family
from hw.shape.layer_spec import LayerSpec

__all__ = ["Memory", "memory_map", "shapes"]

CAPACITY = {"TRELLIS_DPR16X4": 64, "RAM16SDP4": 64, "RAM16SDP2": 32, "RAM16SDP1": 16}
"""Bits of the cells that make memories out of LUTs."""

UNIQUE = re.compile(r"\$\d+")

HOLDS = {
    "engine.weights": "weights",
    f"engine.{LOADED}": "weights, loaded after start",
    "engine.biases": "biases",
    "x": "input vectors, two",
    "h_cells": "h in words: old, new, initial",
    "off_cells": "r in words",
    "chunk_cells": "h and z in row groups",
    "unit_cells": "h and z by unit",
    "requantiser.constants": "thresholds, shifts, multipliers",
    "requantiser": "tanh, sigmoid",
}


class Memory(NamedTuple):
    """One memory of a layer.

    words, width : its shape, of all slices together
    cells : kind of cell (block_ram, spram, lut) to its number in the netlist; empty if it became registers; None
        without a netlist
    used : share of its cells' bits that it uses; for a weight memory already before synthesis
    """

    layer: str
    holds: str
    words: int
    width: int
    cells: Mapping[str, int] | None
    used: float | None

    @property
    def bits(self) -> int:
        return self.words * self.width


def shapes(spec: LayerSpec) -> dict[str, tuple[int, int]]:
    """Words and bits per word of each memory of a layer but the engine's queue, by its name in the netlist."""
    return {name: (one.depth, one.width) for name, one in spec.memories.items() if name != "engine.queue"}


def memory_map(network: Network, netlist: Path | None) -> list[Memory]:
    """The memories of every layer; `netlist` is a synthesised top (JSON) with the network in it."""
    cells = []
    if netlist is not None:
        for name, cell in json.loads(netlist.read_text())["modules"]["top"]["cells"].items():
            # A module that shares its name with a signal has a number behind it.
            cells.append((f".{UNIQUE.sub('', name)}.", cell["type"]))
    found = []
    for name, layer in network.layers.items():
        for key, (words, width) in shapes(layer.spec).items():
            used = None
            if key.startswith("engine.") and key != "engine.biases":
                stored, allocated = weight_use(layer.spec)
                used = stored / allocated if allocated else None
            taken = None
            if netlist is not None:
                taken, capacity = _taken(cells, f".network.{name}.{key}.", network.family)
                used = words * width / capacity if capacity else None
            found.append(Memory(name, HOLDS[key], words, width, taken, used))
    return found


def _taken(cells: Iterable[tuple[str, str]], path: str, family: Family) -> tuple[Counter[str], int]:
    """How many memory cells of each kind a memory takes, and their bits; `cells` are names and types."""
    taken: Counter[str] = Counter()
    capacity = 0
    for name, kind_of_cell in cells:
        if path in name:
            kind, _ = family.cells.get(kind_of_cell, ("", 0))
            if kind in ("block_ram", "spram"):
                taken[kind] += 1
                capacity += family.bits_of(kind)
            elif kind_of_cell in CAPACITY:
                taken["lut"] += 1
                capacity += CAPACITY[kind_of_cell]
    return taken, capacity
