"""The paper's experiment: who is where."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("fast_bss_eval")
pytest.importorskip("pesq")
pytest.importorskip("pystoi")

from model.corpora import corpus
from model.errors import BadInput
from study import protocol


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A corpus of the paper's shape: some of its speakers, two utterances each, two noises."""
    samples = np.random.default_rng(0).normal(0, 0.1, 8000)
    for name in ("dr1-fvmh0", "dr5-ftlg0", *protocol.VALIDATION, *protocol.TEST):
        (tmp_path / "paper" / "speech" / name).mkdir(parents=True)
        for take in ("sa1", "sx68"):
            soundfile.write(tmp_path / "paper" / "speech" / name / f"{take}.flac", samples, 16000)
    (tmp_path / "paper" / "noise").mkdir()
    for name in ("birds", "frogs"):
        soundfile.write(tmp_path / "paper" / "noise" / f"{name}.flac", samples, 16000)
    (tmp_path / "more" / "m1").mkdir(parents=True)
    soundfile.write(tmp_path / "more" / "m1" / "1.flac", samples, 16000)
    return tmp_path


def test_speakers_are_in_the_part_that_the_readme_gives_them(data: Path) -> None:
    split = protocol.source(data, "disjoint").split
    assert split == corpus.Split(("dr1-fvmh0", "dr5-ftlg0"), protocol.VALIDATION, protocol.TEST)


def test_more_speech_is_for_training_alone(data: Path) -> None:
    more = protocol.source(data, "disjoint", [data / "more"])
    assert more.split.training == ("dr1-fvmh0", "dr5-ftlg0", "m1")
    assert more.split.test == protocol.TEST


def test_without_holding_out_training_has_all_that_the_test_has_not(data: Path) -> None:
    whole = protocol.source(data, "disjoint", hold_out=False)
    assert set(whole.split.training) == {"dr1-fvmh0", "dr5-ftlg0", *protocol.VALIDATION}
    assert whole.split.test == protocol.TEST
    assert [whole.stretch(part) for part in ("training", "test")] == ["all but test", "test"]
    assert corpus.NOISE_PARTS["all but test"][1] == corpus.NOISE_PARTS["test"][0]


@pytest.mark.parametrize(("name", "stretch"), [("disjoint", "test"), ("paper", "whole")])
def test_trials_are_of_the_protocols_stretch_of_every_noise(data: Path, name: str, stretch: str) -> None:
    trials = protocol.trials(data, name, 16000, 0.1)
    assert {(trial.speaker, trial.noise) for trial in trials} == {
        (speaker, noise) for speaker in protocol.TEST for noise in ("birds", "frogs")
    }
    assert len(trials) == 4 * 2 * 2
    assert {(trial.stretch, trial.snr_db) for trial in trials} == {(stretch, 0.0)}


def test_another_protocol_or_corpus_is_refused(data: Path) -> None:
    with pytest.raises(BadInput, match="expected one of disjoint, paper, general, got both"):
        protocol.source(data, "both")
    with pytest.raises(BadInput, match="no such folder"):
        protocol.source(data / "more", "paper")


@pytest.mark.skipif("BGRU_DATA" not in os.environ, reason="BGRU_DATA, the folder of recordings, is not set")
def test_the_corpus_has_the_sizes_of_the_papers() -> None:
    data = Path(os.environ["BGRU_DATA"])
    found = protocol.source(data, "disjoint")
    assert (len(found.split.training) + len(found.split.validation), len(found.split.test)) == (12, 4)
    sexes = [name.split("-")[1][0] for name in found.split.test]
    assert sorted(sexes) == ["f", "f", "m", "m"]
    assert {name.partition("-")[0] for name in found.split.test} == {"dr7", "dr8"}
    assert set(protocol.SUBSTITUTES) < found.noises.keys()
    trials = protocol.trials(data, "disjoint", 16000, 0.1)
    assert len(trials) == 400
    assert sum(trial.utterance in protocol.SHARED_SENTENCES for trial in trials) == 80
    signals = trials[0].mixture()
    assert np.mean(np.square(signals.clean)) == pytest.approx(np.mean(np.square(signals.noise)), rel=1e-3)
