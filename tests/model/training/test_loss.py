"""What training minimises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from pystoi import stoi  # noqa: E402 (after importorskip)

from model.corpora.float_front_end import FloatFrontEnd, power  # noqa: E402 (after importorskip)
from model.evaluation import metrics  # noqa: E402 (after importorskip)
from model.training.loss import FLOOR, Envelopes, SiSdr, Targets, weighted_loss  # noqa: E402 (after importorskip)

FRONT_END = FloatFrontEnd(16000, 256, 128, "hann", 0.1, np.zeros((129, 3), np.float32), mask_bits=3)
ONE_GAIN = FloatFrontEnd(16000, 256, 64, "hann", 0.1, np.zeros((129, 3), np.float32))
SURE = 20.0
"""A relaxed output whose bit is certain, in float32 as in words."""


def sounds(seed: int, frames: int = 60, batch: int = 2) -> torch.Tensor:
    """Powers (frames, batch, bins) that come and go in every bin."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.gamma(0.3, 1.0, (frames, batch, FRONT_END.bins)).astype(np.float32))


def loss(v: torch.Tensor, mixture: torch.Tensor, speech: torch.Tensor) -> float:
    return float(Envelopes(FRONT_END, torch.device("cpu")).loss(v, mixture, speech))


def output(bits: torch.Tensor) -> torch.Tensor:
    """The sure output whose mask bits (frames, batch, bins, 3) these are."""
    return (SURE * (2.0 * bits - 1.0)).flatten(-2)


def test_the_weighted_loss_is_the_logistic_loss_of_every_bit_times_its_weight() -> None:
    v, mask, weight = torch.tensor([0.0, 3.0, -3.0]), torch.tensor([1.0, 1.0, 1.0]), torch.tensor([1.0, 0.0, 2.0])
    expected = (np.log(2.0) + 2.0 * np.log1p(np.exp(6.0))) / 3
    assert float(weighted_loss(v, mask, weight)) == pytest.approx(expected)


@given(st.floats(0.01, 0.99), st.floats(-3.0, 3.0))
def test_a_gain_that_is_wanted_costs_least(gain: float, elsewhere: float) -> None:
    """Gains are -1 to +1 as bits are; the gain that v stands for is sigmoid(2 v)."""
    one = torch.ones(1)
    best = torch.logit(torch.tensor([gain])) / 2
    least = weighted_loss(best, one * (2 * gain - 1), one)
    assert float(weighted_loss(torch.tensor([elsewhere]), one * (2 * gain - 1), one)) >= float(least) - 1e-6


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 10.0))
def test_envelopes_of_any_level_that_are_the_speech_cost_nothing(seed: int, level: float) -> None:
    speech = sounds(seed)
    everything = torch.full((*speech.shape[:2], 3 * FRONT_END.bins), SURE)
    assert loss(everything, level * speech, speech) == pytest.approx(0.0, abs=1e-3)


@given(st.integers(0, 2**32 - 1))
def test_the_loss_is_from_0_to_2_and_1_for_a_mask_of_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    v = torch.from_numpy(rng.normal(0, 3, (60, 2, 3 * FRONT_END.bins)).astype(np.float32))
    assert 0.0 <= loss(v, sounds(seed), sounds(seed + 1)) <= 2.0
    assert loss(torch.full_like(v, -SURE), sounds(seed), sounds(seed + 1)) == pytest.approx(1.0, abs=1e-3)


def test_a_mask_that_keeps_the_speech_and_drops_the_noise_costs_less_than_one_that_keeps_both() -> None:
    speech, noise = sounds(1), sounds(2)
    ideal = (speech > noise)[..., None].expand(-1, -1, -1, 3).float()
    assert loss(output(ideal), speech + noise, speech) < 0.5 * loss(output(1 + 0 * ideal), speech + noise, speech)


def test_bits_of_a_bin_are_its_gain_in_thirds() -> None:
    """Two of three bits everywhere: the same envelopes at 2/3 of the level; in half of the bands: others."""
    speech = sounds(3)
    bits = torch.tensor([1.0, 1.0, 0.0]).expand(*speech.shape, 3)
    assert loss(output(bits), speech, speech) == pytest.approx(0.0, abs=1e-3)
    alternating = bits * (torch.arange(60) % 2)[:, None, None, None]
    assert loss(output(alternating), speech, speech) > 0.3


def test_silence_costs_one_and_teaches_nothing() -> None:
    v = torch.zeros(60, 2, 3 * FRONT_END.bins, requires_grad=True)
    silence = torch.zeros(60, 2, FRONT_END.bins)
    value = Envelopes(FRONT_END, torch.device("cpu")).loss(v, silence, silence)
    value.backward()
    assert value.item() == pytest.approx(1.0)
    assert not v.grad.any()


@pytest.mark.parametrize("frames", [1, 2, 7, 200])
def test_stretches_of_any_length_have_a_finite_loss_and_gradient(frames: int) -> None:
    v = torch.zeros(frames, 2, 3 * FRONT_END.bins, requires_grad=True)
    value = Envelopes(FRONT_END, torch.device("cpu")).loss(v, sounds(1, frames), sounds(2, frames))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(v.grad).all()


