"""The losses: wrong mask bits weighted by their cost, the loss of intelligibility, and SI-SDR with distillation."""

from typing import NamedTuple

import numpy as np
import torch
from pystoi.utils import thirdoct
from torch import Tensor, nn

from model.corpora.float_front_end import FloatFrontEnd
from model.training.config import Config

BANDS, LOWEST = 15, 150.0
"""Third-octave bands of STOI, and the centre of the first, Hz (Taal, Hendriks, Heusdens and Jensen 2011, II)."""

SEGMENT = 0.384
"""Seconds over which STOI compares envelopes."""

QUIET = 1e-4
"""Added to a product of two envelopes' norms: in a silent band there is nothing to learn."""


FLOOR = 1e-4
"""Share of a mixture's energy that counts as error in every estimate, and the least SI-SDR, as a ratio: -40 dB."""


SILENCE = 1e-9
"""Added to energies, so that those of silence can be divided by."""


def weighted_loss(v: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Logistic loss of the relaxed output v against the mask, each unit with its weight.

    Mask bits are bipolar. Gains from 0 to 1 are given as -1 to +1; the loss is least if sigmoid(2 v) is the gain.
    """
    wanted, softplus = (1.0 + mask) / 2.0, nn.functional.softplus
    return (weight * (wanted * softplus(-2.0 * v) + (1.0 - wanted) * softplus(2.0 * v))).mean()


class Envelopes:
    """Distance between the envelopes of the masked mixture and of the speech, in STOI's bands.

    As in STOI, 1 minus the correlation of the two over stretches of 384 ms, the mean over bands and stretches; unlike
    STOI, in the front end's own frames, without clipping, and with the pauses. The gain of a bin is its expected value
    for bits that are 1 with the probabilities sigmoid(2 v) of `weighted_loss`.
    """

    def __init__(self, front_end: FloatFrontEnd, device: torch.device) -> None:
        bands, _ = thirdoct(front_end.sample_rate, front_end.fft_size, BANDS, LOWEST)
        heard = bands[np.any(bands, axis=1)].T
        self.bands = torch.from_numpy(np.ascontiguousarray(heard, np.float32)).to(device)
        self.mask_bits = front_end.mask_bits
        self.segment = max(2, round(SEGMENT * front_end.frame_rate))

    def loss(self, v: Tensor, mixture: Tensor, speech: Tensor) -> Tensor:
        """The loss of the relaxed output v (frames, batch, bins * mask bits), |X|^2 and |S|^2 (frames, batch, bins)."""
        gain = torch.sigmoid(2.0 * v).unflatten(-1, (-1, self.mask_bits)).mean(-1)
        masked, wanted = self._segments(gain.square() * mixture), self._segments(speech)
        norms = masked.norm(dim=-1) * wanted.norm(dim=-1)
        return 1.0 - ((masked * wanted).sum(-1) / (norms + QUIET)).mean()

    def _segments(self, power: Tensor) -> Tensor:
        """Envelopes of half-overlapping segments, each without its mean: (segments, batch, bands, frames)."""
        envelope = torch.sqrt(power @ self.bands.to(power.dtype) + QUIET**2)
        length = min(self.segment, len(power))
        segments = envelope.unfold(0, length, max(1, length // 2))
        return segments - segments.mean(-1, keepdim=True)


class Targets(NamedTuple):
    """What the output of some frames is compared with, each (frames, batch, ...).

    `mask` and its `weight` (..., bins * mask bits) as in `weighted_loss`; `mixture`, `speech` and `common` (..., bins)
    are |X|^2, |S|^2 and Re(X* S).
    """

    mask: Tensor
    weight: Tensor
    mixture: Tensor
    speech: Tensor
    common: Tensor

    def frames(self, chunk: slice) -> "Targets":
        """The targets of some of the frames."""
        return Targets(*(part[chunk] for part in self))


class SiSdr:
    """The loss of FQSS (Cohen, Habi, Peretz and Netzer 2024): SI-SDR in decibels, with distillation.

    With S(a, b) the SI-SDR of a against b as a ratio, q the output, f the real-valued network's and s the speech,

        -10 log10((1 - d) S(q, s) + d w S(q, f)),    w = S(q, s) / S(f, s)

    The weight w, without a gradient, is the sample's sensitivity: where quantisation costs much, the real-valued
    network is a target that is out of reach, and counts less. FQSS sums over samples; here energies and products are
    sums over the frames and bins of a stretch of the spectrum.
    """

    def __init__(self, front_end: FloatFrontEnd, distillation: float) -> None:
        self._mask_bits, self._distillation = front_end.mask_bits, distillation

    def __call__(self, v: Tensor, targets: Targets, real: Tensor | None = None) -> Tensor:
        """The loss of the relaxed output v and of the real-valued network's, (frames, batch, bins * mask bits)."""
        gain, mixture = self._gain(v), targets.mixture
        task = _ratio(gain * targets.common, gain.square() * mixture, targets.speech, mixture)
        if real is None or not self._distillation:
            return _decibels(task)
        wanted = self._gain(real)
        best = _ratio(wanted * targets.common, wanted.square() * mixture, targets.speech, mixture)
        near = _ratio(gain * wanted * mixture, gain.square() * mixture, wanted.square() * mixture, mixture)
        weight = (task.detach() + FLOOR) / (best + FLOOR)
        return _decibels((1 - self._distillation) * task + self._distillation * weight * near)

    def _gain(self, v: Tensor) -> Tensor:
        """A bin's expected gain, as in `Envelopes`."""
        return torch.sigmoid(2.0 * v).unflatten(-1, (-1, self._mask_bits)).mean(-1)


def _ratio(product: Tensor, estimate: Tensor, target: Tensor, mixture: Tensor) -> Tensor:
    """SI-SDR of each sequence as a ratio, (batch,), from products and energies (frames, batch, bins)."""
    common, energy, wanted, whole = (part.sum((0, 2)) for part in (product, estimate, target, mixture))
    true = common.square() / wanted.clamp_min(SILENCE)
    return true / ((energy - true).clamp_min(0.0) + FLOOR * whole + SILENCE)


def _decibels(ratio: Tensor) -> Tensor:
    return -10.0 * torch.log10(ratio + FLOOR).mean()


class Objective:
    """The loss of a run's settings: `weighted_loss`, and the envelopes if they have a weight; or `SiSdr`."""

    def __init__(self, settings: Config, front_end: FloatFrontEnd, device: torch.device) -> None:
        self._envelope_weight = settings.envelope_weight
        self._envelopes = Envelopes(front_end, device)
        self._si_sdr = SiSdr(front_end, settings.distillation) if settings.loss == "si_sdr" else None

    def __call__(self, v: Tensor, targets: Targets, real: Tensor | None = None) -> Tensor:
        """The loss of the relaxed output v (frames, batch, bins * mask bits); `real` is that of a network to distil."""
        if self._si_sdr is not None:
            return self._si_sdr(v, targets, real)
        loss = weighted_loss(v, targets.mask, targets.weight)
        if self._envelope_weight:
            loss = loss + self._envelope_weight * self._envelopes.loss(v, targets.mixture, targets.speech)
        return loss
