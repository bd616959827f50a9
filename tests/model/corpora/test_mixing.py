"""Mixtures and the ideal binary mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.corpora.mixing import excerpt, gain_targets, ideal_binary_mask, mask_targets, mix, noise_gain, power
from model.errors import BadInput


def sound(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@given(st.floats(-20, 20), st.integers(100, 2000), st.integers(10, 3000), st.floats(0.01, 0.9))
def test_a_mixture_has_the_snr_and_the_level_asked_for(snr: float, length: int, noise: int, rms: float) -> None:
    made = mix(sound(length), sound(noise, 1), snr, np.random.default_rng(2), rms)
    speech_power, noise_power = np.mean(made.clean.astype(float) ** 2), np.mean(made.noise.astype(float) ** 2)
    assert 10 * np.log10(speech_power / noise_power) == pytest.approx(snr, abs=1e-3)
    assert np.sqrt(np.mean(made.mixture.astype(float) ** 2)) == pytest.approx(rms, rel=1e-5)
    np.testing.assert_allclose(made.mixture, made.clean + made.noise, atol=1e-5)


def test_a_mixture_is_the_same_for_the_same_seed_only() -> None:
    speech, noise = sound(500), sound(5000, 1)
    first, again, other = (mix(speech, noise, 0, np.random.default_rng(seed)).mixture for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("silent", ["speech", "noise"])
def test_silence_has_no_snr(silent: str) -> None:
    signals = {"speech": sound(100), "noise": sound(100)} | {silent: np.zeros(100, np.float32)}
    with pytest.raises(BadInput, match=f"{silent}: expected sound to mix, got digital silence"):
        mix(signals["speech"], signals["noise"], 0, np.random.default_rng(0))


@given(st.integers(1, 50), st.integers(1, 120), st.integers(0, 99))
def test_an_excerpt_is_consecutive_and_a_short_recording_is_looped(samples: int, length: int, seed: int) -> None:
    cut = excerpt(np.arange(samples), length, np.random.default_rng(seed))
    assert len(cut) == length
    np.testing.assert_array_equal(cut, (cut[0] + np.arange(length)) % samples)


def test_noise_gain_leaves_noise_alone_where_there_is_nothing_to_compare() -> None:
    assert noise_gain(0.0, 1.0, 3.0) == noise_gain(1.0, 0.0, 3.0) == 1.0
    assert noise_gain(4.0, 1.0, 0.0) == 2.0


def test_ideal_mask_keeps_the_bins_where_speech_is_strictly_louder() -> None:
    speech = np.array([1.0, 1j, 3.0 + 4j, 0.0], np.complex64)
    noise = np.array([0.5j, 1.0, 5.1, 0.0], np.complex64)
    np.testing.assert_array_equal(ideal_binary_mask(speech, noise), [1, 0, 0, 0])
    np.testing.assert_allclose(power(speech), [1, 1, 25, 0])


def spectra() -> tuple[np.ndarray, np.ndarray]:
    """Of speech and noise, (2, 10, 9), whose levels differ by tens of decibels from bin to bin."""
    rng = np.random.default_rng(0)
    both = rng.normal(size=(2, 2, 10, 9)) + 1j * rng.normal(size=(2, 2, 10, 9))
    speech, noise = (both * np.exp(rng.normal(0, 1.5, both.shape))).astype(np.complex64)
    return speech, noise


def test_a_mask_of_one_bit_is_the_ideal_one_and_a_wrong_bit_costs_the_difference_in_power() -> None:
    speech, noise = spectra()
    mask, cost = mask_targets(speech, noise, 1)
    np.testing.assert_array_equal(mask, ideal_binary_mask(speech, noise))
    np.testing.assert_allclose(2 * cost, np.abs(power(speech) - power(noise)), rtol=1e-3, atol=1e-5)


def test_gain_targets_are_wieners_gain_and_cost_the_power_of_both() -> None:
    speech, noise = spectra()
    speech[0, 0, 0] = noise[0, 0, 0] = 0
    wanted, cost = gain_targets(speech, noise)
    total = power(speech).astype(float) + power(noise)
    np.testing.assert_allclose(cost, total, rtol=1e-5)
    np.testing.assert_allclose((wanted + 1) / 2, power(speech) / np.maximum(total, 1e-30), atol=1e-6)
    assert wanted.dtype == np.float32 and wanted[0, 0, 0] == -1
    np.testing.assert_array_equal(wanted > 0, ideal_binary_mask(speech, noise) == 1)


@pytest.mark.parametrize("bits", [1, 2, 3, 6])
def test_mask_targets_round_wieners_gain_and_cost_what_one_more_or_less_does(bits: int) -> None:
    """Error energy beyond what W leaves is (|S|^2 + |N|^2) (W - gain)^2; a flipped bit adds 2 / bits times its cost."""
    speech, noise = spectra()
    mask, cost = (array.reshape(2, 10, 9, bits) for array in mask_targets(speech, noise, bits))
    total = power(speech).astype(float) + power(noise)
    wiener = power(speech) / total
    ones = mask.sum(axis=-1, dtype=int)
    assert set(ones.ravel().tolist()) == set(range(bits + 1))
    assert np.all(np.diff(mask.astype(int), axis=-1) <= 0)
    assert np.all(np.abs(wiener - ones / bits) <= 0.5 / bits + 1e-6)

    def error(count: np.ndarray) -> np.ndarray:
        return total * (wiener - count / bits) ** 2

    for step, bit in ((1, ones), (-1, ones - 1)):
        there = (bit >= 0) & (bit < bits)
        flipped = np.take_along_axis(cost, np.clip(bit, 0, bits - 1)[..., None], axis=-1)[..., 0]
        added = error(ones + step) - error(ones)
        np.testing.assert_allclose(added[there], (2 / bits * flipped)[there], rtol=1e-3, atol=1e-4)
