# amaranth: UnusedElaboratable=no
"""The audio engine against the reference: every feature bit and every sample, in Verilator."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosim.bench.sound import Pauses
from hw.gateware.audio import datapath, engine, features
from hw.gateware.audio.engine import AudioEngine
from hw.gateware.audio.gain import Energy
from hw.shape.audio_passes import Name, passes
from hw.shape.audio_program import Bias
from model.bundle.audio_constants import quarter_cosine
from model.errors import BadInput
from tests.support.audio_engine import check, random_front_end, random_level_front_end, random_samples
from tests.support.hw_bench import few, some
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


@given(seeds, st.sampled_from([SHAPES[1], SHAPES[4]]), st.integers(0, 2**15 - 1), st.booleans())
@some
def test_a_mask_bit_of_0_counts_the_floor(seed, shape, floor, bypass):
    rng = np.random.default_rng(seed)
    it = random_front_end(rng, *shape)
    samples = random_samples(rng, int(rng.integers(1, 9)) * it.hop, str(rng.choice(["noise", "square", "dc"])))
    check(it, [samples], rng, bypass=bypass, floor=floor)


def test_a_floor_of_0_is_no_limit():
    rng = np.random.default_rng(2)
    it = random_front_end(rng, *SHAPES[1])
    utterances = [random_samples(rng, 20 * it.hop)]
    limited, plain = (check(it, utterances, np.random.default_rng(3), floor=floor) for floor in (0, None))
    assert np.array_equal(limited.out, plain.out)  # the cycles; `check` compares the samples


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


@given(seeds, st.integers(4, 8), four_pauses)
@settings(few, max_examples=3)
def test_levels_come_out_as_in_the_reference(seed, feature_bits, four):
    rng = np.random.default_rng(seed)
    it = random_level_front_end(rng, 32, feature_bits)
    kinds = ("noise", "silence", "square", "noise")
    check(it, [random_samples(rng, int(rng.integers(1, 9)) * it.hop, kind) for kind in kinds], rng, four)


@given(seeds, st.integers(2, 8), st.sampled_from([None, 0, 1, 8231, 32767]), st.booleans(), four_pauses)
@settings(few, max_examples=5)
def test_a_bin_is_multiplied_by_its_integer_gain(seed, gain_bits, floor, bypass, four):
    rng = np.random.default_rng(seed)
    it = replace(random_level_front_end(rng, 32, 8), gain_bits=gain_bits)
    utterances = [random_samples(rng, int(rng.integers(1, 9)) * it.hop, kind) for kind in ("noise", "square")]
    check(it, utterances, rng, four, floor=floor, bypass=bypass)


def test_two_integers_for_a_bin_are_refused():
    it = replace(random_level_front_end(np.random.default_rng(0), 16, 8), gain_bits=4, mask_bits=2)
    with pytest.raises(BadInput, match="expected one integer per bin in the mask, got 2"):
        AudioEngine(it)


def test_binary_code_is_refused():
    it = replace(random_front_end(np.random.default_rng(0), 16), code="binary")
    with pytest.raises(BadInput, match="expected features in thermometer code or levels, got binary code"):
        AudioEngine(it)


def test_long_words_are_refused():
    it = replace(random_front_end(np.random.default_rng(0), 16), table_bits=17, fraction_bits=4)
    with pytest.raises(BadInput, match="expected word lengths"):
        AudioEngine(it)


def check_at_length(floor=None):
    """Noise for so long that a wrong rounding, a quarter of a sample's unit, shows at the output (but for ties)."""
    rng = np.random.default_rng(1)
    it = random_front_end(rng, 32, 2, 4, 4)
    check(it, [random_samples(rng, 1000 * it.hop)], rng, floor=floor)


@pytest.mark.parametrize("floor", [None, 8231])
def test_roundings_at_length(floor):
    check_at_length(floor)


def _cosine(monkeypatch):
    """The lowest bit of one word of the quarter cosine."""
    monkeypatch.setattr(
        datapath, "quarter_cosine", lambda *of: [word ^ (at == 3) for at, word in enumerate(quarter_cosine(*of))]
    )


def _energy(monkeypatch):
    """The gain forgets half as fast."""
    monkeypatch.setattr(features, "Energy", lambda width, frames: Energy(width, 2 * frames))


def _changed(monkeypatch, name, **changes):
    """The first term of a pass that has not got all the changes gets them."""

    def mutant(*of, **how):
        all_passes = dict(passes(*of, **how))
        body = list(all_passes[name].body)
        place = next(
            place
            for place, step in enumerate(body)
            if step.first and any(getattr(step, field) != value for field, value in changes.items())
        )
        body[place] = replace(body[place], **changes)
        return all_passes | {name: replace(all_passes[name], body=tuple(body))}

    monkeypatch.setattr(engine, "passes", mutant)


@pytest.mark.parametrize(
    "mutate",
    [
        _cosine,
        _energy,
        lambda patch: _changed(patch, Name.FORWARD, bias=Bias.ZERO),
        lambda patch: _changed(patch, Name.WINDOW, bias=Bias.ZERO),
        lambda patch: _changed(patch, Name.SPLIT, minus=True),
        lambda patch: _changed(patch, Name.MERGE, minus=True),
        lambda patch: _changed(patch, Name.OVERLAP, bias=Bias.ZERO),
        lambda patch: _changed(patch, Name.OUTPUT, bias=Bias.UP),
        lambda patch: _changed(patch, Name.KEYS, absolute=False),
        lambda patch: _changed(patch, Name.MASK, bias=Bias.ZERO),
    ],
    ids=["cosine", "energy", "butterfly", "window", "split", "merge", "overlap", "output", "keys", "mask"],
)
def test_a_mutant_is_found(monkeypatch, mutate):
    mutate(monkeypatch)
    with pytest.raises(AssertionError, match="expected"):
        check_at_length(8231)
