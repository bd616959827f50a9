"""The I2S master with the parts' models, and what happens when one pin is a bit clock off."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from hypothesis import given
from hypothesis import strategies as st

from boards.gateware.i2s import I2S
from boards.gateware.sample_rate import rate
from cosim.chips import inmp441, pmod_i2s2
from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.shape.family import ICE40
from tests.support.hw_bench import Bench, few
from tests.support.i2s import CLOCK_HZ, EXTREMES, RATE, plain_level

PINS = ("sclk", "ws", "sd_in", "sd_out")


class Wired(wiring.Component):
    """The master, a part on SD in, the DAC on SD out, `o` joined to `i`; a pin in `late` comes so many cycles late."""

    def __init__(self, part, i2s, clock_hz, late=None):
        self.part, self.i2s, self.late = part, i2s, late or {}
        self.dac = pmod_i2s2.CS4344(clock_hz)
        super().__init__({"overrun": Out(1), "underrun": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.part, m.submodules.i2s, m.submodules.dac = part, i2s, dac = self.part, self.i2s, self.dac
        sclk, ws = self._wire(m, "sclk", i2s.sclk), self._wire(m, "ws", i2s.ws)
        if isinstance(part, inmp441.Inmp441):
            m.d.comb += [part.sck.eq(sclk), part.ws.eq(ws), i2s.sd_in.eq(self._wire(m, "sd_in", part.sd))]
        else:
            m.d.comb += [part.mclk.eq(i2s.mclk), part.sclk.eq(sclk), part.lrck.eq(ws)]
            m.d.comb += i2s.sd_in.eq(self._wire(m, "sd_in", part.sdout))
        m.d.comb += [
            dac.mclk.eq(i2s.mclk),
            dac.sclk.eq(sclk),
            dac.lrck.eq(ws),
            dac.sdin.eq(self._wire(m, "sd_out", i2s.sd_out)),
            self.overrun.eq(i2s.overrun),
            self.underrun.eq(i2s.underrun),
        ]
        wiring.connect(m, i2s.o, i2s.i)
        return m

    def _wire(self, m, name, value):
        for _ in range(self.late.get(name, 0)):
            after = Signal()
            m.d.sync += after.eq(value)
            value = after
        return value


def through(sound, part, i2s, clock_hz, late=None):
    """Sound through part, master and DAC: (left, right) of each frame, the samples between, faults of part and DAC."""
    top = Wired(part, i2s, clock_hz, late)
    frames = len(sound) + 5
    bench = Bench(top, limit=frames * i2s.clocks.rate.cycles + 1)
    dac = top.dac
    log = bench.watch(dac.o.valid, dac.o.payload.left, dac.o.payload.right)
    samples = bench.watch(i2s.o.valid & i2s.o.ready, i2s.o.payload)
    faults = []

    async def source(ctx):
        ctx.set(part.i.valid, 1)
        for word in sound:
            ctx.set(part.i.payload, word)
            await ctx.tick().until(part.i.ready)
        ctx.set(part.i.valid, 0)

    async def wait(ctx):
        await ctx.tick().repeat((frames - 1) * i2s.clocks.rate.cycles)
        faults.extend([int(ctx.get(part.fault)), int(ctx.get(dac.fault))])
        assert not ctx.get(top.overrun) and not ctx.get(top.underrun)

    bench.simulator.add_testbench(source, background=True)
    bench.script(wait)
    bench.run()
    heard = [(left, right) for valid, left, right in log if valid]
    return heard, [sample for taken, sample in samples if taken], faults


def without_zeros(samples):
    """From the first that is not 0 to the last."""
    first = next((place for place, sample in enumerate(samples) if sample), len(samples))
    last = next((place for place, sample in enumerate(reversed(samples)) if sample), 0)
    return samples[first : len(samples) - last]


WORDS = st.lists(st.integers(-(1 << 23), (1 << 23) - 1), max_size=3)


@given(words=WORDS, right=st.booleans(), shift=st.sampled_from([0, 3, 8]))
@few
def test_a_microphone_is_heard_on_both_channels(words, right, shift):
    words = [1 << 22, *words, *EXTREMES, 1 << 22]
    part = inmp441.Inmp441(CLOCK_HZ, right, startup=100)
    heard, samples, faults = through(words, part, I2S(RATE, shift, right), CLOCK_HZ)
    expected = [plain_level(word, shift) for word in words]
    assert without_zeros(samples) == expected
    assert without_zeros([left >> 8 for left, _ in heard]) == expected
    assert all(left == right and not left & 0xFF for left, right in heard)
    assert faults == [0, 0]


@given(words=st.lists(st.tuples(*[st.integers(-(1 << 23), (1 << 23) - 1)] * 2), max_size=3), right=st.booleans())
@few
def test_line_in_is_heard_on_both_channels_of_line_out(words, right):
    words = [(1 << 22, 1 << 21), *words, *zip(EXTREMES, reversed(EXTREMES), strict=True), (1 << 20, 1 << 22)]
    sound = [{"left": one, "right": other} for one, other in words]
    heard, samples, faults = through(sound, pmod_i2s2.CS5343(CLOCK_HZ), I2S(RATE, right=right), CLOCK_HZ)
    expected = [plain_level(pair[right], 0) for pair in words]
    assert without_zeros(samples) == expected
    assert without_zeros([left >> 8 for left, _ in heard]) == expected
    assert faults == [0, 0]


@pytest.mark.simulator
@pytest.mark.parametrize("clock_hz", [24_000_000, 25_000_000, 54_000_000, 120_000_000])
def test_the_boards_clocks_keep_the_parts_rules(clock_hz):
    words = [1 << 22, -(1 << 23), (1 << 23) - 1]
    found = rate(clock_hz, 16_000, mclk=True)
    part = inmp441.Inmp441(clock_hz, startup=100)
    _, samples, faults = through(words, part, I2S(found), clock_hz)
    assert without_zeros(samples) == [plain_level(word, 0) for word in words]
    assert faults == [0, 0]


BIT = RATE.divisor


@pytest.mark.parametrize(
    "late",
    [
        {"ws": BIT},  # word select a bit clock late
        {"sclk": BIT, "sd_in": BIT, "sd_out": BIT},  # early
        {"sd_in": BIT},
        {"sd_in": BIT // 2},  # data sampled where the bit clock falls
        {"sclk": BIT // 2},
        {"ws": BIT // 2},
    ],
    ids=str,
)
@pytest.mark.parametrize("part", [inmp441.Inmp441, pmod_i2s2.CS5343])
def test_a_pin_that_is_off_by_a_bit_clock_or_half_of_one_ruins_the_input(part, late):
    words = [0x123456, -0x123456, 0x654321]
    mic = part is inmp441.Inmp441
    chip = part(CLOCK_HZ, startup=0) if mic else part(CLOCK_HZ)
    sound = words if mic else [{"left": word, "right": word} for word in words]
    _, samples, faults = through(sound, chip, I2S(RATE, shift=0), CLOCK_HZ, late)
    right = [plain_level(word, 0) for word in words]
    assert without_zeros(samples) != right or faults[0] != 0


@pytest.mark.parametrize("late", [{"ws": BIT}, {"sclk": BIT, "sd_out": BIT}, {"sd_out": BIT}, {"sclk": BIT // 2},
                                  {"sd_out": BIT // 2}], ids=str)  # fmt: skip
def test_a_pin_that_is_off_by_a_bit_clock_or_half_of_one_ruins_the_output(late):
    """The samples that went out are the reference: what went wrong on the way in does not count."""
    words = [0x123456, -0x123456, 0x654321]
    heard, samples, faults = through(words, inmp441.Inmp441(CLOCK_HZ, startup=0), I2S(RATE), CLOCK_HZ, late)
    assert any(samples)
    assert without_zeros([left >> 8 for left, _ in heard]) != without_zeros(samples) or faults[1] != 0


@pytest.mark.synthesis
def test_it_costs_what_it_says():
    cost = synthesise(to_rtlil(I2S(rate(24_000_000, 16_000, mclk=True), shift=4), "top"), "top", ICE40)
    assert cost["lut4"] <= 118 and cost["ff"] <= 91 and cost["block_ram"] == 0
