"""Lanes: every code of a format times any operand is its weight times the operand."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.sim import Simulator

from hw.gateware.lanes import Multiplier, lanes
from model.bundle.formats import WEIGHT_FORMATS

OPERANDS = (-128, -127, -37, -1, 0, 1, 2, 64, 127)


NAMES = sorted({format.name for format in WEIGHT_FORMATS.values()})


@pytest.mark.parametrize("name", NAMES)
def test_every_code_times_an_operand(name):
    format = WEIGHT_FORMATS[name]
    codes = [code for code in range(-format.most, format.most + 1) if code or format.zero]
    strategy, simd = lanes(format), 2
    stored, x = Signal(format.bits * simd), [Signal(signed(8), name=f"x_{lane}") for lane in range(simd)]
    found = [Signal(signed(48), name=f"product_{lane}") for lane in range(simd)]
    m = Module()
    m.d.comb += [one.eq(value) for one, value in zip(found, strategy.products(stored, x), strict=True)]
    wanted, got = [], []

    async def bench(ctx):
        for code, operand in product(codes, OPERANDS):
            pair = np.array([code, codes[-1]], np.int8)
            bits = strategy.encode(pair)
            assert len(bits) == len(stored)
            ctx.set(stored, int(bits.astype(object) @ [1 << place for place in range(len(bits))]))
            ctx.set(Cat(x), (operand % 256) | ((-operand // 2) % 256) << 8)
            await ctx.delay(1e-6)
            got.append([ctx.get(one) for one in found])
            wanted.append(
                [int(value) * o for value, o in zip(format.values(pair), (operand, -operand // 2), strict=True)]
            )

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == wanted


@pytest.mark.parametrize("bits", range(3, 9))
def test_a_multiplier_takes_every_weight_times_an_operand(bits):
    dut, most = Multiplier(bits, 8), 2 ** (bits - 1)
    pairs = list(product(range(-most, most), OPERANDS))
    got = []

    async def bench(ctx):
        for weight, operand in pairs:
            ctx.set(dut.weight, weight)
            ctx.set(dut.x, operand)
            await ctx.delay(1e-6)
            got.append(ctx.get(dut.product))

    simulator = Simulator(dut)
    simulator.add_testbench(bench)
    simulator.run()
    assert got == [weight * operand for weight, operand in pairs]
