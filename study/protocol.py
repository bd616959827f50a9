"""The paper's experiment on its corpus: speakers and stretches of noise for training, validation and test.

Twelve speakers of TIMIT for training and four for the test, ten noises, 0 dB, as in Kim, Maity and Kim (ICASSP 2019).
Three of the noises are recordings of the same kind, not the paper's own files (`SUBSTITUTES`), so the corpus is close
to the paper's, but not identical.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from model.corpora import corpus
from model.corpora.corpus import Corpus
from model.errors import BadInput
from model.evaluation import scoring
from model.evaluation.scoring import Trial

PROTOCOLS = ("disjoint", "paper", "general")
"""How the noises are split.

disjoint: training has the first 60 % of each file, validation the next 10 %, the test the last 30 %.
paper: all three have the whole of it, as in the paper, so the test may hear what was trained on.
general: the corpus is open/ instead, and the test has noise of held-out kinds only (`general`).
"""

SNR_DB = 0.0
"""Signal-to-noise ratio of every test mixture in the paper's corpus."""

SNRS_DB, GENERAL_MIXTURES = (0.0, 5.0, 10.0), 200
"""SNRs and number of test mixtures for networks for any noise."""

TEST = ("dr7-fblv0", "dr7-madd0", "dr8-fbcg1", "dr8-mbcg0")
"""Two women and two men; all other speakers are the paper's 12 for training."""

VALIDATION = ("dr6-fapb0", "dr6-mbma1")
"""Two of the 12 choose the epoch; the test speakers choose nothing."""

SHARED_SENTENCES = ("sa1", "sa2")
"""The two sentences that all speakers of TIMIT read, so a network has heard them in training."""

HELD_OUT = ("appliance", "babble", "chainsaw", "clock", "dog", "eating", "hum", "rain", "thunder", "traffic")
"""Kinds of noise of open/noise-kinds that no general network is trained on: steady, tonal, impulsive, babble."""

OPEN_TEST, OPEN_VALIDATION = ("f1998", "f3080", "m2033", "m2414"), ("f0367", "f0533", "m1688", "m2609")
"""Speakers of open/speech that no shipped network is trained on."""

SUBSTITUTES = ("computerkeyboard", "frogs", "machineguns")
"""The noises that are not the paper's own recordings."""


def source(data: Path, protocol: str, more_speech: Sequence[Path] = (), hold_out: bool = True) -> Corpus:
    """The corpus to train on, below the folder of all data; speakers of `more_speech` are all for training.

    Without `hold_out`, training includes the validation data: all 12 speakers, and all of each noise outside the test
    part. Validation then only shows how well the network fits.
    Raises `BadInput` for an unknown protocol and a missing corpus.
    """
    if protocol not in PROTOCOLS:
        raise BadInput(f"protocol: expected one of {', '.join(PROTOCOLS)}, got {protocol}")
    if protocol == "general":
        return general(data)
    folders = [data / "paper" / "speech", *more_speech]
    found = corpus.find(folders, [data / "paper" / "noise"], TEST, VALIDATION)
    split, stretches = found.split, {}
    if not hold_out:
        split = dataclasses.replace(split, training=tuple(sorted((*split.training, *split.validation))))
        stretches = {"training": "all but test"}
    if protocol == "paper":
        stretches = dict.fromkeys(("training", "validation", "test"), "whole")
    return dataclasses.replace(found, split=split, stretches=stretches)


def trials(data: Path, protocol: str, sample_rate: int, rms: float) -> list[Trial]:
    """Every utterance of the test speakers in every noise: 400 mixtures; for `general`, 200 in held-out kinds."""
    if protocol == "general":
        return scoring.sample(general(data), SNRS_DB, sample_rate, rms, GENERAL_MIXTURES, held_out=True)
    return scoring.trials(source(data, protocol), SNR_DB, sample_rate, rms)


def general(data: Path) -> Corpus:
    """The corpus of networks for any noise: open/, with the kinds in `HELD_OUT` held out."""
    folders = [data / "open" / "noise", data / "open" / "noise-kinds"]
    return corpus.find([data / "open" / "speech"], folders, OPEN_TEST, OPEN_VALIDATION, held_out=HELD_OUT)
