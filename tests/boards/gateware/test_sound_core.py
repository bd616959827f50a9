# amaranth: UnusedElaboratable=no
"""The denoiser between a converter's pins: what is said into the ADC comes out of the DAC as the reference has it."""

import numpy as np
import pytest

from boards.gateware.sound_core import AHEAD, SHIFTS, SoundCore
from cosim.bench.sound import expected
from hw.gateware.network import Network
from hw.shape.family import FAMILIES
from hw.shape.folding import Folding
from model.bundle.bundle import Bundle
from model.bundle.random_bundle import random_layer
from model.errors import BadInput
from tests.support.audio_engine import random_front_end
from tests.support.hw_bench import Bench
from tests.support.i2s import into_left_slots, plain_level, slots

pytestmark = pytest.mark.simulator

CLOCK_HZ = 16 * 64 * 16_000
"""A bit clock is 16 cycles, a sample 1,024."""


def made() -> Bundle:
    rng = np.random.default_rng(2)
    front_end = random_front_end(rng, 16, 2)
    gru = random_layer(rng, "bgru", front_end.features, 6, name="gru0")
    mask = random_layer(rng, "dense", 6, 2 * front_end.bins, name="mask")
    return Bundle("random", front_end, (gru, mask))


def core(bundle: Bundle, source: str, clock_hz: int = CLOCK_HZ, limit: float | None = None) -> SoundCore:
    folding = {layer.name: Folding(pe=1, simd=6) for layer in bundle.layers}
    network = Network(bundle, folding, FAMILIES["ecp5"], 1, 2)
    return SoundCore(network, source, clock_hz, settle_seconds=1e-6, limit=limit)


def through(bundle: Bundle, source: str, words: list[int], pressed: bool, limit: float | None) -> tuple[list[int], int]:
    """Words of 24 bits into the left slots; the words of the left slots that come out, and `overrun` in the end."""
    dut = core(bundle, source, limit=limit)
    bench, out, flags = Bench(dut, limit=1024 * (len(words) + 9)), [], []

    async def converter(ctx):
        ctx.set(dut.button, pressed)
        lines = [], [], []

        def look():
            for line, pin in zip(lines, (dut.sclk, dut.ws, dut.sd_out), strict=True):
                line.append(ctx.get(pin))

        await into_left_slots(ctx, dut, words, 1024 * (len(words) + 4), look)
        for right, found in slots(*lines):
            if not right:
                word = int("".join(map(str, found[1:17])), 2)
                out.append(word - (1 << 16) * (word >> 15))
        flags.append(ctx.get(dut.overrun))

    bench.simulator.add_testbench(converter)
    bench.run()
    return out, flags[0]


@pytest.mark.parametrize(
    ("source", "pressed", "limit"),
    [("codec", False, None), ("microphone", False, None), ("codec", True, None), ("codec", False, 12.0)],
)
def test_sound_in_is_the_reference_out_late_by_a_window_and_a_little(source, pressed, limit):
    bundle = made()
    rng = np.random.default_rng(3)
    loud = 1 << (22 - SHIFTS[source])
    words = [int(word) for word in rng.integers(-loud, loud, 32)]
    samples = np.array([plain_level(word, SHIFTS[source]) for word in words], np.int16)
    _, mask, wanted = expected(bundle, samples, bypass=pressed, limit=limit)
    assert 0.1 < mask.mean() < 0.9
    got, overrun = through(bundle, source, words, pressed, limit)
    begin = next(place for place, word in enumerate(got) if word) - int(np.flatnonzero(wanted)[0])
    hop = bundle.front_end.hop
    assert hop + AHEAD - 1 <= begin <= hop + AHEAD + 3
    count = len(got) - begin
    assert count > 20 and got[begin:] == wanted[:count].tolist()
    assert not overrun


def test_the_jack_gets_the_references_samples():
    """Microphone in, resistor DAC out: each sample to the bit into the DAC, and its level on the resistors."""
    bundle, rng = made(), np.random.default_rng(4)
    loud = 1 << (22 - SHIFTS["jack"])
    words = [int(word) for word in rng.integers(-loud, loud, 32)]
    samples = np.array([plain_level(word, SHIFTS["jack"]) for word in words], np.int16)
    wanted = expected(bundle, samples)[2]
    dut = core(bundle, "jack")
    taken, codes, levels, overrun = [], [], [], []
    bench = Bench(dut, limit=1024 * (len(words) + 9))

    async def microphone(ctx):
        def look():
            codes.append(ctx.get(dut.code))
            if ctx.get(dut.dac.i.valid) and ctx.get(dut.dac.i.ready):
                levels.append(codes[-900:])
                taken.append(ctx.get(dut.dac.i.payload))

        await into_left_slots(ctx, dut, words, 1024 * (len(words) + 4), look)
        overrun.append(ctx.get(dut.overrun))

    bench.simulator.add_testbench(microphone)
    bench.run()
    assert len(taken) > 20 and taken == wanted[: len(taken)].tolist()
    for sample, before in zip(taken, levels[1:], strict=False):  # codes up to the next sample
        assert np.mean(before) == pytest.approx((3 * sample + 122880) / 16384, abs=0.05)
    assert len(set(taken)) > 10 and overrun == [0]


def test_a_source_that_is_too_fast_loses_samples_which_are_counted_and_garbles_none():
    """The network takes longer for a frame than a hop of samples does."""
    rng = np.random.default_rng(6)
    front_end = random_front_end(rng, 16, 2)
    gru = random_layer(rng, "bgru", front_end.features, 32, name="gru0")
    mask = random_layer(rng, "dense", 32, 2 * front_end.bins, name="mask")
    bundle = Bundle("random", front_end, (gru, mask))
    folding = {"gru0": Folding(1, 1), "mask": Folding(1, 1)}
    dut = SoundCore(Network(bundle, folding, FAMILIES["ecp5"], 1, 2), "codec", CLOCK_HZ // 2, settle_seconds=1e-6)
    words = [int(word) for word in rng.integers(-(1 << 22), 1 << 22, 120)]
    samples = np.array([plain_level(word, 0) for word in words], np.int16)
    taken_in, given, overruns, lost = [], [], [], []
    bench = Bench(dut, limit=512 * (len(words) + 9))

    async def converter(ctx):
        def look():
            for stream, log in ((dut.denoiser.i, taken_in), (dut.denoiser.o, given)):
                if ctx.get(stream.valid) and ctx.get(stream.ready):
                    log.append(ctx.get(stream.payload.data if stream is dut.denoiser.i else stream.payload))
            overruns.append(ctx.get(dut.overrun))
            lost.append(ctx.get(dut.i2s.lost))

        await into_left_slots(ctx, dut, words, 512 * (len(words) + 4), look)

    bench.simulator.add_testbench(converter)
    bench.run()
    assert overruns[0] == 0 and overruns == sorted(overruns) and overruns[-1] == 1
    assert lost == sorted(lost) and lost[-1] > 5
    before = next(place for place, (took, came) in enumerate(zip(taken_in, samples, strict=False)) if took != came)
    assert before > 3 * front_end.hop  # the engine's ring was full first
    wanted = expected(bundle, np.array(taken_in, np.int16))[2]
    assert len(given) > before and given == wanted[: len(given)].tolist()  # of the samples that were taken


def test_a_clock_that_makes_no_such_rate_is_refused():
    with pytest.raises(BadInput, match="sample rate: expected one that division makes of 12,000,000 Hz"):
        core(made(), "codec", 12_000_000)
