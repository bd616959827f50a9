"""Training mixtures made in the STFT domain."""

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from model.corpora.float_front_end import FloatFrontEnd, SlowGain, Spectrum
from model.corpora.mixing import mask_targets, mix, power
from model.training.batches import COMPRESSION, Augmentation, Mixtures, Noises, features

FRONT_END = FloatFrontEnd(16000, 64, 32, "hann", 0.1, np.tile(np.linspace(0.01, 1, 15, dtype=np.float32), (33, 1)), 16)
EVEN = (0.0, 0.0)
EVERYTHING = Augmentation(
    (1.0, 1.1),
    (0.8, 1.0),
    3.0,
    reverberant=0.5,
    synthetic=0.5,
    second_noise=0.5,
    clean=0.2,
    pure_noise=0.2,
    clipped=0.3,
)


def sound(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, samples).astype(np.float32)


def sources(indices: Iterable[int], seed: int = 1) -> list[np.random.Generator]:
    """A source of randomness for each sequence, as training has them."""
    return [np.random.default_rng([seed, index]) for index in indices]


RECORDINGS = ([sound(9000, 1), sound(4000, 2), sound(700, 3)], {"a": sound(5000, 4), "b": sound(600, 5)})
"""Three utterances, the last shorter than a batch's excerpts, and two noises."""


@pytest.fixture
def mixtures() -> Mixtures:
    return Mixtures(FRONT_END, *RECORDINGS)


def test_spectra_have_the_snr_and_level_of_mixtures_made_from_samples(mixtures: Mixtures) -> None:
    speech, noise = mixtures.spectra(100, (-5.0, -5.0), sources(range(8)))
    assert speech.shape == noise.shape == (8, 100, 33)
    for s, n in zip(speech, noise, strict=True):
        assert 10 * np.log10(power(s).sum() / power(n).sum()) == pytest.approx(-5.0, abs=0.2)
    made = mix(sound(3200, 1), sound(3200, 4), -5.0, np.random.default_rng(0), rms=FRONT_END.rms)
    in_time = power(FRONT_END.stft(made.mixture)).mean()
    assert np.mean(power(speech + noise)) == pytest.approx(in_time, rel=0.1)


def test_a_batch_is_time_first_with_features_of_the_front_end_and_the_ideal_mask(mixtures: Mixtures) -> None:
    batch = mixtures.batch(50, EVEN, 0.0, 1.0, sources(range(4)))
    speech, noise = mixtures.spectra(50, EVEN, sources(range(4)))
    assert batch.features.shape == (50, 4, 132)
    heard = power(speech[2] + noise[2])
    expected = FRONT_END.encode(heard, SlowGain(FRONT_END).exponents(heard))
    np.testing.assert_array_equal(batch.features[:, 2], expected)
    np.testing.assert_array_equal(batch.mask[:, 3], np.abs(speech[3]) > np.abs(noise[3]))
    np.testing.assert_array_equal(batch.mixture[:, 2], heard)
    np.testing.assert_array_equal(batch.speech[:, 1], power(speech[1]))


def test_a_batch_for_masks_of_several_bits_has_a_target_and_a_weight_for_each() -> None:
    front_end = dataclasses.replace(FRONT_END, mask_bits=3)
    batch = Mixtures(front_end, *RECORDINGS).batch(50, EVEN, 0.0, 2.0, sources(range(2)))
    assert batch.mask.shape == batch.weight.shape == (50, 2, 99)
    speech, noise = Mixtures(front_end, *RECORDINGS).spectra(50, EVEN, sources(range(2)))
    mask, cost = mask_targets(speech[1], noise[1], 3)
    np.testing.assert_array_equal(batch.mask[:, 1], mask)
    np.testing.assert_allclose(batch.weight[:, 1], cost / cost.mean(), rtol=1e-3)


def test_weights_follow_the_cost_of_a_wrong_bit_and_have_mean_one_in_every_mixture(mixtures: Mixtures) -> None:
    speech, noise = mixtures.spectra(50, EVEN, sources(range(4)))
    cost = np.abs(power(speech) - power(noise)).swapaxes(0, 1)
    energy = mixtures.batch(50, EVEN, 0.0, 2.0, sources(range(4))).weight
    np.testing.assert_allclose(energy, cost / cost.mean(axis=(0, 2), keepdims=True), rtol=1e-3, atol=1e-6)
    plain = mixtures.batch(50, EVEN, 0.0, 0.0, sources(range(4))).weight
    np.testing.assert_array_equal(plain, 1.0)


