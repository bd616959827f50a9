"""Analysis: every stage against the rules in plain integers."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.bundle.audio_constants import threshold_keys
from model.bundle.audio_widths import widths
from model.reference.analysis import (
    SILENCE,
    Analysis,
    Framer,
    SlowGain,
    feature_bits,
    levels,
    power_keys,
    powers,
    split,
    transform,
    window,
)
from model.reference.fixed_point import Complex
from tests.support.plain_audio import KINDS, Plain, front_end_of, front_ends, sound, sounds


@given(front_ends(), sounds, st.integers(1, 12))
def test_every_stage_is_the_rule_in_plain_integers(it, kind, hops):
    samples = sound(kind[0], hops * it.hop, kind[1], kind[2])
    plain, frames = Plain(it), Framer(it)(samples)
    expected = list(plain.frames(samples.tolist()))
    assert frames.tolist() == expected
    x = window(frames, it)
    assert x.tolist() == [plain.window(frame) for frame in expected]
    spectra = [plain.spectrum(frame) for frame in expected]
    y = split(transform(x, it), it)
    assert [[*zip(*rows, strict=True)] for rows in zip(y.re.tolist(), y.im.tolist(), strict=True)] == [
        bins for bins, _ in spectra
    ]
    exponents = SlowGain(it)(powers(x))
    assert exponents.tolist() == plain.exponents([power for _, power in spectra])
    keys = power_keys(y, it)
    assert keys.tolist() == [[plain.key(bin_) for bin_ in bins] for bins, _ in spectra]
    encode, rule = (levels, plain.levels) if it.code == "level" else (feature_bits, plain.bits)
    features = encode(keys, exponents, it)
    assert features.tolist() == [rule(*frame) for frame in zip(keys.tolist(), exponents.tolist(), strict=True)]
    limits = widths(it)
    assert plain.peak["word"] <= limits.word
    assert plain.peak["windowed"] <= limits.windowed
    assert plain.peak["power_sum"] <= limits.power_sum
    assert keys.max() < 2**limits.key


@given(front_ends(), st.lists(st.integers(0, 200), min_size=1, max_size=8), st.sampled_from(KINDS))
def test_pieces_of_any_length_have_the_bits_of_the_whole(it, lengths, kind):
    samples = sound(kind, sum(lengths) + it.hop)
    whole, whole_bits = Analysis(it)(samples)
    by_pieces = Analysis(it)
    ends = np.cumsum(lengths)
    found = [by_pieces(piece) for piece in np.split(samples, ends)]
    assert np.array_equal(np.concatenate([y.re for y, _ in found]), whole.re)
    assert np.array_equal(np.concatenate([y.im for y, _ in found]), whole.im)
    assert np.array_equal(np.concatenate([bits for _, bits in found]), whole_bits)


def test_the_spectrum_is_the_fourier_transform_of_the_windowed_frame():
    it = front_end_of(0, 512)
    frames = np.random.default_rng(0).integers(-32768, 32768, (5, 512))
    expected = np.fft.rfft(frames * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512))) * 2**3
    y = split(transform(window(frames, it), it), it)
    assert np.abs(y.re + 1j * y.im - expected).max() < 2**-14 * np.abs(expected).max()  # coefficients have 15 bits


def test_the_key_is_a_logarithm_of_the_power():
    it = front_end_of(0, 16)
    parts = np.random.default_rng(0).integers(-(2**25), 2**25, (2, 400, 9)) >> np.arange(0, 18, 2)
    power = parts[0].astype(float) ** 2 + parts[1].astype(float) ** 2
    keys = power_keys(Complex(*parts), it) / 2**10
    assert np.all(np.abs(keys - 1 - np.log2(power)) < 0.09)  # the mantissa is linear: 0.086 below the logarithm


def test_silence_has_no_bit_but_those_of_thresholds_of_0():
    it = front_end_of(1, 32)
    _, bits = Analysis(it)(np.zeros(320, np.int16))
    assert np.array_equal(bits, np.tile((it.keys == 0).ravel(), (len(bits), 1)))
    assert 0 < bits.mean() < 1


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_after_sound_the_gain_falls_to_that_of_silence(seed, fraction_bits):
    it = front_end_of(seed, 16, fraction_bits=fraction_bits)
    gain = SlowGain(it)
    gain(powers(window(Framer(it)(sound("noise", 300, seed)), it)))
    exponents = gain(np.zeros(40 * it.gain_frames + 20, np.int64))
    assert exponents[-1] == SILENCE and np.all(np.diff(exponents) <= 0)


def test_a_level_that_the_gain_aims_at_has_exponent_0():
    it = front_end_of(3, 512)
    steady = np.full(200, np.int64(2**32 * 3 * 512 // 8 // 100))  # the Q of rms 0.1
    assert set(SlowGain(it)(steady).tolist()) == {0}
    assert set(SlowGain(it)(16 * steady).tolist()) == {4}


def test_threshold_keys_are_what_a_bin_of_that_magnitude_has():
    """A threshold as large as a bin's magnitude has its key, but that the last bit may round up."""
    it = front_end_of(0, 16)
    re = np.random.default_rng(0).integers(1, 2**20, (1, 9))
    keys = power_keys(Complex(re, np.zeros_like(re)), it)
    thresholds = threshold_keys((re / 2**18).astype(np.float32), 2, 10)
    assert np.all((thresholds - keys >= -1) & (thresholds - keys <= 1))
    assert threshold_keys(np.array([0, 1e-20, 1e30], np.float32), 2, 10).tolist() == [0, 1, 2**17 - 1]


@pytest.mark.parametrize("bits", range(4, 9))
def test_levels_span_48_db_from_their_key_on_and_saturate(bits):
    it = front_end_of(0, 16, code="level", level_bits=bits)
    it = dataclasses.replace(it, keys=np.full((9, 1), 20_000, np.int32))
    step = 2 ** (14 - bits)
    above = np.array([-(2**16), -1, 0, step - 1, step, 2**14 - step, 2**14 - 1, 2**14, 2**16])
    expected = np.array([0, 0, 0, 0, 1, 2**bits - 1, 2**bits - 1, 2**bits - 1, 2**bits - 1]) - 2 ** (bits - 1)
    keys = (20_000 + above)[None] + 2**10 * 60
    found = levels(keys, np.array([60]), it)
    assert found.dtype == np.int8 and found.tolist() == [expected.tolist()]


def test_an_empty_bin_has_the_lowest_level_whatever_the_gain():
    it = dataclasses.replace(front_end_of(0, 16, code="level", level_bits=6), keys=np.zeros((9, 1), np.int32))
    assert levels(np.zeros((1, 9), np.int64), np.array([SILENCE]), it).tolist() == [[-32] * 9]


def test_levels_rise_with_the_sound_and_not_with_its_level_for_long():
    """Random recordings reach levels between the ends, or these tests would show little."""
    it = front_end_of(0, 64, code="level", level_bits=8)
    found = Analysis(it)(sound("noise", 200 * it.hop))[1]
    assert len(np.unique(found)) > 60
    quieter = Analysis(it)((sound("noise", 200 * it.hop) // 64).astype(np.int16))[1]
    assert abs(np.median(found[100:].astype(int) - quieter[100:])) <= 1
