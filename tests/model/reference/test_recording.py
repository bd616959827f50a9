"""Recordings piece by piece: the same bits as of the whole, and files that are whole or not there."""

import re
import resource
import threading
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


def messages(caplog) -> list[str]:
    return [record.getMessage() for record in caplog.records]


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


def read_all(path: Path, rate: int = RATE) -> None:
    for _ in Recording(path, rate):
        pass


def test_a_flac_file_that_breaks_off_is_refused(tmp_path):
    path = tmp_path / "in.flac"
    soundfile.write(path, sound(10 * READ), RATE)
    cut(path, 0.6)
    with pytest.raises(BadInput, match=r"in.flac: expected \d+ samples, as its header says, got \d+$"):
        read_all(path)


def test_an_mp3_file_that_breaks_off_is_what_it_has_and_says_so(tmp_path, caplog):
    path = tmp_path / "in.mp3"
    soundfile.write(path, sound(10 * READ), RATE)
    cut(path, 0.6)
    read_all(path)
    (message,) = messages(caplog)
    assert re.search(r"in.mp3: it seemed to be 10.2\d s long, and has 6.\d\d s: was it cut off\?$", message)


def test_a_damaged_mp3_file_is_said_in_one_line_with_its_name(tmp_path, caplog, capfd):
    path = tmp_path / "damaged.mp3"
    soundfile.write(path, sound(40_000), RATE)
    content = bytearray(path.read_bytes())
    for place in np.random.default_rng(0).integers(1000, len(content), 60):
        content[place] ^= 0xFF
    path.write_bytes(content)
    for _ in Recording(path, RATE):
        pass
    assert f"{path}: damaged, it may sound wrong in places (" in caplog.text
    assert capfd.readouterr().err == ""


def test_a_long_mp3_file_that_cannot_be_read_beyond_its_middle_is_refused(tmp_path):
    path = tmp_path / "in.mp3"
    soundfile.write(path, sound(60 * RATE), RATE, bitrate_mode="VARIABLE")
    content = path.read_bytes()
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(5000) + content[middle + 5000 :])
    with pytest.raises(BadInput, match=r"in.mp3: expected audio up to its end, got .* after [23]\d\.\d\d s of it$"):
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


def test_a_wav_file_that_breaks_off_is_what_it_has_and_says_so(tmp_path, caplog):
    path = tmp_path / "in.wav"
    soundfile.write(path, sound(16000), RATE)
    cut(path, 0.5)
    (got,) = Recording(path, RATE)
    assert 7900 < len(got) < 8000
    assert messages(caplog) == [f"{path}: its header says 1.00 s, it has 0.50 s: was it cut off?"]


def with_stated_bytes(path: Path, stated: int) -> Path:
    """A WAV file of one second whose header states so many bytes of samples."""
    soundfile.write(path, sound(16000), RATE)
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = stated.to_bytes(4, "little")
    path.write_bytes(content)
    return path


def test_a_wav_file_that_declares_three_times_its_data_says_so(tmp_path, caplog):
    path = with_stated_bytes(tmp_path / "in.wav", 96000)
    assert len(np.concatenate(list(Recording(path, RATE)))) == 16000
    assert messages(caplog) == [f"{path}: its header says 3.00 s, it has 1.00 s: was it cut off?"]


@pytest.mark.parametrize("stated", [2**32 - 1, 2**31 - 1, 2**31 - 8])
def test_a_wav_file_of_a_program_that_could_not_know_its_length_is_read_to_its_end(stated, tmp_path, caplog):
    path = with_stated_bytes(tmp_path / "in.wav", stated)
    assert len(np.concatenate(list(Recording(path, RATE)))) == 16000
    assert messages(caplog) == []


def test_a_flac_file_that_does_not_state_its_length_is_read_to_its_end(tmp_path):
    path = tmp_path / "in.flac"
    soundfile.write(path, sound(2 * READ + 7), RATE)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # STREAMINFO's 36 bits of total samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    recording = Recording(path, RATE)
    assert recording.samples is None
    assert np.array_equal(np.concatenate(list(recording)), np.concatenate(list(Recording(path, RATE))))
    assert recording.read == 2 * READ + 7


def without_tag(path: Path) -> bytes:
    """An MP3 file without the frame of its Xing header, which states its length."""
    content = path.read_bytes()
    begin = next(found.start() for found in re.finditer(rb"\xff[\xf2\xf3\xfa\xfb]", content) if found.start() > 64)
    assert b"Xing" in content[:begin]
    return content[begin:]


