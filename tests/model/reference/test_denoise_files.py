"""`bgru denoise` from end to end, as a user runs it: files, pipes, folders."""

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.signal import firwin

from bgru.cli import main
from model.bundle.bundle import Bundle
from model.bundle.write import write_bundle
from model.reference import audio
from model.reference.denoise import apply_mask, hear
from model.reference.golden_model import GoldenModel
from model.reference.recording import READ
from tests.support.denoising import BINS, FRONT_END, RATE, constant_network, distance, noise
from tests.support.integer_bundles import small_integer_bundle
from tests.support.paths import ROOT
from tests.support.random_bundles import random_bundle


@pytest.fixture
def folder(tmp_path) -> Path:
    """A recording and a bundle that keeps everything."""
    audio.write(tmp_path / "noisy.wav", noise(), RATE)
    write_bundle(constant_network(keep=True), tmp_path / "net")
    return tmp_path


class Command:
    """The command within this process, which is quicker than a process each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, stdout, stderr."""
        self.monkeypatch.setattr(sys, "argv", ["bgru", "denoise", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return (int(ended.value.code or 0), *self.capsys.readouterr())


@pytest.fixture
def denoise(folder, monkeypatch, capsys) -> Command:
    monkeypatch.chdir(folder)
    return Command(monkeypatch, capsys)


def piped(*words: str, folder: Path, given: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "bgru", *words, "--bundle", str(folder / "net")]
    return subprocess.run(
        command, input=given, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )


def test_as_a_user_runs_it(folder):
    result = subprocess.run(
        [sys.executable, "-m", "bgru", "denoise", "noisy.wav", "clean.wav", "--bundle", "net"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("clean.wav: 203 frames, 100% of the bins kept; ")
    assert distance(audio.read_samples(folder / "clean.wav", RATE), noise()) <= 4


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has no such names")
def test_names_need_not_be_text(folder):
    odd = os.fsencode(folder) + b"/na\xefve [bold]"
    Path(os.fsdecode(odd) + ".wav").write_bytes((folder / "noisy.wav").read_bytes())
    given = [odd + b".wav", b"--bundle", b"net"]
    for words in ([*given[:1], odd + b" clean.wav", *given[1:]], [*given, b"--out", odd]):
        made = subprocess.run(
            [sys.executable, "-m", "bgru", "denoise", *words],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
        )
        assert (made.returncode, made.stderr) == (0, b"")
        assert b"na\\udcefve [bold]" in made.stdout
    for written in (odd + b" clean.wav", odd + b"/na\xefve [bold].wav"):
        assert distance(audio.read_samples(Path(os.fsdecode(written)), RATE), noise()) <= 4


def test_command_writes_the_denoised_recording_and_its_speed(folder, denoise):
    code, out, err = denoise("noisy.wav", "out/clean.flac", "--bundle", "net")
    assert (code, err) == (0, "")
    said = r"out/clean.flac: 203 frames, 100% of the bins kept; 0.1 s in \d+\.\d\d s of one core, [\d,]+ x real time\n"
    assert re.fullmatch(said, out)
    got, rate = soundfile.read(folder / "out" / "clean.flac", dtype="int16")
    assert rate == RATE and distance(got, noise()) <= 4


@pytest.mark.parametrize("integers", [False, True])
def test_command_writes_the_samples_of_the_whole(integers, folder, denoise, caplog):
    """Longer than several pieces, stereo, at another rate: every sample as `audio` and `apply_mask` would have it."""
    rng = np.random.default_rng(5)
    random = random_bundle(rng, hidden=[("bgru", 20)], bins=BINS)
    network = small_integer_bundle() if integers else Bundle("random", FRONT_END, random.layers)
    write_bundle(network, folder / "net")
    soundfile.write(folder / "noisy.wav", rng.normal(0, 0.1, (3 * READ + 5, 2)), 22050)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net")[0] == 0
    assert [record.message for record in caplog.records] == [
        "noisy.wav has 2 channels: using their average",
        "noisy.wav is sampled at 22050 Hz: resampled to 16000 Hz",
    ]
    recording = audio.read_samples(folder / "noisy.wav", RATE)
    mask = GoldenModel(network).masks(hear(network.front_end, recording))
    assert 0 < mask.mean() < network.front_end.unit_gain
    audio.write(folder / "expected.wav", apply_mask(network.front_end, recording, mask), RATE)
    assert (folder / "clean.wav").read_bytes() == (folder / "expected.wav").read_bytes()


def test_a_recording_may_be_replaced_by_its_denoised_one(folder, denoise):
    assert denoise("noisy.wav", "noisy.wav", "--bundle", "net")[0] == 0
    assert distance(audio.read_samples(folder / "noisy.wav", RATE), noise()) <= 4


@pytest.mark.parametrize("samples", [1, 5, 16])
def test_a_recording_may_be_shorter_than_a_window(samples, folder, denoise):
    audio.write(folder / "noisy.wav", noise(samples), RATE)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net")[0] == 0
    assert distance(audio.read_samples(folder / "clean.wav", RATE), noise(samples)) <= 4


def test_silence_stays_silence(folder, denoise):
    soundfile.write(folder / "noisy.wav", np.zeros(1600), RATE)
    code, _, err = denoise("noisy.wav", "clean.wav", "--bundle", "net")
    assert (code, err) == (0, "")
    assert soundfile.read(folder / "clean.wav")[0].tolist() == [0] * 1600


def no_file(folder: Path) -> None:
    (folder / "noisy.wav").unlink()


def empty_file(folder: Path) -> None:
    (folder / "noisy.wav").write_bytes(b"")


def letter(folder: Path) -> None:
    (folder / "noisy.wav").write_text("Dear friend, this is a letter.\n" * 9)


def no_samples(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.zeros(0), RATE)


def not_a_number(folder: Path) -> None:
    soundfile.write(folder / "noisy.wav", np.array([0.1, np.nan] * 50), RATE, subtype="FLOAT")


def no_bundle(folder: Path) -> None:
    (folder / "net" / "manifest.json").unlink()


def other_version(folder: Path) -> None:
    path = folder / "net" / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 9}))


def output_folder(folder: Path) -> None:
    (folder / "clean.wav").mkdir()


BAD = [
    (no_file, "noisy.wav: expected an audio file, found none"),
    (empty_file, "noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised."),
    (letter, "noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised."),
    (no_samples, "noisy.wav: expected audio, got a file with 0 samples"),
    (not_a_number, "noisy.wav: expected finite samples, got nan in sample 1 (at 0.000 s)"),
    (no_bundle, "net: expected a bundle (a folder with manifest.json and arrays.npz), found none"),
    (other_version, "net/manifest.json: expected version 3, got 9"),
    (output_folder, "clean.wav: expected a file to write, got a folder"),
]


@pytest.mark.parametrize(("spoil", "sentence"), BAD, ids=[spoil.__name__ for spoil, _ in BAD])
def test_bad_input_is_one_sentence_and_no_output(folder, denoise, spoil, sentence):
    spoil(folder)
    before = sorted(folder.rglob("*"))
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net") == (2, "", f"error: {sentence}\n")
    assert sorted(folder.rglob("*")) == before


def test_unknown_output_format_is_refused(folder, denoise):
    code, _, err = denoise("noisy.wav", "clean.doc", "--bundle", "net")
    assert (code, err) == (2, "error: clean.doc: expected a name that ends in .wav or .flac, got .doc\n")
    assert not (folder / "clean.doc").exists()


def test_an_argument_too_many_is_exit_code_2(denoise):
    code, _, err = denoise("noisy.wav", "clean.wav", "another.wav")
    assert code == 2
    assert "Usage: " in err and "Traceback" not in err


def test_a_recording_comes_and_goes_through_pipes(folder):
    result = piped("denoise", "-", "-", folder=folder, given=(folder / "noisy.wav").read_bytes())
    assert (result.returncode, result.stderr) == (0, b"")
    samples, rate = soundfile.read(io.BytesIO(result.stdout), dtype="int16")
    assert rate == RATE and distance(samples, noise()) <= 4


def test_a_pipe_without_a_recording_is_refused(folder):
    result = piped("denoise", "-", "-", folder=folder, given=b"Dear friend")
    assert (result.returncode, result.stdout) == (2, b"")
    assert result.stderr == b"error: standard input: expected audio (WAV, FLAC, ...), got Format not recognised.\n"


@pytest.mark.parametrize("output", ["clean.wav", "clean.flac"])
@pytest.mark.parametrize(
    ("name", "subtype"),
    [("in.mp3", None), ("in.ogg", None), ("in.wav", "IMA_ADPCM"), ("in.wav", "MS_ADPCM"), ("in.wav", "ULAW")],
)
def test_a_compressed_recording_keeps_its_length_and_rate(name, subtype, output, folder, denoise):
    soundfile.write(folder / name, noise(), RATE, subtype=subtype)
    whole = soundfile.info(folder / name)
    assert denoise(name, output, "--bundle", "net", "--keep")[0] == 0
    kept = soundfile.info(folder / output)
    assert (kept.frames, kept.samplerate) == (whole.frames, whole.samplerate)


def test_a_pipe_with_a_name_gets_the_recording_and_stays_one(folder, denoise):
    os.mkfifo(folder / "clean.wav")
    reader = subprocess.Popen(["cat", "clean.wav"], cwd=folder, stdout=subprocess.PIPE)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net")[0] == 0
    content, _ = reader.communicate()
    assert (folder / "clean.wav").is_fifo()
    assert denoise("noisy.wav", "file.wav", "--bundle", "net")[0] == 0
    assert content == (folder / "file.wav").read_bytes()


def test_a_process_substitution_gets_the_recording(folder):
    command = f"{sys.executable} -m bgru denoise noisy.wav >(cat > copy.wav) --bundle net && wait $!"
    ran = subprocess.run(["bash", "-c", command], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert ran.returncode == 0
    assert distance(audio.read_samples(folder / "copy.wav", RATE), noise()) <= 4


def test_a_channel_goes_by_its_name_in_any_case(folder, denoise):
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net", "--channel", "LEFT")[0] == 0


def test_every_channel_rate_and_depth_is_kept_on_request(folder, denoise):
    rng = np.random.default_rng(1)
    stereo = rng.normal(0, 0.1, (44100, 2))
    soundfile.write(folder / "noisy.wav", stereo, 44100, subtype="PCM_24")
    assert denoise("noisy.wav", "clean.flac", "--bundle", "net", "--keep")[0] == 0
    info = soundfile.info(folder / "clean.flac")
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (44100, 2, "PCM_24", 44100)
    got = soundfile.read(folder / "clean.flac")[0]
    low = firwin(101, 5000, fs=44100)
    for channel in range(2):  # what is above 8 kHz is gone
        heard, original = (np.convolve(one[:, channel], low)[4000:-4000] for one in (got, stereo))
        assert np.abs(heard - original).max() < 0.01 * np.abs(original).max()
    assert abs(np.corrcoef(got[:, 0], got[:, 1])[0, 1]) < 0.1


@pytest.mark.parametrize("samples", [1, 100, READ, 2 * READ + 7])
@pytest.mark.parametrize("rate", [8000, 16000, 48000])
def test_a_kept_recording_is_as_long_as_it_was(samples, rate, folder, denoise):
    soundfile.write(folder / "noisy.wav", np.random.default_rng(0).normal(0, 0.1, (samples, 2)), rate)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net", "--keep")[0] == 0
    info = soundfile.info(folder / "clean.wav")
    assert (info.frames, info.channels, info.samplerate) == (samples, 2, rate)


@pytest.mark.parametrize(("channel", "index"), [("left", 0), ("right", 1)])
def test_one_channel_can_be_heard(channel, index, folder, denoise):
    two = np.stack([noise(), noise()[::-1]], axis=1)
    soundfile.write(folder / "noisy.wav", two, RATE)
    assert denoise("noisy.wav", "clean.wav", "--bundle", "net", "--channel", channel)[0] == 0
    assert distance(audio.read_samples(folder / "clean.wav", RATE), two[:, index]) <= 4


def test_a_channel_that_is_not_there_is_refused(folder, denoise):
    code, _, err = denoise("noisy.wav", "clean.wav", "--bundle", "net", "--channel", "right")
    assert (code, err) == (2, "error: noisy.wav: expected at least 2 channels, got 1\n")
    code, _, err = denoise("noisy.wav", "clean.wav", "--bundle", "net", "--channel", "middle")
    assert code == 2 and "expected mean, left, right, got middle" in " ".join(err.split())


def test_many_recordings_and_folders_at_once(folder, denoise):
    (folder / "more").mkdir()
    for name in ("a.flac", "b.ogg", "notes.txt"):
        path = folder / "more" / name
        if path.suffix == ".txt":
            path.write_text("not a recording")
        else:
            soundfile.write(path, noise(), RATE)
    code, out, err = denoise("noisy.wav", "more", "--out", "done", "--bundle", "net")
    assert (code, err) == (0, "")
    assert sorted(path.name for path in (folder / "done").iterdir()) == ["a.flac", "b.wav", "noisy.wav"]
    assert out.count("100% of the bins kept") == 3
    assert distance(audio.read_samples(folder / "done" / "a.flac", RATE), noise()) <= 4


def test_one_bad_recording_does_not_stop_the_rest(folder, denoise):
    letter(folder)
    soundfile.write(folder / "good.wav", noise(), RATE)
    code, out, err = denoise("noisy.wav", "good.wav", "--out", "done", "--bundle", "net")
    assert code == 2
    assert "error: noisy.wav: expected audio (WAV, FLAC, ...), got Format not recognised." in out
    assert err == "error: done: expected all 2 recordings denoised, 1 could not be\n"
    assert [path.name for path in (folder / "done").iterdir()] == ["good.wav"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["noisy.wav", "copy/noisy.flac", "copy/noisy.wav"],
            "done/noisy.wav: expected one recording of this name, got ",
        ),
        (["empty"], "empty: expected recordings in this folder, found none"),
    ],
)
def test_what_would_be_lost_or_is_not_there_is_refused_before_the_work(words, sentence, folder, denoise):
    (folder / "copy").mkdir()
    (folder / "empty").mkdir()
    for suffix in ("wav", "flac"):
        soundfile.write(folder / "copy" / f"noisy.{suffix}", noise(), RATE)
    code, _, err = denoise(*words, "--out", "done", "--bundle", "net")
    assert code == 2 and err.startswith(f"error: {sentence}") and err.count("\n") == 1
    assert not (folder / "done").exists()


def test_no_recording_is_replaced_by_its_own_denoised_one(folder, denoise):
    before = (folder / "noisy.wav").read_bytes()
    code, _, err = denoise("noisy.wav", "--out", ".", "--bundle", "net")
    assert (code, err) == (2, "error: .: expected another folder than that of noisy.wav, which would be replaced\n")
    assert (folder / "noisy.wav").read_bytes() == before


def test_a_process_substitution_is_a_recording(folder):
    script = f"{sys.executable} -m bgru denoise <(cat noisy.wav) clean.wav --bundle net"
    result = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert distance(audio.read_samples(folder / "clean.wav", RATE), noise()) <= 4
