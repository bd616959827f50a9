"""24 bits to 16, against integers."""

import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.level import SHIFTS, level
from model.errors import BadInput
from tests.support.hw_bench import Bench, some
from tests.support.i2s import EXTREMES, plain_level


class Level(wiring.Component):
    def __init__(self, shift):
        self.shift = shift
        super().__init__({"word": In(24), "sample": Out(signed(16))})

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.sample.eq(level(self.word, self.shift))
        return m


def levelled(words, shift):
    dut = Level(shift)
    bench, found = Bench(dut), []

    async def testbench(ctx):
        for word in words:
            ctx.set(dut.word, word)
            await ctx.tick()
            found.append(ctx.get(dut.sample))

    bench.script(testbench)
    bench.run()
    return found


@given(shift=st.sampled_from(SHIFTS), words=st.lists(st.integers(-(1 << 23), (1 << 23) - 1), min_size=1, max_size=50))
@some
def test_it_rounds_and_saturates_as_it_says(shift, words):
    edge = 1 << 23 - shift  # the first word beyond full scale, and its neighbours
    near = [sign * edge + offset for sign in (1, -1) for offset in range(-300, 300, 7)]
    words = [*words, *EXTREMES, *(word for word in near if -(1 << 23) <= word < 1 << 23)]
    assert levelled(words, shift) == [plain_level(word, shift) for word in words]


def test_values_that_a_person_can_check():
    assert levelled([0x7FFFFF, -0x800000, 0x000080, 0x00007F, -0x000080, -0x000081], 0) == [32767, -32768, 1, 0, 0, -1]
    assert levelled([0x000008, 0x000007, 0x080000, 0x07FFF7, -0x080000, -0x080009], 4) == [
        1, 0, 32767, 32767, -32768, -32768]  # fmt: skip
    assert levelled([1, -1, 0x7FFF, 0x8000, -0x8000, -0x8001], 8) == [1, -1, 32767, 32767, -32768, -32768]


@pytest.mark.parametrize("shift", [-1, 9])
def test_another_shift_is_refused(shift):
    with pytest.raises(BadInput, match=f"level shift: expected 0 to 8, got {shift}"):
        level(Signal(24), shift)
