"""The front end: STFT and back, the slow gain, and the bits that a magnitude becomes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle.bits import Bits
from model.bundle.front_end import CODES, limits_of
from model.corpora.float_front_end import EXPONENTS, FloatFrontEnd, SlowGain, power
from model.errors import BadInput
from model.reference.denoise import hear
from model.reference.recording import to_samples

FFT = 16
BINS = FFT // 2 + 1
GAIN_FRAMES = 8


def front_end(thresholds: np.ndarray, fft_size: int = FFT, hop: int = FFT // 4, **more: Any) -> FloatFrontEnd:
    return FloatFrontEnd(16000, fft_size, hop, "hann", 0.1, thresholds.astype(np.float32), GAIN_FRAMES, **more)


def levels(bits: int, bins: int = BINS) -> np.ndarray:
    """Thresholds 1, 2, 3, ...: the code of a magnitude is its integer part."""
    return np.tile(np.arange(1, 2**bits, dtype=np.float32), (bins, 1))


def spectrum_of(magnitudes: np.ndarray) -> np.ndarray:
    return np.asarray(magnitudes, dtype=np.complex64).reshape(-1, BINS)


def encode(it: FloatFrontEnd, spectrum: np.ndarray) -> Bits:
    """The bits of a spectrum whose level is right as it is."""
    return it.encode(power(spectrum), np.zeros(len(spectrum), np.int32))


def test_sizes():
    it = front_end(levels(4))
    assert (it.bins, it.bits, it.features, it.frame_rate) == (9, 4, 36, 4000.0)


@pytest.mark.parametrize("code", range(16))
def test_code_is_natural_binary_most_significant_bit_first(code):
    bits = encode(front_end(levels(4)), spectrum_of(np.full(BINS, code + 0.5)))
    assert bits.shape == (1, 4 * BINS)
    assert bits[0, :4].tolist() == [int(digit) for digit in f"{code:04b}"]


@pytest.mark.parametrize("bin_", range(BINS))
@pytest.mark.parametrize(("code", "bit"), [(8, 0), (4, 1), (2, 2), (1, 3)])
def test_feature_index_is_bin_times_bits_plus_bit(bin_, code, bit):
    magnitudes = np.zeros(BINS)
    magnitudes[bin_] = code + 0.5
    assert np.flatnonzero(encode(front_end(levels(4)), spectrum_of(magnitudes))[0]).tolist() == [bin_ * 4 + bit]


def test_tie_with_a_threshold_counts_as_reached():
    magnitude = np.float32(3.0)
    below = np.nextafter(magnitude, np.float32(0))
    it = front_end(levels(4))
    assert encode(it, spectrum_of(np.full(BINS, magnitude)))[0, :4].tolist() == [0, 0, 1, 1]
    assert encode(it, spectrum_of(np.full(BINS, below)))[0, :4].tolist() == [0, 0, 1, 0]


def test_zero_magnitude_reaches_a_zero_threshold():
    assert encode(front_end(np.zeros((BINS, 1))), spectrum_of(np.zeros(BINS))).tolist() == [[1] * BINS]


def test_equal_thresholds_count_each():
    assert encode(front_end(np.full((BINS, 3), 1.0)), spectrum_of(np.ones(BINS)))[0, :2].tolist() == [1, 1]


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 8), frames=st.integers(1, 4))
@settings(max_examples=50)
def test_code_is_the_number_of_thresholds_reached(seed, bits, frames):
    rng = np.random.default_rng(seed)
    thresholds = np.sort(rng.integers(0, 6, (BINS, 2**bits - 1)), axis=1)
    # Integers, so that the sum of squares is exact and a test of our own has nothing to round.
    spectrum = rng.integers(-4, 5, (frames, BINS)) + 1j * rng.integers(-4, 5, (frames, BINS))
    got = encode(front_end(thresholds), spectrum.astype(np.complex64))
    squared = spectrum.real.astype(int) ** 2 + spectrum.imag.astype(int) ** 2
    for frame in range(frames):
        for bin_ in range(BINS):
            code = sum(squared[frame, bin_] >= int(limit) ** 2 for limit in thresholds[bin_])
            digits = [int(digit) for digit in f"{code:0{bits}b}"]
            assert got[frame, bin_ * bits : (bin_ + 1) * bits].tolist() == digits


@given(seed=st.integers(0, 2**32 - 1), bits=st.integers(1, 40), frames=st.integers(1, 4))
@settings(max_examples=30)
def test_a_thermometer_has_a_bit_per_threshold_lowest_first(seed, bits, frames):
    rng = np.random.default_rng(seed)
    it = front_end(np.sort(rng.integers(0, 6, (BINS, bits)), axis=1), code="thermometer")
    assert (it.bits, it.features) == (bits, bits * BINS)
    spectrum = rng.integers(-4, 5, (frames, BINS)) + 1j * rng.integers(-4, 5, (frames, BINS))
    got = encode(it, spectrum.astype(np.complex64)).reshape(frames, BINS, bits)
    squared = spectrum.real.astype(int) ** 2 + spectrum.imag.astype(int) ** 2
    np.testing.assert_array_equal(got, squared[..., None] >= it.thresholds.astype(int) ** 2)


def test_a_code_of_some_bits_has_so_many_thresholds():
    assert [limits_of("binary", bits) for bits in (1, 2, 8)] == [1, 3, 255]
    assert [limits_of("thermometer", bits) for bits in (1, 2, 8)] == [1, 2, 8]
    assert [limits_of("level", bits) for bits in (4, 8)] == [1, 1]
    for code in CODES:
        feature_bits = 4 if code == "level" else 1
        made = front_end(np.ones((BINS, limits_of(code, 4))), code=code, feature_bits=feature_bits)
        assert (made.bits, made.features) == (4, BINS if code == "level" else 4 * BINS)


@pytest.mark.parametrize("bits", range(4, 9))
def test_levels_in_floating_point_are_those_in_integers_but_for_a_few(bits):
    """Which are next to another one; keys have a mantissa of 10 bits, the samples 16."""
    it = FloatFrontEnd(16000, 64, 16, "hann", 0.1, np.full((33, 1), 0.02, np.float32), 16, "level", 1, bits)
    signal = np.random.default_rng(0).normal(0, 0.05, 16_000).astype(np.float32)
    in_floats, in_integers = it.hear(signal), hear(it.to_integers(), to_samples(signal))
    frames = len(in_floats)
    differ = np.abs(in_floats.astype(int) - in_integers[:frames])
    assert len(np.unique(in_floats)) > 2**bits // 3
    assert differ.max() <= 1 and (differ > 0).mean() < 0.0005 * 2**bits


def test_levels_of_silence_and_of_an_unfitted_front_end_are_at_the_ends():
    it = FloatFrontEnd(16000, 64, 16, "hann", 0.1, np.zeros((33, 1), np.float32), 16, "level", 1, 5)
    assert (it.hear(np.zeros(1000, np.float32)) == -16).all()
    assert (it.hear(np.random.default_rng(0).normal(0, 0.1, 1000).astype(np.float32))[5:-5] == 15).all()


def test_gains_of_several_bits_are_shares_of_the_largest():
    masks = np.array([[0, 1, 7, 13, 14, 0, 0, 0, 0]], np.uint8)
    got = front_end(levels(1), gain_bits=4).gains(masks)
    np.testing.assert_allclose(got, masks / 14, rtol=1e-6)


def test_a_bins_gain_is_the_share_of_its_mask_bits_that_are_one():
    masks = np.zeros((2, 3 * BINS), np.uint8)
    masks[0, 3:6], masks[1, 6:8], masks[1, 26] = 1, 1, 1
    expected = np.zeros((2, BINS))
    expected[0, 1], expected[1, 2], expected[1, 8] = 1, 2 / 3, 1 / 3
    np.testing.assert_allclose(front_end(levels(1), mask_bits=3).gains(masks), expected)
    plain = np.arange(2 * BINS, dtype=np.uint8).reshape(2, BINS) % 2
    np.testing.assert_array_equal(front_end(levels(1)).gains(plain), plain)


@given(
    seed=st.integers(0, 2**32 - 1),
    fft_size=st.sampled_from([2, 15, 16, 64]),
    divisor=st.sampled_from([2, 4]),
    extra=st.integers(0, 200),
)
@settings(max_examples=50)
def test_istft_inverts_stft(seed, fft_size, divisor, extra):
    hop = max(1, fft_size // divisor)
    it = front_end(np.ones((fft_size // 2 + 1, 1)), fft_size, hop)
    signal = np.random.default_rng(seed).standard_normal(-(-fft_size // 2) + extra).astype(np.float32)
    spectrum = it.stft(signal)
    assert spectrum.shape[1] == it.bins and spectrum.dtype == np.complex64
    back = it.istft(spectrum, len(signal))
    assert back.dtype == np.float32
    assert np.allclose(back, signal, atol=1e-5)


def test_frame_i_is_centred_on_sample_i_minus_1_hops():
    # At a hop of a quarter window: the first frame that touches the signal is centred a hop before it.
    hop = FFT // 4
    signal = np.random.default_rng(1).standard_normal(100).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)  # periodic Hann
    padded = np.pad(signal, FFT)
    starts = np.arange(28) * hop - hop - FFT // 2
    expected = [np.abs(np.fft.rfft(padded[FFT + start : 2 * FFT + start] * window)) for start in starts]
    assert np.allclose(np.abs(front_end(levels(1)).stft(signal)), expected, atol=1e-5)


@pytest.mark.parametrize("fft_size", [15, 16])
def test_shorter_than_half_a_window_is_refused(fft_size):
    it = front_end(np.ones((fft_size // 2 + 1, 1)), fft_size, 4)
    assert len(it.stft(np.ones(8, dtype=np.float32)))
    with pytest.raises(BadInput, match=r"^recording: expected at least 8 samples \(half a window\), got 7$"):
        it.stft(np.ones(7, dtype=np.float32))


def recording(samples: int = 600, seed: int = 0) -> np.ndarray:
    """A sound whose level wanders by some 40 dB."""
    rng = np.random.default_rng(seed)
    wandering = np.exp(np.cumsum(rng.normal(0, 0.05, samples)))
    return (0.1 * wandering * rng.normal(0, 1, samples)).astype(np.float32)


def heard(signal: np.ndarray) -> np.ndarray:
    return power(front_end(levels(1)).stft(signal))


def exponents(heard: np.ndarray) -> np.ndarray:
    return SlowGain(front_end(levels(1))).exponents(heard)


@given(seed=st.integers(0, 2**32 - 1), exponent=st.integers(-40, 40))
@settings(max_examples=50)
def test_a_power_of_two_in_power_changes_no_bit(seed, exponent):
    it = front_end(np.tile(np.geomspace(0.01, 10, 15), (BINS, 1)))
    quiet = heard(recording(seed=seed))
    loud = np.ldexp(quiet, exponent)
    bits = it.encode(quiet, exponents(quiet))
    assert 0.2 < bits.mean() < 0.8
    np.testing.assert_array_equal(exponents(loud), exponents(quiet) + exponent)
    np.testing.assert_array_equal(it.encode(loud, exponents(loud)), bits)


@pytest.mark.parametrize("factor", [2.0**-13, 0.25, 2.0, 1024.0])
def test_a_recording_of_another_level_is_heard_the_same(factor):
    it = front_end(np.tile(np.geomspace(0.01, 10, 15), (BINS, 1)))
    np.testing.assert_array_equal(it.hear(np.float32(factor) * recording()), it.hear(recording()))


@given(st.floats(-60, 60))
@settings(max_examples=30)
def test_at_any_gain_the_level_is_within_the_rounding_of_the_one_aimed_at(gain_db):
    """1.505 dB, half of a factor of two; so at two gains a frame's level differs by twice that at most."""
    quiet = heard(recording(300))
    loud = quiet * np.float32(10 ** (gain_db / 10))
    level = np.array(means(loud)) / 2.0 ** exponents(loud)
    assert np.all(np.abs(10 * np.log10(level / 0.1**2)) <= 1.5052)


