"""Recordings: what is read, what is said about it, and what is refused."""

import logging

import numpy as np
import pytest
import soundfile

from model.errors import BadInput
from model.reference import audio

RATE = 16000


def tone(seconds: float, rate: int, amplitude: float = 0.5) -> np.ndarray:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(int(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_round_trip_within_a_16_bit_step(tmp_path, suffix):
    path, signal = tmp_path / f"tone{suffix}", tone(0.1, RATE)
    audio.write(path, signal, RATE)
    got = audio.read(path, RATE)
    assert got.dtype == np.float32 and got.shape == signal.shape
    assert np.abs(got - signal).max() <= 2**-15


def test_stereo_is_averaged_and_said(tmp_path, caplog):
    left, right = tone(0.1, RATE), tone(0.1, RATE, 0.1)
    soundfile.write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), RATE, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        got = audio.read(tmp_path / "stereo.wav", RATE)
    assert np.allclose(got, (left + right) / 2)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'stereo.wav'} has 2 channels: using their average"
    ]


def test_another_rate_is_resampled_and_said(tmp_path, caplog):
    soundfile.write(tmp_path / "fast.wav", tone(0.5, 48000), 48000, subtype="FLOAT")
    with caplog.at_level(logging.WARNING):
        got = audio.read(tmp_path / "fast.wav", RATE)
    assert len(got) == RATE // 2
    middle = slice(1000, -1000)
    assert np.abs(got - tone(0.5, RATE))[middle].max() < 1e-3
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / 'fast.wav'} is sampled at 48000 Hz: resampled to 16000 Hz"
    ]


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"none\.wav: expected an audio file, found none$"):
        audio.read(tmp_path / "none.wav", RATE)


def test_folder_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"expected an audio file, found a folder$"):
        audio.read(tmp_path, RATE)


@pytest.mark.parametrize("content", [b"", b"this is a letter to a friend, not a recording\n" * 20])
def test_what_is_not_audio_is_refused(tmp_path, content):
    path = tmp_path / "letter.wav"
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"letter\.wav: expected audio \(WAV, FLAC, \.\.\.\), got .*not recognised"):
        audio.read(path, RATE)


def test_no_samples_are_refused(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, dtype=np.float32), RATE)
    with pytest.raises(BadInput, match=r"empty\.wav: expected audio, got a file with 0 samples$"):
        audio.read(tmp_path / "empty.wav", RATE)


@pytest.mark.parametrize(("value", "shown"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf")])
def test_samples_that_are_not_finite_are_refused(tmp_path, value, shown):
    signal = tone(0.1, RATE)
    signal[7] = value
    soundfile.write(tmp_path / "broken.wav", signal, RATE, subtype="FLOAT")
    sentence = rf"broken\.wav: expected finite samples, got {shown} in sample 7 \(at 0\.000 s\)$"
    with pytest.raises(BadInput, match=sentence):
        audio.read(tmp_path / "broken.wav", RATE)


def test_too_short_to_resample_is_refused(tmp_path):
    soundfile.write(tmp_path / "click.wav", np.ones(1, dtype=np.float32), 192000)
    with pytest.raises(BadInput, match=r"click\.wav: expected audio, got 0 samples at 16000 Hz$"):
        audio.read(tmp_path / "click.wav", RATE)


def test_beyond_full_scale_is_turned_down_not_clipped(tmp_path, caplog):
    signal = tone(0.1, RATE, 2.5)
    with caplog.at_level(logging.WARNING):
        audio.write(tmp_path / "loud.wav", signal, RATE)
    got = audio.read(tmp_path / "loud.wav", RATE)
    assert np.allclose(got, signal / np.abs(signal).max(), atol=2**-14)
    assert "turned down to 1.0" in caplog.text


@pytest.mark.parametrize("name", ["out.txt", "out", "out.mp3"])
def test_unknown_output_format_is_refused_and_nothing_is_left(tmp_path, name):
    with pytest.raises(BadInput, match=f"{name}: expected a name that ends in .wav or .flac, got"):
        audio.write(tmp_path / name, tone(0.1, RATE), RATE)
    assert list(tmp_path.iterdir()) == []


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "out.wav"
    path.write_bytes(b"old")

    def half_written(*_args):
        raise soundfile.LibsndfileError(2)

    monkeypatch.setattr(soundfile.SoundFile, "write", half_written)
    with pytest.raises(BadInput, match=r"out\.wav: expected to write it, got System error; is the disk full\?$"):
        audio.write(path, tone(0.1, RATE), RATE)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