def test_batches_are_fresh_within_a_seed_and_equal_across_runs(mixtures: Mixtures) -> None:
    drawn = sources(range(2))
    first, second = (mixtures.batch(20, (-5.0, 5.0), 15.0, 1.0, drawn).features for _ in range(2))
    again = mixtures.batch(20, (-5.0, 5.0), 15.0, 1.0, sources(range(2))).features
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


@pytest.mark.parametrize("size", [2, 3, 6])
@pytest.mark.parametrize("magnitudes", [False, True])
def test_a_batch_made_in_parts_is_the_whole_batch(size: int, magnitudes: bool) -> None:
    """Equal shares of six sequences, as so many processes make them."""
    made = Mixtures(FRONT_END, *RECORDINGS, EVERYTHING, {"hum__1": sound(3000, 6)}, [sound(300, 7)], magnitudes)
    whole = made.batch(30, (-5.0, 5.0), 15.0, 1.25, sources(range(6)))
    shares = [range(begin, begin + 6 // size) for begin in range(0, 6, 6 // size)]
    parts = [made.batch(30, (-5.0, 5.0), 15.0, 1.25, sources(share)) for share in shares]
    for name in ("features", "mask", "weight", "mixture", "speech"):
        together = np.concatenate([getattr(part, name) for part in parts], axis=1)
        np.testing.assert_array_equal(together, getattr(whole, name))


def test_mixtures_are_turned_up_and_down_and_heard_at_their_own_level(mixtures: Mixtures) -> None:
    """The level is drawn after everything else: mask and weights stay; what is heard goes through the slow gain."""
    level = mixtures.batch(50, EVEN, 0.0, 1.0, sources(range(4)))
    turned = mixtures.batch(50, EVEN, 15.0, 1.0, sources(range(4)))
    np.testing.assert_array_equal(turned.mask, level.mask)
    np.testing.assert_array_equal(turned.weight, level.weight)
    assert not np.array_equal(turned.features, level.features)
    speech, noise = mixtures.spectra(50, EVEN, sources(range(4)))
    drawn = sources(range(4))
    mixtures.spectra(50, EVEN, drawn)
    gains = np.array([rng.uniform(-15.0, 15.0) for rng in drawn])
    np.testing.assert_array_equal(mixtures.features(speech + noise, gains), turned.features)
    louder = power(speech[1] + noise[1]) * np.float32(10 ** (gains[1] / 10))
    np.testing.assert_array_equal(features(FRONT_END, louder), turned.features[:, 1])


def test_magnitudes_are_levelled_and_compressed() -> None:
    batch = Mixtures(FRONT_END, *RECORDINGS, magnitudes=True).batch(50, EVEN, 0.0, 1.0, sources(range(3)))
    assert batch.features.shape == (50, 3, 33)
    assert batch.features.dtype == np.float32
    speech, noise = Mixtures(FRONT_END, *RECORDINGS).spectra(50, EVEN, sources(range(3)))
    heard = power(speech[1] + noise[1])
    gain = 2.0 ** -SlowGain(FRONT_END).exponents(heard)[:, None]
    np.testing.assert_allclose(batch.features[:, 1], np.sqrt(heard * gain) ** COMPRESSION, rtol=1e-5)
    np.testing.assert_array_equal(features(FRONT_END, 16 * heard, True), features(FRONT_END, heard, True))


@pytest.mark.parametrize("loss_power", [0.0, 1.0, 1.25, 2.0])
def test_silent_stretches_do_not_poison_a_batch(loss_power: float) -> None:
    gated = np.concatenate([np.zeros(6400, np.float32), sound(640, 1)])
    mixtures = Mixtures(FRONT_END, [gated], {"gated": gated})
    batch = mixtures.batch(20, EVEN, 15.0, loss_power, sources(range(16)))
    silent = [not np.any(both) for both in np.add(*mixtures.spectra(20, EVEN, sources(range(16))))]
    assert 0 < sum(silent) < 16
    assert np.all(np.isfinite(batch.weight))
    assert not batch.features[:, silent].any()


def test_recordings_are_played_at_every_speed_and_each_gets_a_response_of_its_own() -> None:
    tone = np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000).astype(np.float32)
    varied = Mixtures(FRONT_END, [tone], {"tone": tone}, Augmentation((0.75, 1.25), (0.5, 1.0, 1.5), equaliser_db=0.5))
    speech, noise = varied.spectra(20, EVEN, sources(range(40)))
    peaks = [{int(np.argmax(power(item).mean(axis=0))) for item in part} for part in (speech, noise)]
    assert peaks == [{6, 10}, {4, 8, 12}]  # bins of 250 Hz; the tone has 2 kHz
    varied = Mixtures(FRONT_END, [sound(9000, 1)], {"tone": tone}, Augmentation(equaliser_db=3.0))
    speech, _ = varied.spectra(20, EVEN, sources(range(40)))
    tilts = [power(item)[:, :16].sum() / power(item)[:, 16:].sum() for item in speech]
    assert np.std(np.log(tilts)) > 0.2


def test_every_kind_of_noise_has_the_same_chance_however_many_recordings_it_has() -> None:
    steady = {f"rain__{index}": np.full(500, 1.0, np.float32) for index in range(9)}
    noises = Noises({**steady, "hum": np.full(500, 2.0, np.float32)})
    drawn = [noises.draw(10, rng)[0] for rng in sources(range(400))]
    assert np.mean(np.equal(drawn, 2.0)) == pytest.approx(0.5, abs=0.1)


def pairs(augmentation: Augmentation, count: int = 60, **more: Any) -> list[tuple[Spectrum, Spectrum]]:
    made = Mixtures(FRONT_END, *RECORDINGS, augmentation, **more)
    return list(zip(*made.spectra(40, EVEN, sources(range(count))), strict=True))


@pytest.mark.parametrize("silent", ["clean", "pure_noise"])
def test_a_share_of_the_mixtures_is_speech_alone_or_noise_alone(silent: str) -> None:
    share: dict[str, Any] = {silent: 0.5}
    made = pairs(Augmentation(**share))
    alone = [not np.any(noise if silent == "clean" else speech) for speech, noise in made]
    assert 0.25 < np.mean(alone) < 0.75
    for speech, noise in made:
        assert power(speech + noise).mean() > 0
    assert not any(np.any(noise) for _, noise in pairs(Augmentation(clean=1.0), 5))
    assert not any(np.any(speech) for speech, _ in pairs(Augmentation(pure_noise=1.0), 5))


def test_a_batch_of_clean_speech_asks_for_every_bin_and_one_of_noise_for_none() -> None:
    for augmentation, bit in ((Augmentation(clean=1.0), 1), (Augmentation(pure_noise=1.0), 0)):
        batch = Mixtures(FRONT_END, *RECORDINGS, augmentation).batch(30, EVEN, 0.0, 1.25, sources(range(4)))
        assert np.all(batch.mask == bit)
        assert np.all(np.isfinite(batch.weight)) and batch.weight.mean() == pytest.approx(1.0, rel=1e-3)


def test_a_second_noise_keeps_the_snr_and_synthetic_noise_replaces_recorded() -> None:
    tone = {"tone__1": np.sin(2 * np.pi * 4000 * np.arange(9000) / 16000).astype(np.float32)}
    for speech, noise in pairs(Augmentation(second_noise=1.0, synthetic=1.0), 6, synthetic=tone):
        assert power(noise)[:, 14:19].sum() > 0.99 * power(noise).sum()  # bins of 250 Hz
        assert 10 * np.log10(power(speech).sum() / power(noise).sum()) == pytest.approx(0.0, abs=0.3)
    both = pairs(Augmentation(synthetic=0.5, second_noise=1.0), 40, synthetic=tone)
    shares = [power(noise)[:, 14:19].sum() / power(noise).sum() for _, noise in both]
    assert any(0.2 < share < 0.95 for share in shares)


def test_reverberant_speech_is_the_speech_convolved_with_a_room() -> None:
    late = np.zeros(641, np.float32)
    late[640] = 1.0  # twenty hops later, and nothing else
    dry, wet = (pairs(Augmentation(reverberant=share), 4, rooms=[late]) for share in (0.0, 1.0))
    for (before, _), (after, _) in zip(dry, wet, strict=True):
        ratio = power(after[20:]).sum(axis=1) / power(before[:-20]).sum(axis=1)
        np.testing.assert_allclose(ratio[2:], ratio[2], rtol=1e-2)


def test_a_clipped_mixture_stays_within_its_limit_and_its_distortion_is_noise() -> None:
    made = Mixtures(FRONT_END, *RECORDINGS, Augmentation(clean=1.0, clipped=1.0))
    for speech, noise in zip(*made.spectra(60, EVEN, sources(range(6))), strict=True):
        mixture = FRONT_END.istft(speech + noise, 59 * 32)[64:-64]
        whole = FRONT_END.istft(speech, 59 * 32)[64:-64]
        assert np.max(np.abs(mixture)) < np.max(np.abs(whole))
        assert np.any(noise)
