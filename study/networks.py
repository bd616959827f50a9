"""PyTorch networks as systems to score, at any pi; a bundle only holds a network at pi = 1."""

from dataclasses import dataclass

import torch

from model.corpora.float_front_end import FloatFrontEnd, power
from model.corpora.mixing import Mixture
from model.evaluation.scoring import Enhanced, masked
from model.training.batches import features
from model.training.bernoulli import Draw
from model.training.network import MaskNetwork, Pi
from model.training.trainer import bipolar

SEED = 0
"""Seed of the Bernoulli masks of a partly binary network, drawn again for every mixture."""


@dataclass(frozen=True, eq=False)
class Masker:
    """A network at `pi`, in float32, with gains as in its bundle; its input is bits, or `magnitudes`."""

    network: MaskNetwork
    front_end: FloatFrontEnd
    pi: Pi
    magnitudes: bool

    def __call__(self, signals: Mixture) -> Enhanced:
        heard = power(self.front_end.stft(signals.mixture))
        x = bipolar(features(self.front_end, heard, self.magnitudes))[:, None]
        with torch.no_grad():
            v, _ = self.network(x, pi=self.pi, draw=Draw(SEED))
        return masked(self.front_end, signals, self.network.mask.gains(v[:, 0]).numpy())
