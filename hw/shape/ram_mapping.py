"""Where Yosys puts a memory: into block RAM, distributed RAM, single-port RAM, or logic, and how many cells it takes.

Its pass `memory_libmap` gives every way of building a memory a cost and takes the cheapest; the same costs are worked
out here, so that RAM blocks are known exactly before synthesis. `tests/hw/shape/test_ram_mapping.py` holds them against
Yosys.
"""

from dataclasses import dataclass
from functools import cache

__all__ = ["RAMS", "Mapped", "Ram", "mapped"]


@dataclass(frozen=True)
class Ram:
    """One kind of RAM cell, as Yosys' library of a family describes it.

    resource : block_ram, spram, or distributed (out of LUTs)
    address_bits : of a cell at its narrowest
    widths : bits per word that a cell can have: each next one takes an address bit less
    cost : what Yosys reckons a cell at
    per_bit : whether a cell is reckoned by the part of its width that is used
    byte : bits that are written together; a word is padded to whole ones
    narrowest_written : the narrowest of `widths` in a RAM
    one_port : whether it reads and writes by the same port, and so at the same address
    clearing : what Yosys reckons it at that what was read can be cleared
    """

    resource: str
    address_bits: int
    widths: tuple[int, ...]
    cost: int
    per_bit: bool = False
    byte: int = 1
    narrowest_written: int = 1
    one_port: bool = False
    clearing: int = 2


@dataclass(frozen=True)
class Mapped:
    """What a memory becomes.

    resource : block_ram, spram, distributed, or logic
    cells : how many RAM cells it takes; none in logic
    deep : how many of these lie behind one another
    """

    width: int
    depth: int
    resource: str = "logic"
    cells: int = 0
    deep: int = 1


RAMS = {
    "ecp5": (
        Ram("distributed", 4, (4,), 4, byte=4, clearing=0),
        Ram("block_ram", 14, (1, 2, 4, 9, 18), 128, byte=9),
        Ram("block_ram", 14, (1, 2, 4, 9, 18, 36), 128, byte=9, narrowest_written=9),
    ),
    "ice40": (
        Ram("block_ram", 11, (2, 4, 8, 16), 64, clearing=4),
        Ram("spram", 14, (16,), 2048, byte=16, one_port=True),
    ),
    "gowin": (
        Ram("distributed", 4, (4,), 4, byte=4, per_bit=True, clearing=0),
        Ram("block_ram", 14, (1, 2, 4, 9, 18, 36), 128, byte=9),
    ),
}
"""By family, in the order of Yosys' libraries, its share/lattice/lutrams_trellis.txt and brams_16kd.txt and so on."""

LOGIC_COST = {True: 1 / 16, False: 1.0}
"""Of a bit of a ROM, and of a RAM."""


@cache
def mapped(
    family: str,
    width: int,
    depth: int,
    rom: bool = False,
    block: bool = False,
    synchronous: bool = True,
    one_port: bool = False,
    cleared: bool = False,
) -> Mapped:
    """What Yosys makes of `depth` words of `width` bits with a read port and, unless it is a ROM, a write port.

    block : it asks for block RAM
    synchronous : what is read goes into a register, and nothing else
    cleared : what is read goes into a register that is sometimes cleared instead
    one_port : it is never read and written at once, both are at the same address, and it has no contents at first
    """
    found, best = Mapped(width, depth), 0 if block else int(width * depth * LOGIC_COST[rom])
    candidates: dict[str, tuple[float, Mapped]] = {}
    for ram in RAMS[family]:
        distributed = ram.resource == "distributed"
        if block and ram.resource != "block_ram":
            continue
        if (distributed and rom) or (not distributed and not synchronous) or (ram.one_port and not one_port):
            continue
        cost, cells = _shaped(ram, width, depth, rom)
        cost += ram.clearing * cleared
        if ram.resource not in candidates or cost < candidates[ram.resource][0]:
            candidates[ram.resource] = cost, cells
    for cost, cells in candidates.values():
        if block or cost < best:
            found, best = cells, int(cost)
    return found


def _shaped(ram: Ram, width: int, depth: int, rom: bool) -> tuple[float, Mapped]:
    """The shape of cells that Yosys reckons cheapest, and its cost. It keeps the best cost so far as a whole number."""
    best: tuple[float, Mapped] | None = None
    for index, wide in enumerate(ram.widths):
        if not rom and wide < ram.narrowest_written:
            continue
        byte = 1 if rom else min(ram.byte, wide)
        deep = -(-depth >> ram.address_bits - index)
        padded = -(-width // byte) * byte
        # What lies behind one another shares cells: three bits twice as deep as a cell take one of six bits.
        cells = -(-deep * padded // wide)
        cost = ram.cost * (deep * width / wide if ram.per_bit else cells)
        cost += _deep_cost(deep, width, rom) + (0 if ram.one_port else 2)
        if best is None or cost < int(best[0]):
            best = cost, Mapped(width, depth, ram.resource, cells, deep)
    assert best is not None  # the widest can always be written
    return best


def _deep_cost(deep: int, width: int, rom: bool) -> float:
    """Half a point for a bit of a multiplexer behind cells that lie behind one another, and for a write enable."""
    return 0 if deep == 1 else (deep - 1) * width / 2 + (0 if rom else deep / 2)
