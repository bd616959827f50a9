"""The loss: wrong mask bits weighted by their cost, and the loss of intelligibility."""

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

    `mask` and its `weight` (..., bins * mask bits) as in `weighted_loss`; `mixture` and `speech` (..., bins) are |X|^2
    and |S|^2.
    """

    mask: Tensor
    weight: Tensor
    mixture: Tensor
    speech: Tensor

    def frames(self, chunk: slice) -> "Targets":
        """The targets of some of the frames."""
        return Targets(*(part[chunk] for part in self))


class Objective:
    """The loss of a run's settings: `weighted_loss`, and the envelopes if they have a weight."""

    def __init__(self, settings: Config, front_end: FloatFrontEnd, device: torch.device) -> None:
        self._envelope_weight = settings.envelope_weight
        self._envelopes = Envelopes(front_end, device)

    def __call__(self, v: Tensor, targets: Targets) -> Tensor:
        """The loss of the relaxed output v (frames, batch, bins * mask bits)."""
        loss = weighted_loss(v, targets.mask, targets.weight)
        if self._envelope_weight:
            loss = loss + self._envelope_weight * self._envelopes.loss(v, targets.mixture, targets.speech)
        return loss
