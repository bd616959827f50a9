"""The UART, bit by bit: what a host's chip sends and expects, and what noise on the line does."""

import numpy as np
import pytest
from amaranth.hdl import Module

from boards.gateware.uart import Receiver, Transmitter
from tests.support.hw_bench import Bench


def levels(byte: int) -> list[int]:
    """Start bit, eight bits from the lowest on, stop bit."""
    return [0, *((byte >> bit) & 1 for bit in range(8)), 1]


async def drive(ctx, pin, bits, cycles):
    for bit, level in enumerate(bits):
        ctx.set(pin, level)
        # As many cycles as bring the line to the end of the bit, for a rate that is no multiple of the clock.
        await ctx.tick().repeat(round((bit + 1) * cycles) - round(bit * cycles))


def received(line_bits: list[int], divisor: int, cycles: float, count: int) -> list[int]:
    dut = Receiver(divisor)
    bench = Bench(dut)
    got = bench.drain(dut.o, count)

    async def line(ctx):
        await drive(ctx, dut.pin, line_bits, cycles)

    bench.script(line)
    bench.run()
    return [payload for _, payload in got]


@pytest.mark.parametrize("divisor", [4, 5, 8, 25])
def test_bytes_come_in(divisor):
    sent = [0x00, 0xFF, 0x55, 0xA3]
    bits = [bit for byte in sent for bit in levels(byte)]
    assert received([1, *bits], divisor, divisor, len(sent)) == sent


@pytest.mark.parametrize("cycles", [24.4, 25.6])
def test_a_line_that_is_two_and_a_half_percent_too_fast_or_too_slow(cycles):
    sent = [int(byte) for byte in np.random.default_rng(0).integers(0, 256, 20)]
    bits = [bit for byte in sent for bit in levels(byte)]
    assert received([1, *bits], 25, cycles, len(sent)) == sent


def test_a_glitch_is_no_start_bit():
    quiet, glitch = [1] * 40, [0]
    bits = [level for bit in levels(0x5A) for level in [bit] * 8]  # a cycle each
    assert received([*quiet, *glitch, *quiet, *bits], 8, 1, 1) == [0x5A]


def test_a_byte_without_stop_bit_is_left_out():
    broken = [*levels(0x5A)[:-1], 0]
    assert received([1, *broken, *[1] * 12, *levels(0xA5)], 8, 8, 1) == [0xA5]


@pytest.mark.parametrize("divisor", [4, 25])
def test_bytes_go_out(divisor):
    sent = [0x00, 0xFF, 0x55, 0xA3]
    dut = Transmitter(divisor)
    bench = Bench(dut)
    bench.feed(dut.i, sent)
    seen: list[int] = []

    async def line(ctx):
        for byte in sent:
            await ctx.tick().until(~dut.pin)
            await ctx.tick().repeat(divisor // 2)
            for level in levels(byte)[1:]:
                await ctx.tick().repeat(divisor)
                seen.append(ctx.get(dut.pin) == level)

    bench.script(line)
    bench.run()
    assert seen == [True] * 9 * len(sent)


def test_the_two_ends_of_a_line_understand_each_other():
    sent = [int(byte) for byte in np.random.default_rng(1).integers(0, 256, 30)]
    top, out, into = Module(), Transmitter(4), Receiver(4)
    top.submodules.out, top.submodules.into = out, into
    top.d.comb += into.pin.eq(out.pin)
    bench = Bench(top)
    bench.feed(out.i, sent)
    got = bench.drain(into.o, len(sent))
    bench.run()
    assert [payload for _, payload in got] == sent
