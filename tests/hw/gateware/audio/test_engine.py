"""The audio engine against the reference: every feature bit and every sample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.audio.engine import AudioEngine
from model.bundle.front_end import FrontEnd
from model.reference.analysis import Analysis
from model.reference.synthesis import Synthesis
from tests.support.hw_bench import Bench, few, integer
from tests.support.random_bundles import seeds


def front_end(rng: np.random.Generator, fft_size: int, mask_bits: int = 1, bits: int = 2) -> FrontEnd:
    """One with thresholds on all levels, some that are always and some that are never reached."""
    keys = np.sort(rng.integers(20 << 10, 50 << 10, (fft_size // 2 + 1, bits)), axis=1)
    keys[rng.random(keys.shape) < 0.05] = 0
    return FrontEnd(
        sample_rate=16000,
        fft_size=fft_size,
        rms=0.1,
        keys=np.sort(keys, axis=1).astype(np.int32),
        gain_frames=4,
        code="thermometer",
        mask_bits=mask_bits,
    )


def samples_of(rng: np.random.Generator, count: int) -> np.ndarray:
    """Noise whose level jumps, with full scale and silence in it."""
    level = 10.0 ** rng.uniform(-1, 4.5, -(-count // 16)).repeat(16)[:count]
    level[rng.random(count) < 0.02] = 1e6
    level[count // 2 : count // 2 + count // 6] = 0
    return np.clip(np.round(rng.normal(0, 1, count) * level), -32768, 32767).astype(np.int16)


def check(it: FrontEnd, utterances: list[np.ndarray], rng: np.random.Generator, idle: float = 0, stall: float = 0):
    """Run the utterances one after the other and compare all that comes out."""
    dut = AudioEngine(it)
    items, masks, bits, starts, want = [], [], [], [], []
    for samples in utterances:
        y, found = Analysis(it)(samples)
        mask = rng.integers(0, 2, (len(found), it.bins * it.mask_bits)).astype(np.uint8)
        want.append(Synthesis(it)(y, mask))
        items += [{"data": int(sample), "start": index == 0} for index, sample in enumerate(samples)]
        masks += [{"data": integer(one), "start": 0} for one in mask.reshape(-1, it.mask_bits)]
        bits.append(found.ravel())
        starts += [int(frame == 0) for frame in range(len(found)) for _ in range(it.features)]
    wanted_bits, wanted = np.concatenate(bits), np.concatenate(want)
    bench = Bench(dut, rng, limit=100_000)
    bench.feed(dut.i, items, idle)
    bench.feed(dut.mask, masks, idle)
    features = bench.drain(dut.features, len(wanted_bits), stall)
    out = bench.drain(dut.o, len(wanted), stall)
    bench.run()
    assert [int(word.data) for _, word in features] == wanted_bits.tolist()
    assert [int(word.start) for _, word in features] == starts
    assert [sample for _, sample in out] == wanted.tolist()


@pytest.mark.parametrize("mask_bits", [1, 2, 3])
def test_features_and_samples_of_a_few_frames(mask_bits):
    rng = np.random.default_rng(mask_bits)
    it = front_end(rng, 16, mask_bits)
    check(it, [samples_of(rng, 7 * it.hop)], rng)


@given(seeds, st.sampled_from([16, 32]), st.integers(1, 3), st.integers(1, 4))
@few
def test_utterances_under_idles_and_back_pressure(seed, fft_size, mask_bits, bits):
    rng = np.random.default_rng(seed)
    it = front_end(rng, fft_size, mask_bits, bits)
    cut = [int(rng.integers(1, it.hop)) + frames * it.hop for frames in (2, 3)]  # ends in mid-hop
    check(it, [samples_of(rng, count) for count in cut], rng, idle=0.3, stall=0.3)
