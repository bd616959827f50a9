"""How Yosys maps a memory: to block RAM, distributed RAM, single-port RAM or logic, and to how many cells.

Its pass `memory_libmap` gives every mapping a cost and takes the cheapest. The same costs are computed here, so RAM
blocks are known exactly before synthesis. `tests/hw/shape/test_ram_mapping.py` checks them against Yosys.
"""

from dataclasses import dataclass
from functools import cache

__all__ = ["RAMS", "Mapped", "Ram", "mapped"]


@dataclass(frozen=True)
class Ram:
    """A kind of RAM cell, as Yosys' library of a family describes it.

    resource : block_ram, spram, or distributed (out of LUTs)
    address_bits : of the narrowest shape
    widths : bits per word of its shapes; each next shape has an address bit less
    cost : Yosys' cost of a cell
    per_bit : whether only the part of the width that is used counts
    byte : bits that are written together; a word is padded to whole bytes
    narrowest_written : the narrowest shape of a RAM that is written
    one_port : whether one port, and so one address, serves reads and writes
    clearing : Yosys' cost of clearing the output register
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
    """What Yosys makes of a memory.

    resource : block_ram, spram, distributed, or logic
    cells : RAM cells; none in logic
    deep : cells behind one another, selected by the upper address bits
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
"""Of a bit of a ROM (True), and of a RAM."""


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

    block : it has the attribute that asks for block RAM
    synchronous : what is read goes into a register, and nowhere else
    cleared : what is read goes into a register that is sometimes cleared instead
    one_port : one address serves reads and writes, and it has no contents at first
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
    """The shape of cells with the least cost, and the cost. Yosys keeps the best cost so far as a whole number."""
    best: tuple[float, Mapped] | None = None
    for index, wide in enumerate(ram.widths):
        if not rom and wide < ram.narrowest_written:
            continue
        byte = 1 if rom else min(ram.byte, wide)
        deep = -(-depth >> ram.address_bits - index)
        padded = -(-width // byte) * byte
        # Cells are shared in depth: three bits of twice a cell's depth take one cell of six bits.
        cells = -(-deep * padded // wide)
        cost = ram.cost * (deep * width / wide if ram.per_bit else cells)
        cost += _deep_cost(deep, width, rom) + (0 if ram.one_port else 2)
        if best is None or cost < int(best[0]):
            best = cost, Mapped(width, depth, ram.resource, cells, deep)
    assert best is not None  # the widest can always be written
    return best


def _deep_cost(deep: int, width: int, rom: bool) -> float:
    """Half a point for each bit of the multiplexer behind deep memories, and for each write enable."""
    return 0 if deep == 1 else (deep - 1) * width / 2 + (0 if rom else deep / 2)