def means(heard: np.ndarray) -> list[float]:
    """The mean power that the gain follows, as the page has it."""
    mean, found = 0.0, []
    for count, row in enumerate(heard.astype(np.float64), 1):
        inner = 2 * row[1:-1].sum() + row[0] + row[-1]
        now = inner / (FFT * np.sum(np.hanning(FFT + 1)[:-1] ** 2))
        mean += (now - mean) / min(count, GAIN_FRAMES)
        found.append(mean)
    return found


def test_exponents_are_those_of_the_mean_power_of_the_frames_so_far():
    """An exponent e is where the mean is from 2**(e - 1/2) up to 2**(e + 1/2) times the level, in power."""
    spectrum = heard(recording())
    ratio = np.array(means(spectrum)) / 0.1**2
    found = exponents(spectrum)
    assert found.dtype == np.int32 and len(set(found.tolist())) > 3
    assert np.all((2.0 ** (found - 0.5) <= ratio * (1 + 1e-12)) & (ratio * (1 - 1e-12) < 2.0 ** (found + 0.5)))
    early = spectrum[:GAIN_FRAMES].astype(float)
    np.testing.assert_allclose(means(spectrum)[GAIN_FRAMES - 1], means(early.mean(axis=0)[None])[0])


@pytest.mark.parametrize("fft_size", [15, 16])
def test_the_power_of_a_frame_is_the_mean_square_of_the_signal_behind_it(fft_size):
    """Parseval, of a window of any parity: a sound of the level itself has exponent 0, one of 16 times that power 4."""
    it = front_end(np.ones((fft_size // 2 + 1, 1)), fft_size, 4)
    signal = np.random.default_rng(0).normal(0, 0.1, 40_000).astype(np.float32)
    spectrum = power(it.stft(signal))
    assert float(np.mean(spectrum @ SlowGain(it).to_power)) == pytest.approx(0.01, rel=0.02)
    steady = np.tile(spectrum.mean(axis=0), (5, 1))
    assert SlowGain(it).exponents(steady).tolist() == [0] * 5
    assert SlowGain(it).exponents(16 * steady).tolist() == [4] * 5


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.integers(0, 99))
@settings(max_examples=20)
def test_the_gain_goes_on_block_by_block_as_over_the_whole(blocks, seed):
    spectrum = heard(recording(4 * sum(blocks) + FFT, seed))
    gain, found, begin = SlowGain(front_end(levels(1))), [], 0
    for length in [*blocks, len(spectrum)]:
        found.append(gain.exponents(spectrum[begin : begin + length]))
        begin += length
    np.testing.assert_array_equal(np.concatenate(found), exponents(spectrum))


def test_recordings_at_once_have_the_gain_that_each_has_alone():
    several = np.stack([heard(recording(seed=seed)) for seed in range(3)], axis=1)
    together = exponents(several)
    assert together.shape == several.shape[:2]
    for index in range(3):
        np.testing.assert_array_equal(together[:, index], exponents(several[:, index]))


@pytest.mark.parametrize("step_db", [-20.0, 20.0])
def test_the_gain_follows_a_change_of_level_within_the_frames_that_it_remembers(step_db):
    """A step of level: 1 - 1/e of the way in `gain_frames` frames, all of it (but rounded) in seven times as many."""
    frame = np.full((1, BINS), 0.1**2 / SlowGain(front_end(levels(1))).to_power.sum(), np.float32)
    factor = np.float32(10 ** (step_db / 10))
    found = exponents(np.concatenate([np.tile(frame, (50, 1)), np.tile(factor * frame, (100, 1))]))
    assert np.all(found[:50] == 0)
    assert np.all(np.diff(found[49:]) * np.sign(step_db) >= 0)
    part_way = 1 + (factor - 1) * (1 - (1 - 1 / GAIN_FRAMES) ** GAIN_FRAMES)
    assert found[49 + GAIN_FRAMES] == round(np.log2(part_way)) != 0
    assert np.all(found[49 + 7 * GAIN_FRAMES :] == round(np.log2(factor)))


def test_no_frame_depends_on_what_follows():
    it, signal = front_end(np.tile(np.geomspace(0.01, 10, 15), (BINS, 1))), recording()
    louder = np.concatenate([signal[:300], 100 * signal[300:]])
    frames = (300 - FFT // 2) // 4  # whose windows end before the change
    np.testing.assert_array_equal(it.hear(louder)[:frames], it.hear(signal)[:frames])
    assert not np.array_equal(it.hear(louder), it.hear(signal))


def test_digital_silence_has_the_least_exponent_and_bits_of_zeros():
    it = front_end(levels(4))
    silence = np.zeros((20, BINS), np.float32)
    assert np.all(exponents(silence) == -EXPONENTS)
    assert not it.hear(np.zeros(100, np.float32)).any()


def test_sound_after_digital_silence_is_heard_as_any_other():
    spectrum = np.concatenate([np.zeros((20, BINS), np.float32), heard(recording())])
    found = exponents(spectrum)
    assert np.all(found[:20] == -EXPONENTS) and np.all(found[20:] > -EXPONENTS)
    np.testing.assert_array_equal(found[20 + 30 * GAIN_FRAMES :], exponents(spectrum[20:])[30 * GAIN_FRAMES :])


def test_the_loudest_and_the_faintest_sound_have_finite_exponents():
    for amplitude in (2.0**31, 2.0**-40):
        spectrum = heard(np.float32(amplitude) * recording())
        assert np.all(np.abs(exponents(spectrum)) <= EXPONENTS)
        assert np.all(np.isfinite(np.ldexp(spectrum, -exponents(spectrum)[:, None])))
