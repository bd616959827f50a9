"""Synthesis: every stage against the rules in plain integers, and what a mask does to a recording."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle.audio_constants import attenuation_floor
from model.bundle.audio_widths import widths
from model.bundle.front_end import FrontEnd
from model.errors import BadInput
from model.reference.analysis import Analysis
from model.reference.fixed_point import Complex
from model.reference.synthesis import Synthesis, apply_mask, dual_window, inverse, merge
from tests.support.plain_audio import KINDS, Plain, front_end_of, front_ends, sound, sounds


def mask_shape(it: FrontEnd, frames: int) -> tuple[int, int]:
    return frames, it.bins * it.mask_bits


def mask_of(it: FrontEnd, frames: int, seed: int = 0) -> np.ndarray:
    """A mask of any gains."""
    return np.random.default_rng(seed).integers(0, it.unit_gain + 1, mask_shape(it, frames), dtype=np.uint8)


def pairs(z: Complex) -> list[list[tuple[int, int]]]:
    return [[*zip(*rows, strict=True)] for rows in zip(z.re.tolist(), z.im.tolist(), strict=True)]


limits = st.one_of(st.none(), st.floats(0.1, 120))
"""Attenuation limits, dB."""


@given(front_ends(), sounds, st.integers(1, 8), st.sampled_from([0.0, 0.3, 0.9, 1.0]), limits)
def test_every_stage_is_the_rule_in_plain_integers(it, kind, hops, share, limit):
    samples = sound(kind[0], hops * it.hop, kind[1], kind[2])
    y, bits = Analysis(it)(samples)
    mask = mask_of(it, len(bits), kind[1]) * (np.random.default_rng(kind[1]).random(mask_shape(it, len(bits))) < share)
    plain = Plain(it, math.inf if limit is None else limit)
    expected = plain.synthesis(pairs(y), mask.tolist())
    z = merge(apply_mask(y, mask, it, attenuation_floor(limit, it)), it)
    assert dual_window(inverse(z, it), it).tolist() == [
        plain.frame_out(*frame) for frame in zip(pairs(y), mask.tolist(), strict=True)
    ]
    assert Synthesis(it, attenuation_floor(limit, it))(y, mask).tolist() == expected
    assert plain.peak["word"] <= widths(it).word


@given(front_ends(), sounds, st.integers(0, 2**32 - 1))
def test_without_a_limit_a_bin_is_multiplied_by_its_gain(it, kind, seed):
    y, bits = Analysis(it)(sound(kind[0], 3 * it.hop, kind[1], kind[2]))
    mask = mask_of(it, len(bits), seed)
    sums = mask.reshape(len(mask), it.bins, it.mask_bits).sum(axis=-1, dtype=np.int64)
    for part, before in zip(apply_mask(y, mask, it), y, strict=True):
        if it.gain_bits == 1:
            assert np.array_equal(part, before * sums)
        else:
            assert (
                np.abs(part - before * (sums / it.largest_gain)).max() <= 0.5 + np.abs(before).max() / 2**it.table_bits
            )


@given(front_ends(), sounds, st.floats(0.1, 60), st.integers(0, 2**32 - 1))
def test_no_bin_is_attenuated_by_more_than_the_limit_and_none_is_amplified(it, kind, limit, seed):
    y, bits = Analysis(it)(sound(kind[0], 3 * it.hop, kind[1], kind[2]))
    mask = mask_of(it, len(bits), seed)
    found = apply_mask(y, mask, it, attenuation_floor(limit, it))
    least = 10 ** (-limit / 20) - 0.5 / 2**it.table_bits  # F is rounded
    for part, before in zip(found, y, strict=True):
        gained, most = np.abs(part), it.path_gain * np.abs(before)
        assert (gained >= least * most - 0.5).all()
        assert (gained <= most).all()


@given(front_ends(), st.integers(0, 120))
def test_a_limit_of_0_or_less_is_refused(it, below):
    with pytest.raises(BadInput, match="limit: expected more than 0 dB of attenuation, got"):
        attenuation_floor(-float(below), it)


@given(front_ends(), st.sampled_from(KINDS), st.lists(st.integers(1, 5), min_size=1, max_size=5))
def test_blocks_of_any_length_have_the_samples_of_the_whole(it, kind, blocks):
    y, _ = Analysis(it)(sound(kind, sum(blocks) * it.hop))
    mask = mask_of(it, len(y.re))
    by_blocks, found, begin = Synthesis(it), [], 0
    for length in blocks:
        found.append(by_blocks(Complex(*(part[begin : begin + length] for part in y)), mask[begin : begin + length]))
        begin += length
    assert np.array_equal(np.concatenate(found), Synthesis(it)(y, mask))


def heard(it: FrontEnd, samples: np.ndarray, keep: bool = True) -> np.ndarray:
    """Through analysis and synthesis with a mask of the largest gains or of zeros; as many samples, not delayed."""
    lead = it.fft_size - it.hop
    whole = -(-(len(samples) + lead) // it.hop) * it.hop
    y, bits = Analysis(it)(np.pad(samples, (0, whole - len(samples))))
    mask = np.full(mask_shape(it, len(bits)), it.unit_gain * keep, np.uint8)
    return Synthesis(it)(y, mask)[lead:][: len(samples)]


@pytest.mark.parametrize("words", [(15, 2), (17, 4)])
@given(
    size=st.sampled_from([16, 64, 256, 512, 1024]),
    mask_bits=st.integers(1, 3),
    gain_bits=st.integers(1, 8),
    kind=sounds,
    samples=st.integers(1, 3000),
)
def test_a_mask_of_ones_returns_the_input_within_4(words, size, mask_bits, gain_bits, kind, samples):
    it = front_end_of(0, size, mask_bits, "thermometer", *words, gain_bits=gain_bits)
    recording = sound(kind[0], samples, kind[1], kind[2])
    assert np.abs(heard(it, recording).astype(int) - recording).max() <= 4


@given(front_ends(), sounds)
def test_a_mask_of_zeros_and_an_input_of_zeros_return_zeros(it, kind):
    assert not heard(it, sound(kind[0], 200, kind[1], kind[2]), keep=False).any()
    assert not heard(it, np.zeros(200, np.int16)).any()


@given(front_ends(), sounds)
def test_silence_after_sound_is_exact_zeros_a_window_later(it, kind):
    recording = np.concatenate([sound(kind[0], 150, kind[1], kind[2]), np.zeros(4 * it.fft_size, np.int16)])
    assert not heard(it, recording)[150 + it.fft_size :].any()


@given(front_ends(), sounds, st.integers(1, 3))
def test_a_shift_by_hops_shifts_the_output_by_hops(it, kind, hops):
    """With a mask that is shifted too: the gain of the first frames depends on how many there were."""
    recording = sound(kind[0], 5 * it.fft_size, kind[1], kind[2])
    shifted = np.concatenate([np.zeros(hops * it.hop, np.int16), recording])
    y, bits = Analysis(it)(recording)
    mask = mask_of(it, len(bits))
    later, _ = Analysis(it)(shifted)
    padded = np.concatenate([np.zeros((hops, mask.shape[1]), np.uint8), mask])
    assert np.array_equal(Synthesis(it)(later, padded)[hops * it.hop :], Synthesis(it)(y, mask))


@given(front_ends((16, 64, 512)), sounds)
def test_the_output_is_near_that_in_real_numbers(it, kind):
    """Against NumPy's FFT: with the default word lengths, masks change nothing about the precision."""
    it = front_end_of(0, it.fft_size, it.mask_bits, gain_bits=it.gain_bits)
    recording = sound(kind[0], 6 * it.fft_size, kind[1], kind[2])
    y, bits = Analysis(it)(recording)
    mask = mask_of(it, len(bits), 1)
    gains = mask.reshape(len(mask), it.bins, it.mask_bits).mean(axis=-1) / it.unit_gain
    size, hop = it.fft_size, it.hop
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(size) / size)
    padded, sums = np.pad(recording.astype(float), (size - hop, 0)), np.zeros(hop * len(mask) + size)
    for t, gain in enumerate(gains):
        frame = np.fft.irfft(np.fft.rfft(padded[t * hop : t * hop + size] * hann) * gain)
        sums[t * hop : t * hop + size] += frame * hann / 1.5
    expected = np.clip(sums[: hop * len(mask)], -32768, 32767)
    assert np.abs(Synthesis(it)(y, mask) - expected).max() <= 6
