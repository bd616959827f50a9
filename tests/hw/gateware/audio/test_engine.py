# amaranth: UnusedElaboratable=no
"""The audio engine against the reference: every feature bit and every sample, in Verilator."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.gateware.audio.engine import AudioEngine
from model.errors import BadInput
from tests.support.audio_engine import Pauses, check, random_front_end, random_samples
from tests.support.hw_bench import some
from tests.support.random_bundles import seeds

pytestmark = pytest.mark.simulator

SHAPES = [(16, 1, 4, 1), (16, 3, 1, 4), (32, 2, 2, 4), (64, 3, 2, 8), (64, 1, 3, 64), (128, 2, 1, 2)]
"""FFT size, mask bits, feature bits per bin, frames of the gain: each is built once."""

shapes = st.sampled_from(SHAPES)
kinds = st.sampled_from(["noise", "silence", "dc", "square", "impulse"])
pauses = st.builds(Pauses, st.sampled_from([0, 10, 100]), st.sampled_from([1, 30, 1000]))
four_pauses = st.tuples(*[pauses] * 4)


@given(seeds, shapes, st.lists(kinds, min_size=1, max_size=4), st.booleans(), st.booleans())
@some
def test_every_signal_comes_out_as_in_the_reference(seed, shape, signals, bypass, prompt):
    rng = np.random.default_rng(seed)
    it = random_front_end(rng, *shape)
    utterances = [random_samples(rng, int(rng.integers(1, 9)) * it.hop, kind) for kind in signals]
    check(it, utterances, rng, bypass=bypass, prompt=prompt)


@given(seeds, shapes, four_pauses, st.booleans())
@some
def test_utterances_of_any_length_with_pauses_on_all_streams(seed, shape, four, prompt):
    """A start in the middle of a hop drops what had come of it; some utterances have no frame at all."""
    rng = np.random.default_rng(seed)
    it = random_front_end(rng, *shape)
    lengths = [int(rng.integers(6)) * it.hop + int(rng.integers(1, it.hop)) for _ in range(3)]
    check(it, [random_samples(rng, length) for length in lengths], rng, four, prompt=prompt)


@pytest.mark.parametrize("seed", range(8))
def test_a_last_bin_that_is_not_taken_waits_out_the_next_frame(seed):
    """The logarithm is the bins' and the gain's in turn."""
    rng = np.random.default_rng(seed)
    it = random_front_end(rng, *SHAPES[0])
    held = Pauses(), Pauses(), Pauses(20, 1000), Pauses()
    check(it, [random_samples(rng, 4 * it.hop)], rng, held)


@pytest.mark.parametrize("fft_size, mask_bits", [(256, 2), (512, 1), (512, 3), (1024, 3)])
def test_large_windows(fft_size, mask_bits):
    rng = np.random.default_rng(fft_size + mask_bits)
    it = random_front_end(rng, fft_size, mask_bits, bits=2, gain_frames=4)
    loud = np.where(rng.random(3 * it.hop) < 0.5, -32768, 32767).astype(np.int16)
    check(it, [np.concatenate([random_samples(rng, 3 * it.hop), loud, random_samples(rng, it.hop)])], rng)


def test_binary_code_is_refused():
    it = replace(random_front_end(np.random.default_rng(0), 16), code="binary")
    with pytest.raises(BadInput, match="expected features in thermometer code, got binary code"):
        AudioEngine(it)


def test_long_words_are_refused():
    it = replace(random_front_end(np.random.default_rng(0), 16), table_bits=17, fraction_bits=4)
    with pytest.raises(BadInput, match="expected word lengths"):
        AudioEngine(it)
