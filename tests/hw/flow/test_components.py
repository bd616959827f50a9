"""The units that are measured: what they are, and the registers that they are put between."""

import numpy as np
import pytest
from amaranth.sim import Simulator

from hw.flow.components import INTEGER_LANES, LANES, UNITS, Registered, cost, integer_row_cost, weight_rom
from hw.gateware.mvu import MVU
from hw.gateware.popcount import Popcount
from hw.shape.family import ECP5, FAMILIES, ICE40
from hw.shape.popcount import latency, popcount_cost
from model.bundle.formats import WEIGHT_FORMATS


@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_made_again_for_every_family(name, family):
    assert UNITS[name](family) is not UNITS[name](family)


def test_the_mvus_are_one_row_of_all_lanes():
    for name in list(UNITS)[:4]:
        mvu = UNITS[name](ECP5)
        assert isinstance(mvu, MVU)
        assert (mvu.pe, mvu.simd) == (1, LANES)
        assert name == f"{mvu.arithmetic.format.name} {'dynamic' if mvu.dynamic else 'static'}"


def test_the_rom_is_as_deep_as_a_block_ram_and_sliced_as_wide():
    assert (weight_rom(ECP5).shape.depth, weight_rom(ECP5).shape.slice_width) == (16384, 1)
    assert (weight_rom(ICE40).shape.depth, weight_rom(ICE40).shape.slice_width) == (2048, 2)
    assert weight_rom(ECP5, sliced=False).shape.slice_width == 16


def test_between_registers_a_unit_does_the_same_two_cycles_later():
    dut = Registered(Popcount(7))
    words = [int(word) for word in np.random.default_rng(0).integers(0, 128, 20)]
    counts = []

    async def drive(ctx):
        for word in [*words, *[0] * 4]:
            ctx.set(dut.i.payload, word)
            await ctx.tick()
            counts.append(ctx.get(dut.o.payload))

    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    simulator.add_testbench(drive)
    simulator.run()
    late = latency(7) + 2  # in ticks, of which the one that takes a word in is the first
    assert counts[late - 1 :][: len(words)] == [word.bit_count() for word in words]


@pytest.mark.synthesis
def test_a_unit_costs_what_it_costs_without_the_registers():
    expected = popcount_cost(LANES - 1)
    assert cost("popcount", ECP5) == {"lut4": expected.lut4, "ff": expected.ff, "block_ram": 0}


@pytest.mark.synthesis
@pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))
def test_a_row_of_integers_has_a_multiplier_for_each_lane_that_is_to_have_one(family):
    int4 = WEIGHT_FORMATS["int4"]
    adders, multiplied = (integer_row_cost(int4, family, count) for count in (0, INTEGER_LANES))
    assert (adders["multiplier"], multiplied["multiplier"]) == (0, INTEGER_LANES)
    assert multiplied["lut4"] < adders["lut4"] / 3
