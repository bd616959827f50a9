"""Apparent scores of a network that is trained on the test mixtures during the test: an experiment, not a method.

The paper's released code runs its optimiser in the evaluation loop, so every evaluation trains on the test set.
This repeats it with one of our networks, to measure how much of the difference to the paper's figures it explains.
Nothing else in the project ever updates a weight on test recordings.
"""

import copy
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from model.corpora.float_front_end import power
from model.corpora.mixing import mask_targets
from model.evaluation.scoring import Trial
from model.training.batches import features
from model.training.config import Config
from model.training.loss import weighted_loss
from model.training.network import Pi
from model.training.trainer import bipolar
from study.networks import Masker


def updated(system: Masker, trials: Sequence[Trial], settings: Config, passes: int) -> Iterator[Masker]:
    """The system after each pass over the test mixtures; a batch is one utterance in all its noises, as in the paper.

    The learning rate is the last one of training.
    """
    rate = settings.stages[-1].last_rate
    network, front_end = copy.deepcopy(system.network), system.front_end
    optimiser = torch.optim.Adam(network.parameters(), lr=rate, betas=(settings.beta1, settings.beta2))
    together: dict[tuple[str, str], list[Trial]] = {}
    for trial in trials:
        together.setdefault((trial.speaker, trial.utterance), []).append(trial)
    for _ in range(passes):
        for group in together.values():
            mixtures = [trial.mixture() for trial in group]
            heard = np.stack([power(front_end.stft(item.mixture)) for item in mixtures], axis=1)
            spectra = [(front_end.stft(item.clean), front_end.stft(item.noise)) for item in mixtures]
            mask = bipolar(np.stack([mask_targets(*pair, front_end.mask_bits)[0] for pair in spectra], axis=1))
            x, states = bipolar(features(front_end, heard, system.magnitudes)), None
            for start in range(0, len(x), settings.truncation):
                chunk = slice(start, start + settings.truncation)
                v, states = network(x[chunk], states, Pi(*system.pi))
                optimiser.zero_grad()
                weighted_loss(v, mask[chunk], torch.ones(())).backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
                optimiser.step()
        yield Masker(copy.deepcopy(network), front_end, system.pi, system.magnitudes)
