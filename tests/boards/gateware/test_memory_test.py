"""The memory test: a good chip passes; a stuck line, a weak bit or a missing chip is found."""

from dataclasses import replace

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from boards.definitions.registry import find
from boards.definitions.sdram import ULX3S_SDRAM
from boards.gateware.memory_test import MemoryTest, MemoryTestTop
from boards.gateware.sdram_pads import chip_clock_lag, read_margin, write_margin
from cosim.chips.sdram_chip import SdramChip
from cosim.chips.sdram_timing import Rule, Timing
from tests.support.hw_bench import Bench

SIZES = {"columns": 8, "power_up": 900}
WORDS = 100


class Faulty(wiring.Component):
    """The test with a chip of which some pins are changed."""

    def __init__(self, change):
        self.test = MemoryTest(replace(ULX3S_SDRAM, **SIZES), 100e6, WORDS)
        self.chip, self.change = SdramChip(100, timing=Timing(**SIZES), depth=128), change
        super().__init__({"done": Out(1), "failed": Out(1), "broken": Out(Rule)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.test, m.submodules.chip = test, chip = self.test, self.chip
        for name, member in test.pins.signature.members.items():
            source, sink = (test, chip) if member.flow == Out else (chip, test)
            m.d.comb += getattr(sink.pins, name).eq(self.change(name, getattr(source.pins, name)))
        m.d.comb += [self.done.eq(test.done), self.failed.eq(test.failed), self.broken.eq(chip.broken)]
        return m


def verdict(change):
    dut = Faulty(change)
    bench = Bench(dut)
    log = bench.watch(dut.done, dut.failed, dut.broken)

    async def until_done(ctx):
        while not ctx.get(dut.done):
            await ctx.tick()

    bench.script(until_done)
    bench.run()
    return log[-1][1:]


@pytest.mark.simulator
def test_a_good_chip_passes():
    assert verdict(lambda name, value: value) == (0, Rule.NONE)


@pytest.mark.simulator
@pytest.mark.parametrize(
    ("pin", "fault"),
    [
        ("a", lambda value: value & ~4),
        ("ba", lambda value: value | 1),
        ("dq_i", lambda value: value & ~(1 << 9)),
        ("dq_o", lambda value: value | 1),
        ("dq_i", lambda value: 0xFFFF),
    ],
    ids=["stuck address line", "stuck bank line", "stuck data line", "weak bit", "missing chip"],
)
def test_a_fault_is_found(pin, fault):
    assert verdict(lambda name, value: fault(value) if name == pin else value)[0] == 1


@pytest.mark.parametrize("mhz", [100, 125, 133])
def test_the_chips_clock_leaves_margin_on_both_ways(mhz):
    lag = chip_clock_lag(ULX3S_SDRAM, mhz * 1e6)
    assert 0 < lag < 1e-6 / mhz
    assert min(*write_margin(ULX3S_SDRAM, mhz * 1e6, lag), *read_margin(ULX3S_SDRAM, mhz * 1e6, lag)) > 0.2


def test_the_top_has_its_pins_on_the_board():
    board = find("ulx3s_25f").at(100)
    files = board.platform().prepare(MemoryTestTop(board), "top", emit_src=False).files
    # Those of amaranth-boards: the clock on F19, the highest data pin on J17.
    assert 'LOCATE COMP "sdram_0__clk__io" SITE "F19"' in files["top.lpf"]
    assert 'LOCATE COMP "sdram_0__dq__io[15]" SITE "J17"' in files["top.lpf"]
    assert files["top.il"].count("OFS1P3DX") >= 3 + 2 + 13 + 2 + 2 * 16
