"""Corpora: what is found, how it is split, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model import corpus
from model.errors import BadInput

RATE = 16000


def recording(path: Path, samples: int = 1600, value: float | None = None) -> Path:
    """A file of noise, or of one constant value."""
    path.parent.mkdir(parents=True, exist_ok=True)
    signal = np.random.default_rng(0).normal(0, 0.1, samples) if value is None else np.full(samples, value)
    soundfile.write(path, signal, RATE)
    return path


def test_speakers_are_the_folders_that_hold_recordings_of_any_format_at_any_depth(tmp_path: Path) -> None:
    recording(tmp_path / "ann" / "b.wav")
    recording(tmp_path / "ann" / "chapter" / "a.flac")
    recording(tmp_path / "bob" / "a.WAV")
    (tmp_path / "bob" / "notes.txt").write_text("no recording")
    (tmp_path / "empty").mkdir()
    (tmp_path / "LICENSE.TXT").write_text("free")
    found = corpus.speakers(tmp_path)
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "ann": ["b.wav", "a.flac"],
        "bob": ["a.WAV"],
    }


def test_noises_are_named_by_their_path_without_suffix(tmp_path: Path) -> None:
    recording(tmp_path / "rain.wav")
    recording(tmp_path / "street" / "cars.flac")
    assert list(corpus.noises(tmp_path)) == ["rain", "street/cars"]


@pytest.mark.parametrize("find", [corpus.speakers, corpus.noises])
def test_a_folder_without_recordings_is_refused(tmp_path: Path, find: object) -> None:
    assert callable(find)
    with pytest.raises(BadInput, match=r"expected .* \(WAV, FLAC, ...\), got none"):
        find(tmp_path)
    with pytest.raises(BadInput, match="got no such folder"):
        find(tmp_path / "nowhere")


def test_named_speakers_go_where_they_are_named() -> None:
    split = corpus.split_speakers(["a", "b", "c", "d"], test=["b"], validation=["d"])
    assert split == corpus.Split(training=("a", "c"), validation=("d",), test=("b",))


def test_unnamed_parts_are_drawn_from_the_seed_without_overlap() -> None:
    names = [f"s{index}" for index in range(40)]
    split = corpus.split_speakers(names, seed=3)
    assert (len(split.training), len(split.validation), len(split.test)) == (32, 4, 4)
    assert sorted(split.training + split.validation + split.test) == sorted(names)
    assert split == corpus.split_speakers(names[::-1], seed=3)
    assert split != corpus.split_speakers(names, seed=4)


@pytest.mark.parametrize(
    ("test", "validation", "message"),
    [
        (["x"], [], "test speaker x: expected one of the corpus' 3 speakers"),
        ([], ["x"], "validation speaker x: expected one of the corpus' 3 speakers"),
        (["a"], ["a"], "speaker a: expected test or validation, got both"),
        (["a", "b"], ["c"], "expected speakers for training, validation and test, got 3 speakers"),
    ],
)
def test_a_split_that_cannot_be_made_is_refused(test: list[str], validation: list[str], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        corpus.split_speakers(["a", "b", "c"], test, validation)


def test_two_speakers_are_too_few() -> None:
    with pytest.raises(BadInput, match="got 2 speakers"):
        corpus.split_speakers(["a", "b"])


def test_parts_of_a_noise_follow_each_other_in_time() -> None:
    noise = np.arange(1001, dtype=np.float32)
    parts = [corpus.noise_part(noise, part) for part in ("training", "validation", "test")]
    np.testing.assert_array_equal(np.concatenate(parts), noise)
    assert [len(part) for part in parts] == [601, 100, 300]


def test_silence_is_refused_as_speech_and_as_noise(tmp_path: Path) -> None:
    path = recording(tmp_path / "silent.wav", value=0.0)
    with pytest.raises(BadInput, match=r"silent.wav: expected speech, got digital silence"):
        corpus.read_speech(path, RATE)
    with pytest.raises(BadInput, match=r"silent.wav: expected noise in its test part, got 480 samples of digital"):
        corpus.read_noise(path, "test", RATE)


def test_a_noise_too_short_for_a_part_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "click.wav", samples=2)
    with pytest.raises(BadInput, match="expected noise in its validation part, got 0 samples"):
        corpus.read_noise(path, "validation", RATE)


@pytest.mark.skipif("BGRU_DATA" not in os.environ, reason="BGRU_DATA, the folder of recordings, is not set")
def test_the_open_corpus_is_what_the_shipped_bundles_were_trained_on() -> None:
    data = Path(os.environ["BGRU_DATA"]) / "open"
    found = corpus.speakers(data / "speech")
    assert len(found) == 247
    assert all(len(found[name]) == 10 for name in ("f1998", "f3080", "m2033", "m2414"))
    assert len(corpus.noises(data / "noise")) == 5