def test_what_lowers_the_loss_raises_stoi() -> None:
    """Noise added at falling levels to something that comes and goes as speech does: the orders are the same."""
    rng = np.random.default_rng(0)
    rhythm = np.repeat(rng.gamma(0.5, 1.0, 80), 800).astype(np.float32)
    clean = rhythm * rng.normal(0, 0.1, rhythm.size).astype(np.float32)
    noise = rng.normal(0, 0.1, rhythm.size).astype(np.float32)
    spectrum = FRONT_END.stft(clean)
    losses, scores = [], []
    for level in (3.0, 1.0, 0.3, 0.1):
        mixture = FRONT_END.stft(clean + level * noise)
        everything = torch.full((len(mixture), 1, 3 * FRONT_END.bins), SURE)
        heard, wanted = (torch.from_numpy(power(item))[:, None] for item in (mixture, spectrum))
        losses.append(loss(everything, heard, wanted))
        scores.append(stoi(clean, clean + level * noise, 16000))
    assert losses == sorted(losses, reverse=True)
    assert scores == sorted(scores)


def spectra(seed: int, frames: int = 60, batch: int = 2) -> tuple[np.ndarray, np.ndarray]:
    """Mixture and speech, (batch, frames, bins), of noise whose level changes."""
    rng, front_end = np.random.default_rng(seed), ONE_GAIN
    level = 0.1 * (np.sin(np.arange(64 * (frames + 3)) / 700) > 0)
    speech = [front_end.stft((level * rng.normal(size=level.shape)).astype(np.float32))[:frames] for _ in range(batch)]
    noise = [front_end.stft(rng.normal(0, 0.05, level.shape).astype(np.float32))[:frames] for _ in range(batch)]
    return np.array(speech) + np.array(noise), np.array(speech)


def targets_of(mixture: np.ndarray, speech: np.ndarray) -> Targets:
    energies = (power(mixture), power(speech), (mixture.conj() * speech).real)
    parts = [torch.from_numpy(np.ascontiguousarray(part.swapaxes(0, 1))) for part in energies]
    return Targets(torch.zeros(1), torch.zeros(1), *parts)


def test_si_sdr_of_the_spectrum_is_nearly_that_of_the_samples() -> None:
    """Samples of overlapping frames have the energies of the spectrum's consistent part: here within half a decibel."""
    mixture, speech = spectra(0, batch=1)
    v = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (60, 1, 129)).astype(np.float32))
    smooth = torch.nn.functional.avg_pool2d(v.swapaxes(0, 1), (15, 15), 1, 7).swapaxes(0, 1)
    gain = torch.sigmoid(2 * 4 * smooth)[:, 0].numpy()
    samples = [ONE_GAIN.istft(part, 64 * 57)[512:-512] for part in (speech[0], gain * mixture[0])]
    found = -float(SiSdr(ONE_GAIN, 0.0)(4 * smooth, targets_of(mixture, speech)))
    assert found == pytest.approx(metrics.si_sdr(*samples), abs=0.5)


def test_the_speech_itself_has_the_largest_si_sdr_and_its_level_does_not_matter() -> None:
    _, speech = spectra(2)
    targets, v = targets_of(speech, speech), torch.full((60, 2, 129), 10.0)
    best = -10 * np.log10(1 / FLOOR + FLOOR)
    assert float(SiSdr(ONE_GAIN, 0.0)(v, targets)) == pytest.approx(best, rel=1e-3)
    louder = Targets(*targets[:2], targets.mixture, 9 * targets.speech, 3 * targets.common)
    assert float(SiSdr(ONE_GAIN, 0.0)(v, louder)) == pytest.approx(best, rel=1e-3)


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.9))
def test_distillation_is_the_papers_formula(seed: int, share: float) -> None:
    """FQSS' `mysystem.py`: (1 - d) S(q, s) + d w S(q, f) with w = 10^((SDR_q - SDR_f) / 10), here of ratios."""
    mixture, speech = spectra(seed)
    rng = np.random.default_rng(seed)
    q, f = (torch.from_numpy(rng.normal(0, 1, (60, 2, 129)).astype(np.float32)) for _ in range(2))
    gains = [torch.sigmoid(2 * part).numpy().swapaxes(0, 1) for part in (q, f)]

    def si_sdr(estimate: np.ndarray, target: np.ndarray) -> np.ndarray:
        flat = [part.reshape(2, -1) for part in (estimate, target)]
        scale = (flat[0].conj() * flat[1]).real.sum(1) / power(flat[1]).sum(1)
        true = scale[:, None] * flat[1]
        whole = power(mixture).sum((1, 2))
        return power(true).sum(1) / (power(flat[0]).sum(1) - power(true).sum(1) + FLOOR * whole)

    estimates = [gain * mixture for gain in gains]
    task, best, near = si_sdr(estimates[0], speech), si_sdr(estimates[1], speech), si_sdr(*estimates)
    weight = (task + FLOOR) / (best + FLOOR)
    expected = -10 * np.log10((1 - share) * task + share * weight * near + FLOOR).mean()
    assert float(SiSdr(ONE_GAIN, share)(q, targets_of(mixture, speech), f)) == pytest.approx(expected, abs=2e-3)


def test_silence_has_a_loss_and_a_gradient_that_are_finite() -> None:
    v, silence = torch.zeros(60, 2, 129, requires_grad=True), torch.zeros(60, 2, 129)
    targets = Targets(silence, silence, silence, silence, silence)
    SiSdr(ONE_GAIN, 0.1)(v, targets, torch.zeros(60, 2, 129)).backward()
    assert v.grad is not None and bool(v.grad.isfinite().all())
