"""The units that are measured by themselves, out of context: what each costs and how fast it can be clocked."""

from collections.abc import Callable

import numpy as np
from amaranth.hdl import Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hw.flow.place import fmax
from hw.flow.rtl import to_rtlil
from hw.flow.synth import Cost, synthesise
from hw.gateware.arithmetic import Binary, Ternary
from hw.gateware.integer_mvu import IntegerMVU
from hw.gateware.memory import CyclicMemory
from hw.gateware.mvu import MVU
from hw.gateware.popcount import Popcount
from hw.gateware.trits import Unpack
from hw.shape.cyclic_memory import CyclicShape
from hw.shape.family import ECP5, Family
from hw.shape.folding import Folding
from hw.shape.integer_engine_spec import IntegerEngineSpec
from hw.shape.integer_layer_spec import IntegerLayerSpec
from hw.shape.row_constants import ZERO, StoredBits
from model.bundle.formats import Format, WeightFormat

__all__ = [
    *("INTEGER_LANES", "LANES", "OPERAND_BITS", "SEEDS", "UNITS", "Registered", "clock", "cost", "integer_row"),
    *("integer_row_cost", "weight_rom"),
]

LANES = 64
COLUMNS = 1284  # of `small`'s BGRU layer, 1,028 + 256
SEEDS = (1, 2, 3, 4, 5)

INTEGER_LANES, OPERAND_BITS, INTEGER_COLUMNS = 16, 8, 257
"""A row of integers: its lanes, the bits of their operands, and the columns that its sum is wide enough for."""


def weight_rom(family: Family, sliced: bool = True) -> CyclicMemory:
    """A ROM of random words, 16 bits wide and as deep as the family's deepest block RAM."""
    width, depth = 16, max(family.block_ram)
    words = [int(word) for word in np.random.default_rng(0).integers(0, 1 << width, depth)]
    slice_width = family.slice_width(depth, width) if sliced else width
    return CyclicMemory(CyclicShape(width, depth, slice_width, rom=True), words)


def integer_row(format: WeightFormat, family: Family, multipliers: int = 0) -> IntegerEngineSpec:
    """The shape of one row of `INTEGER_LANES` integers, of which so many take a multiplier."""
    folding = Folding(1, INTEGER_LANES, "streamed", multipliers=multipliers)
    numbers = Format(OPERAND_BITS, OPERAND_BITS, format)
    alike = StoredBits((ZERO,))
    spec = IntegerLayerSpec("row", "dense", INTEGER_COLUMNS, 1, not format.zero, folding, family, numbers, alike)
    return spec.engine


def integer_row_cost(format: WeightFormat, family: Family, multipliers: int = 0) -> Cost:
    """What an MVU of such a row takes on a family."""
    unit = to_rtlil(IntegerMVU(integer_row(format, family, multipliers)), "unit")
    return synthesise(unit, "unit", family.with_multipliers())


UNITS: dict[str, Callable[[Family], wiring.Component]] = {
    "ternary static": lambda family: MVU(Ternary(), 1, LANES, COLUMNS, dynamic=False),
    "ternary dynamic": lambda family: MVU(Ternary(), 1, LANES, COLUMNS, dynamic=True),
    "binary static": lambda family: MVU(Binary(), 1, LANES, COLUMNS, dynamic=False),
    "binary dynamic": lambda family: MVU(Binary(), 1, LANES, COLUMNS, dynamic=True),
    "popcount": lambda family: Popcount(LANES - 1),
    "trit decoder": lambda family: Unpack(LANES),
    "weight rom": weight_rom,
}
"""Name to the unit as it is on a family. The first four are MVUs: one row of 64 lanes."""


class Registered(wiring.Component):
    """A unit between registers, so that nextpnr times the ways into it and out of it too. For measuring only.

    Members
    -------
    those of the unit, each a cycle late: its handshakes are not kept
    """

    def __init__(self, unit: wiring.Component) -> None:
        self.unit = unit
        super().__init__(unit.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.unit = self.unit
        ports = (self.signature.flatten(it) for it in (self.unit, self))
        for (_, member, inside), (_, _, outside) in zip(*ports, strict=True):
            target, value = (inside, outside) if member.flow is In else (outside, inside)
            if not isinstance(target, Const):  # as the `ready` of a stream that always is
                m.d.sync += Value.cast(target).eq(value)
        return m


def cost(name: str, family: Family) -> Cost:
    """What a unit takes on a family."""
    return synthesise(to_rtlil(UNITS[name](family), "unit"), "unit", family)


def clock(name: str) -> float:
    """MHz of a unit between registers on ECP5, speed grade 6: the median of as many placements as `SEEDS`."""
    return fmax(Registered(UNITS[name](ECP5)), SEEDS)
