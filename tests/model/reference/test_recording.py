"""Recordings piece by piece: the same bits as of the whole, and files that are whole or not there."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from model.errors import BadInput
from model.reference import audio
from model.reference.recording import READ, Recording, to_samples, to_signal, writing

RATE = 16000


def sound(samples: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


# Reading.


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 44100])
@pytest.mark.parametrize("channels", [1, 2, 9])
@pytest.mark.parametrize("samples", [1000, READ, 2 * READ + 77])
def test_reading_in_pieces_is_as_reading_the_whole(rate, channels, samples, tmp_path):
    path = tmp_path / "in.wav"
    soundfile.write(path, sound(samples * channels).reshape(samples, channels), rate, subtype="FLOAT")
    recording = Recording(path, RATE)
    got = np.concatenate(list(recording))
    assert got.dtype == np.float32 and abs(len(got) - recording.samples) <= 1
    assert np.array_equal(got, audio.read(path, RATE))


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3"])
def test_compressed_recordings_too(suffix, tmp_path):
    path = tmp_path / f"in.{suffix}"
    soundfile.write(path, sound(3 * READ + 5), RATE)
    whole = audio.read(path, RATE)
    assert np.allclose(np.concatenate(list(Recording(path, RATE))), whole, atol=1e-6)  # MP3 is rounded otherwise


def test_what_is_converted_is_said(tmp_path, caplog):
    soundfile.write(tmp_path / "in.wav", np.zeros((9, 3)), 48000)
    Recording(tmp_path / "in.wav", RATE)
    assert [record.message.removeprefix(str(tmp_path)) for record in caplog.records] == [
        "/in.wav has 3 channels: using their average",
        "/in.wav is sampled at 48000 Hz: resampled to 16000 Hz",
    ]


def cut(path: Path, part: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: round(part * len(content))])


def read_all(path: Path) -> None:
    for _ in Recording(path, RATE):
        pass


@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_recording_that_breaks_off_is_refused(suffix, tmp_path):
    path = tmp_path / f"in.{suffix}"
    soundfile.write(path, sound(10 * READ), RATE)
    cut(path, 0.6)
    with pytest.raises(BadInput, match=rf"in.{suffix}: expected \d+ samples, as its header says, got \d+$"):
        read_all(path)


def test_a_recording_that_is_damaged_is_refused(tmp_path):
    path = tmp_path / "in.flac"
    soundfile.write(path, sound(10 * READ), RATE)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 9000] = bytes(9000)
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"in.flac: expected audio up to its end, got .* after [1-9]\.\d\d s of it$"):
        read_all(path)


def test_a_wav_file_that_breaks_off_is_what_it_has(tmp_path):
    soundfile.write(tmp_path / "in.wav", sound(1000), RATE)
    cut(tmp_path / "in.wav", 0.5)
    (got,) = Recording(tmp_path / "in.wav", RATE)
    assert 450 < len(got) < 500


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (-np.inf, "-inf"), (1e30, "1e\\+30")])
@pytest.mark.parametrize("where", [0, READ - 1, READ + 3])
def test_a_sample_that_is_none_is_refused_with_its_place(value, shown, where, tmp_path):
    samples = np.zeros((2 * READ, 2))
    samples[where, 1] = value
    soundfile.write(tmp_path / "in.wav", samples, RATE, subtype="FLOAT")
    place = rf"sample {where} \(at {where / RATE:.3f} s\)"
    with pytest.raises(BadInput, match=rf"in.wav: expected finite samples, got {shown} in {place}$"):
        read_all(tmp_path / "in.wav")


def test_audio_without_a_header_is_refused(tmp_path):
    (tmp_path / "in.raw").write_bytes(bytes(1000))
    with pytest.raises(BadInput, match=r"in.raw: expected audio with a header \(WAV, FLAC, ...\), got .raw$"):
        Recording(tmp_path / "in.raw", RATE)


# Writing.


@pytest.mark.parametrize("suffix", ["wav", "flac", "FLAC"])
def test_written_in_pieces_is_as_written_at_once(suffix, tmp_path):
    whole = sound(5000)
    with writing(tmp_path / f"pieces.{suffix}", RATE, 5000) as append:
        for piece in np.split(whole, [0, 7, 1800, 1800]):
            append(piece)
    audio.write(tmp_path / f"whole.{suffix}", whole, RATE)
    assert (tmp_path / f"pieces.{suffix}").read_bytes() == (tmp_path / f"whole.{suffix}").read_bytes()


def test_what_is_beyond_full_scale_is_clipped_and_counted(tmp_path, caplog):
    path = tmp_path / "out.wav"
    with writing(path, RATE, 6) as append:
        append(np.array([1.5, 1.0, 0.5], np.float32))
        append(np.array([-7.0, -1.0, -0.5], np.float32))
    assert soundfile.read(path, dtype="int16")[0].tolist() == [32767, 32767, 16384, -32768, -32768, -16384]
    assert [record.message for record in caplog.records] == [f"{path}: 2 samples beyond full scale were clipped"]


def test_a_recording_within_full_scale_is_written_in_silence(tmp_path, caplog):
    with writing(tmp_path / "out.wav", RATE, 100) as append:
        append(sound(100))
    assert not caplog.records


def test_what_fails_on_the_way_leaves_what_was_there(tmp_path):
    path = tmp_path / "out.wav"
    path.write_bytes(b"an older one")

    def broken() -> Iterator[np.ndarray]:
        yield sound(100)
        raise BadInput("the reader's sentence")

    with pytest.raises(BadInput, match=r"^the reader's sentence$"), writing(path, RATE, 200) as append:
        for piece in broken():
            append(piece)
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.wav"]
    assert path.read_bytes() == b"an older one"


@contextmanager
def little_room(octets: int) -> Iterator[None]:
    """No file may become larger: writing beyond fails, as it does on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
