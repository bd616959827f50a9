"""Training mixtures made in the STFT domain."""

import numpy as np
import pytest

from model.batches import Mixtures
from model.frontend import FrontEnd
from model.mixing import mix, power

FRONT_END = FrontEnd(16000, 64, 32, "hann", 0.1, np.tile(np.linspace(0.01, 1, 15, dtype=np.float32), (33, 1)))


def sound(samples: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.3, samples).astype(np.float32)


@pytest.fixture
def mixtures() -> Mixtures:
    """Three utterances, the last shorter than a batch's excerpts, and two noises."""
    return Mixtures(
        FRONT_END, [sound(9000, 1), sound(4000, 2), sound(700, 3)], {"a": sound(5000, 4), "b": sound(600, 5)}
    )


def test_spectra_have_the_snr_and_level_of_mixtures_made_from_samples(mixtures: Mixtures) -> None:
    speech, noise = mixtures.spectra(8, 100, (-5.0, -5.0), np.random.default_rng(0))
    assert speech.shape == noise.shape == (8, 100, 33)
    for s, n in zip(speech, noise, strict=True):
        assert 10 * np.log10(power(s).sum() / power(n).sum()) == pytest.approx(-5.0, abs=0.2)
    made = mix(sound(3200, 1), sound(3200, 4), -5.0, np.random.default_rng(0), rms=FRONT_END.rms)
    in_time = power(FRONT_END.stft(made.mixture)).mean()
    assert np.mean(power(speech + noise)) == pytest.approx(in_time, rel=0.1)


def test_a_batch_is_time_first_with_features_of_the_front_end_and_the_ideal_mask(mixtures: Mixtures) -> None:
    rng = np.random.default_rng(1)
    batch = mixtures.batch(4, 50, (0.0, 0.0), 1.0, rng)
    speech, noise = mixtures.spectra(4, 50, (0.0, 0.0), np.random.default_rng(1))
    assert batch.features.shape == (50, 4, 132)
    np.testing.assert_array_equal(batch.features[:, 2], FRONT_END.encode(speech[2] + noise[2]))
    np.testing.assert_array_equal(batch.mask[:, 3], np.abs(speech[3]) > np.abs(noise[3]))


def test_weights_follow_the_cost_of_a_wrong_bit_and_have_mean_one(mixtures: Mixtures) -> None:
    speech, noise = mixtures.spectra(4, 50, (0.0, 0.0), np.random.default_rng(1))
    cost = np.abs(power(speech) - power(noise)).swapaxes(0, 1)
    energy = mixtures.batch(4, 50, (0.0, 0.0), 2.0, np.random.default_rng(1)).weight
    np.testing.assert_allclose(energy, cost / cost.mean(), rtol=1e-3)
    plain = mixtures.batch(4, 50, (0.0, 0.0), 0.0, np.random.default_rng(1)).weight
    np.testing.assert_array_equal(plain, 1.0)


def test_batches_are_fresh_within_a_seed_and_equal_across_runs(mixtures: Mixtures) -> None:
    rng = np.random.default_rng(1)
    first, second = (mixtures.batch(2, 20, (-5.0, 5.0), 1.0, rng).features for _ in range(2))
    again = mixtures.batch(2, 20, (-5.0, 5.0), 1.0, np.random.default_rng(1)).features
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, second)


def test_silent_stretches_do_not_poison_a_batch() -> None:
    gated = np.concatenate([np.zeros(6400, np.float32), sound(640, 1)])
    batch = Mixtures(FRONT_END, [gated], {"gated": gated}).batch(16, 20, (0.0, 0.0), 1.0, np.random.default_rng(0))
    assert np.all(np.isfinite(batch.weight))


def test_noises_are_played_at_every_speed_and_each_recording_gets_a_response_of_its_own() -> None:
    tone = np.sin(2 * np.pi * 2000 * np.arange(16000) / 16000).astype(np.float32)
    varied = Mixtures(FRONT_END, [sound(9000, 1)], {"tone": tone}, speeds=(0.5, 1.0, 1.5), equaliser_db=3.0)
    speech, noise = varied.spectra(40, 20, (0.0, 0.0), np.random.default_rng(0))
    peaks = {int(np.argmax(power(item).mean(axis=0))) for item in noise}
    assert peaks == {4, 8, 12}  # 1, 2 and 3 kHz in bins of 250 Hz
    tilts = [power(item)[:, :16].sum() / power(item)[:, 16:].sum() for item in speech]
    assert np.std(np.log(tilts)) > 0.2