def id3(size: int) -> bytes:
    """An ID3v2 tag, as with the picture of a cover."""
    return b"ID3\3\0\0" + bytes(size >> shift & 127 for shift in (21, 14, 7, 0)) + b"\xff\xfb" * (size // 2)


@pytest.mark.parametrize("seconds", [2, 40])
@pytest.mark.parametrize("before", [b"", id3(100), id3(100_000)], ids=["bare", "tag", "cover"])
@pytest.mark.parametrize("after", [b"", b"TAG" + bytes(125)], ids=["", "tag"])
def test_an_mp3_file_that_does_not_state_its_length_is_read_to_its_end(seconds, before, after, tmp_path, caplog):
    """From the bit rate of the first frame libmpg123 guesses too little, and would stop there."""
    path = tmp_path / "in.mp3"
    loud = sound(seconds * RATE)
    loud[: seconds * RATE // 2] = 0
    soundfile.write(path, loud, RATE, bitrate_mode="VARIABLE")
    whole = np.concatenate(list(Recording(path, RATE)))
    path.write_bytes(before + without_tag(path) + after)
    got = np.concatenate(list(Recording(path, RATE)))
    assert len(whole) <= len(got) < len(whole) + 3000  # the tag also says how many samples to leave out at both ends
    assert np.argmax(np.abs(got) > 0.05) >= np.argmax(np.abs(whole) > 0.05) > seconds * RATE // 2 - 1200
    assert messages(caplog) == []


def test_what_no_decoder_reads_in_an_mp3_file_without_a_length_is_said(tmp_path, caplog):
    path = tmp_path / "in.mp3"
    soundfile.write(path, sound(10 * RATE), RATE, bitrate_mode="VARIABLE")
    content = without_tag(path)
    path.write_bytes(content + b"hello" * 9999)
    got = np.concatenate(list(Recording(path, RATE)))
    assert 9.9 * RATE < len(got) < 10.2 * RATE
    assert any(
        re.search(r"in.mp3: only the first \d+\.\d\d s could be read: was it cut off\?$", m) for m in messages(caplog)
    )


def test_an_mp3_file_without_a_length_that_is_no_longer_wanted_leaves_no_thread(tmp_path):
    path = tmp_path / "in.mp3"
    soundfile.write(path, sound(60 * RATE), RATE, bitrate_mode="VARIABLE")
    path.write_bytes(without_tag(path))
    before = set(threading.enumerate())
    pieces = iter(Recording(path, RATE))
    next(pieces)
    (feeder,) = set(threading.enumerate()) - before
    pieces.close()
    feeder.join(60)
    assert not feeder.is_alive()


def test_mp3_files_joined_to_one_are_refused(tmp_path):
    """The first one's Xing header states its own length."""
    path = tmp_path / "in.mp3"
    soundfile.write(path, sound(60 * RATE), RATE, bitrate_mode="VARIABLE")
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(
        BadInput, match=r"in.mp3: expected 60\.00 s, as its header says, got an MP3 file that goes on; "
    ):
        read_all(path)


@pytest.mark.parametrize(
    "suffix", ["aiff", "au", "w64", "rf64", "svx", "wav", "nist", "avr", "mat4", "mat5", "mpc2k", "sds"]
)
def test_other_files_with_a_header_say_so_too(suffix, tmp_path, caplog):
    path = tmp_path / f"in.{suffix}"
    soundfile.write(path, (32768 * sound(16000)).astype(np.int16), RATE, format=suffix.upper(), subtype="PCM_16")
    read_all(path)
    assert messages(caplog) == []
    cut(path, 0.5)
    read_all(path)
    (message,) = messages(caplog)
    assert re.fullmatch(rf"{path}: its header says (1\.0\d|0\.99) s, it has 0\.(50|49|48) s: was it cut off\?", message)


@pytest.mark.parametrize(
    ("suffix", "subtype"), [("sds", "PCM_S8"), ("sds", "PCM_24"), ("wve", "ALAW"), ("voc", "ULAW"), ("voc", "PCM_16")]
)
def test_so_do_others_with_their_own_samples(suffix, subtype, tmp_path, caplog):
    path = tmp_path / f"in.{suffix}"
    rate = 8000 if suffix == "wve" else RATE
    soundfile.write(path, sound(rate), rate, format=suffix.upper(), subtype=subtype)
    read_all(path, rate)
    assert messages(caplog) == []
    cut(path, 0.5)
    read_all(path, rate)
    (message,) = messages(caplog)
    said = "it ends before its header says" if suffix == "voc" else r"its header says 1\.00 s, it has 0\.(50|49) s"
    assert re.fullmatch(rf"{path}: {said}: was it cut off\?", message)


def test_channels_that_cancel_each_other_are_said(tmp_path, caplog):
    path = tmp_path / "in.wav"
    soundfile.write(path, np.stack([sound(5000), -sound(5000)], axis=1), RATE, subtype="FLOAT")
    assert not np.concatenate(list(Recording(path, RATE))).any()
    assert messages(caplog)[1:] == [
        f"{path}: its channels cancel each other in their average; choose one with --channel"
    ]
    assert np.concatenate(list(Recording(path, RATE, channel=1))).any()


def test_silence_in_both_channels_is_not_a_cancellation(tmp_path, caplog):
    soundfile.write(tmp_path / "in.wav", np.zeros((100, 2)), RATE)
    list(Recording(tmp_path / "in.wav", RATE))
    assert len(messages(caplog)) == 1


def test_floats_on_a_scale_of_16_bits_are_said(tmp_path, caplog):
    path = tmp_path / "in.wav"
    soundfile.write(path, 32768 * sound(5000), RATE, subtype="FLOAT")
    list(Recording(path, RATE).quantised())
    (message,) = messages(caplog)
    assert re.fullmatch(
        rf"{path}: 4\d\d\d of 5000 samples beyond full scale .* expected samples from -1 to 1, got .*", message
    )


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


def test_full_scale_is_kept_and_what_is_beyond_is_clipped():
    assert to_samples(np.array([1.0, -1.0, 1.5, -2.0, 0.25], np.float32)).tolist() == [
        32767,
        -32768,
        32767,
        -32768,
        8192,
    ]


def test_what_is_clipped_is_counted_over_the_whole(tmp_path, caplog):
    signal = np.zeros(3 * READ, np.float32)
    signal[[0, READ + 5, 2 * READ]] = 1.5, -2.0, 1.0
    soundfile.write(tmp_path / "in.wav", signal, RATE, subtype="FLOAT")
    list(Recording(tmp_path / "in.wav", RATE).quantised())
    path = tmp_path / "in.wav"
    assert messages(caplog) == [f"{path}: 2 of {3 * READ} samples beyond full scale were clipped"]