@pytest.mark.parametrize("samples", range(9_000, 30_000, 1_500))
def test_a_full_disk_is_one_sentence_and_no_file(suffix, samples, tmp_path):
    path = tmp_path / f"out.{suffix}"
    loud = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)  # nothing that could be compressed
    full = f"^{path}: expected to write it, got .+; is the disk full\\?$" if samples > 10_000 else None
    with little_room(20_000), pytest.raises(BadInput, match=full) if full else nullcontext():
        with writing(path, RATE, samples) as append:
            for start in range(0, samples, 1000):
                append(loud[start : start + 1000])
    assert list(tmp_path.iterdir()) == ([] if full else [path])


def test_more_than_a_wav_file_holds_is_refused_before_the_work(tmp_path):
    hours = 38 * 3600 * RATE
    sentence = r"out.wav: expected at most 2,147,483,136 samples in a .wav, got 2,188,800,000; choose .flac$"
    with pytest.raises(BadInput, match=sentence), writing(tmp_path / "out.wav", RATE, hours):
        pass
    with writing(tmp_path / "out.flac", RATE, hours) as append:
        append(sound(1))
    assert [entry.name for entry in tmp_path.iterdir()] == ["out.flac"]


def test_soxrs_stream_is_its_whole():
    """What `Recording` relies on, by itself: also for pieces shorter than soxr's filters."""
    whole = sound(3000)
    resampler = soxr.ResampleStream(44100, RATE, 1, dtype="float32")
    chunks = [resampler.resample_chunk(piece) for piece in np.array_split(whole, 300)]
    chunks.append(resampler.resample_chunk(whole[:0], last=True))
    assert np.array_equal(np.concatenate(chunks), soxr.resample(whole, 44100, RATE))


# Samples.


def test_every_sample_is_itself_as_a_signal_and_back():
    every = np.arange(-(2**15), 2**15).astype(np.int16)
    assert np.array_equal(to_samples(to_signal(every)), every)


def test_full_scale_is_kept_and_what_is_beyond_is_clipped_and_counted(caplog):
    assert to_samples(np.array([1.0, -1.0], np.float32)).tolist() == [32767, -32768]
    assert not caplog.records
    assert to_samples(np.array([1.5, -2.0, 0.25], np.float32)).tolist() == [32767, -32768, 8192]
    assert [record.message for record in caplog.records] == ["2 samples beyond full scale were clipped"]
