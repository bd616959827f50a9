"""Corpora: what is found, how it is split, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile

from model.corpora import corpus
from model.errors import BadInput
from model.reference import audio

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


def test_two_noises_of_one_name_are_refused(tmp_path: Path) -> None:
    recording(tmp_path / "rain.flac")
    recording(tmp_path / "rain.wav")
    with pytest.raises(BadInput, match=r"rain\.wav: expected a unique name, got that of rain\.flac"):
        corpus.noises(tmp_path)


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


def people(folder: Path, names: str, takes: int = 2) -> Path:
    for name in names:
        for take in range(takes):
            recording(folder / name / f"{take}.wav")
    return folder


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    recording(tmp_path / "noise" / "rain.wav", 16000)
    recording(tmp_path / "noise" / "wind.wav", 16000)
    return tmp_path / "noise"


def test_a_corpus_of_several_folders_has_the_speakers_of_all_of_them(tmp_path: Path, noise: Path) -> None:
    folders = [people(tmp_path / "one", "abc"), people(tmp_path / "two", "de", takes=1)]
    found = corpus.find(folders, [noise], test=["e"], validation=["a"])
    assert found.split == corpus.Split(training=("b", "c", "d"), validation=("a",), test=("e",))
    assert {name: len(paths) for name, paths in found.utterances.items()} == {"a": 2, "b": 2, "c": 2, "d": 1, "e": 1}
    assert list(found.noises) == ["rain", "wind"]


def test_a_speaker_in_two_folders_is_refused(tmp_path: Path, noise: Path) -> None:
    folders = [people(tmp_path / "one", "abc"), people(tmp_path / "two", "cd")]
    with pytest.raises(BadInput, match=r"two: expected speakers in one folder only, got c again$"):
        corpus.find(folders, [noise])


def test_each_part_has_its_own_speakers_and_its_own_stretch_of_every_noise(tmp_path: Path, noise: Path) -> None:
    found = corpus.find([people(tmp_path / "speech", "abcd")], [noise], test=["a"], validation=["b"])
    speech, noises = found.signals("training", RATE)
    assert [len(utterance) for utterance in speech] == [1600] * 4
    assert {name: len(stretch) for name, stretch in noises.items()} == {"rain": 9600, "wind": 9600}
    _, noises = found.signals("test", RATE)
    whole = audio.read(noise / "rain.wav", RATE)
    np.testing.assert_array_equal(noises["rain"], whole[11200:])


def test_a_part_may_have_another_stretch_of_every_noise_than_its_own(tmp_path: Path, noise: Path) -> None:
    found = corpus.find([people(tmp_path / "speech", "abcd")], [noise])
    shared = corpus.Corpus(found.utterances, found.noises, found.split, {"training": "all but test", "test": "whole"})
    for part, length in (("training", 11200), ("validation", 1600), ("test", 16000)):
        assert [len(stretch) for stretch in shared.signals(part, RATE)[1].values()] == [length, length]


def broken(folder: Path) -> dict[str, Path]:
    """Five speakers: nothing of the first can be read, and one recording of the second."""
    people(folder / "speech", "abcde")
    paths = {
        "cut": folder / "speech" / "a" / "0.flac",
        "empty": folder / "speech" / "a" / "1.wav",
        "silent": folder / "speech" / "b" / "0.wav",
        "short": folder / "speech" / "b" / "1.wav",
    }
    (folder / "speech" / "a" / "0.wav").unlink()
    whole = recording(paths["cut"]).read_bytes()
    paths["cut"].write_bytes(whole[: len(whole) // 2])
    paths["empty"].write_bytes(b"")
    recording(paths["silent"], value=0.0)
    recording(paths["short"], samples=799)
    recording(folder / "speech" / "b" / "2.wav")
    return paths


def test_broken_recordings_are_named_and_left_out_where_that_is_asked_for(
    tmp_path: Path, noise: Path, caplog: pytest.LogCaptureFixture
) -> None:
    paths = broken(tmp_path)
    quiet_end = audio.read(noise / "rain.wav", RATE)
    quiet_end[11200:] = 0
    soundfile.write(noise / "half.wav", quiet_end, RATE)
    (noise / "text.wav").write_text("no sound")
    found = corpus.find([tmp_path / "speech"], [noise], skip_broken=True)
    assert {name: [path.name for path in paths] for name, paths in found.utterances.items()} == {
        "b": ["2.wav"],
        **{name: ["0.wav", "1.wav"] for name in "cde"},
    }
    assert list(found.noises) == ["rain", "wind"]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 6 and all(message.startswith("left out: ") for message in said)
    for path in [*paths.values(), noise / "half.wav", noise / "text.wav"]:
        assert sum(str(path) in message for message in said) == 1, path
    for part in ("training", "validation", "test"):
        found.signals(part, RATE)


@pytest.mark.parametrize(
    ("which", "message"),
    [
        ("cut", r"a/0\.flac: expected audio up to its end, got \w"),
        ("empty", r"a/1\.wav: expected audio \(WAV, FLAC, \.\.\.\), got Format not recognised"),
        ("silent", r"b/0\.wav: expected speech, got digital silence$"),
        ("short", r"b/1\.wav: expected at least 0\.05 s of speech, got 799 samples at 16000 Hz$"),
    ],
)
def test_a_broken_recording_is_else_refused_by_name(tmp_path: Path, noise: Path, which: str, message: str) -> None:
    for name, path in broken(tmp_path).items():
        if name != which:
            recording(path)
    found = corpus.find([tmp_path / "speech"], [noise], test=["e"], validation=["d"])
    with pytest.raises(BadInput, match=message):
        found.signals("training", RATE)


@pytest.mark.parametrize("all_of", ["speech", "noise"])
def test_a_corpus_of_which_nothing_can_be_read_is_refused(tmp_path: Path, noise: Path, all_of: str) -> None:
    people(tmp_path / "speech", "abc")
    for path in (tmp_path / all_of).rglob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(BadInput, match=f"{all_of}: expected recordings, got none that can be read$"):
        corpus.find([tmp_path / "speech"], [noise], skip_broken=True)


def test_samples_without_a_header_are_no_recordings(tmp_path: Path) -> None:
    recording(tmp_path / "a" / "0.wav")
    (tmp_path / "a" / "1.raw").write_bytes(bytes(3200))
    assert [path.name for path in corpus.speakers(tmp_path)["a"]] == ["0.wav"]


def test_parts_of_a_noise_follow_each_other_in_time() -> None:
    noise = np.arange(1001, dtype=np.float32)
    parts = [corpus.noise_part(noise, part) for part in ("training", "validation", "test")]
    np.testing.assert_array_equal(np.concatenate(parts), noise)
    assert [len(part) for part in parts] == [601, 100, 300]


def test_silence_is_refused_as_speech_and_as_noise(tmp_path: Path) -> None:
    path = recording(tmp_path / "silent.wav", 16000, value=0.0)
    with pytest.raises(BadInput, match=r"silent.wav: expected speech, got digital silence$"):
        corpus.read_speech(path, RATE)
    with pytest.raises(BadInput, match=r"silent.wav: expected noise in its test part, got digital silence$"):
        corpus.read_noise(path, "test", RATE)


def test_a_noise_too_short_for_a_part_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path / "click.wav", samples=2)
    with pytest.raises(BadInput, match=r"at least 0\.05 s of noise in its validation part, got 0 samples at 16000 Hz$"):
        corpus.read_noise(path, "validation", RATE)


@pytest.mark.skipif("BGRU_DATA" not in os.environ, reason="BGRU_DATA, the folder of recordings, is not set")
def test_the_open_corpus_is_what_the_shipped_bundles_were_trained_on() -> None:
    data = Path(os.environ["BGRU_DATA"]) / "open"
    found = corpus.speakers(data / "speech")
    assert len(found) == 247
    assert all(len(found[name]) == 10 for name in ("f1998", "f3080", "m2033", "m2414"))
    assert len(corpus.noises(data / "noise")) == 5


def test_the_kind_of_a_noise_is_what_stands_before_two_underscores() -> None:
    assert [corpus.kind(name) for name in ("rain__roof_1", "rain", "street/cars__2", "sea_waves")] == [
        *("rain", "rain", "street/cars", "sea_waves"),
    ]


@pytest.fixture
def kinds(tmp_path: Path) -> list[Path]:
    """Two folders of noises of three kinds."""
    for name in ("one/rain__roof", "one/rain__street", "one/hum__mains", "two/wind"):
        recording(tmp_path / f"{name}.wav", 16000)
    return [tmp_path / "one", tmp_path / "two"]


def test_held_out_kinds_are_in_no_part_but_validation_and_test(tmp_path: Path, kinds: list[Path]) -> None:
    found = corpus.find([people(tmp_path / "speech", "abcd")], kinds, ["a"], ["b"], held_out=["rain"])
    assert found.noise_stretches("training") == {"hum__mains": "training", "wind": "training"}
    assert found.noise_stretches("validation") == {"rain__roof": "first half", "rain__street": "first half"}
    held_out = {"rain__roof": "second half", "rain__street": "second half"}
    assert found.noise_stretches("test") == {"hum__mains": "test", "wind": "test"} | held_out
    assert found.signals("training", RATE)[1].keys() == {"hum__mains", "wind"}
    assert {len(noise) for noise in found.signals("validation", RATE)[1].values()} == {8000}


def test_without_held_out_kinds_every_part_hears_its_stretch_of_all_noises(tmp_path: Path, kinds: list[Path]) -> None:
    found = corpus.find([people(tmp_path / "speech", "abcd")], kinds)
    for part in ("training", "validation", "test"):
        assert found.noise_stretches(part) == dict.fromkeys(found.noises, part)


@pytest.mark.parametrize(
    ("held_out", "message"),
    [
        (["snow"], "held-out kind snow: expected one of hum, rain, wind, got another"),
        (["hum", "rain", "wind"], "held-out kinds: expected fewer than all 3, got hum, rain, wind"),
    ],
)
def test_kinds_that_cannot_be_held_out_are_refused(
    tmp_path: Path, kinds: list[Path], held_out: list[str], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        corpus.find([people(tmp_path / "speech", "abcd")], kinds, held_out=held_out)


def test_a_noise_in_two_folders_is_refused(tmp_path: Path, kinds: list[Path]) -> None:
    recording(tmp_path / "two" / "hum__mains.wav", 16000)
    with pytest.raises(BadInput, match="two: expected noises in one folder only, got hum__mains again"):
        corpus.find([people(tmp_path / "speech", "abcd")], kinds)


def test_recordings_directly_in_a_folder_of_speech_are_one_speaker(tmp_path: Path) -> None:
    recording(tmp_path / "commands" / "b.wav")
    recording(tmp_path / "commands" / "ann" / "a.wav")
    found = corpus.speakers(tmp_path / "commands")
    assert {name: [path.name for path in paths] for name, paths in found.items()} == {
        "commands": ["b.wav"],
        "ann": ["a.wav"],
    }
