"""The command, as a user runs it: by one process, and by two under torchrun."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from bgru.cli import main  # noqa: E402 (after importorskip)
from model.bundle.read import read_bundle  # noqa: E402 (after importorskip)
from model.corpora import corpus  # noqa: E402 (after importorskip)
from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.reference.audio import read  # noqa: E402 (after importorskip)
from model.reference.denoise import hear  # noqa: E402 (after importorskip)
from model.reference.golden_model import GoldenModel  # noqa: E402 (after importorskip)
from model.reference.recording import to_samples  # noqa: E402 (after importorskip)
from model.training import checkpoint, config, train, trainer  # noqa: E402 (after importorskip)
from model.training.distributed import Team  # noqa: E402 (after importorskip)
from model.training.export import to_bundle  # noqa: E402 (after importorskip)
from model.training.network import BINARY, REAL, Pi  # noqa: E402 (after importorskip)
from tests.support import runs  # noqa: E402 (after importorskip)
from tests.support.paths import ROOT  # noqa: E402 (after importorskip)

pytestmark = pytest.mark.training

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TOGETHER = {"precision": "float32", "stages": "2:0:0:1e-2:5e-3,2:0.5:0.5:5e-3:5e-3,4:1:1:5e-3:1e-3"}
"""What processes train together here: dropout and the masks of pi = 0.5 among it, without bfloat16's rounding."""


def options(recordings: Path, out: Path, *more: str, **changes: str) -> list[str]:
    words = ["--speech", str(recordings / "speech"), "--noise", str(recordings / "noise"), "--out", str(out)]
    words += ["--preset", "tiny", "--test-speakers", "a", "--validation-speakers", "b", *more]
    return words + [word for setting in runs.as_options(**changes) for word in ("--set", setting)]


def command(words: Sequence[str]) -> dict[str, Any]:
    """What `subprocess` needs to run one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return {"args": words, "cwd": ROOT, "env": environment, "text": True}


def together(recordings: Path, out: Path, *more: str) -> list[str]:
    return [*TORCHRUN, "-m", "bgru", "train", *options(recordings, out, *more, **TOGETHER)]


def workers(process: int) -> list[int]:
    """The processes that torchrun started."""
    listed = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in listed.read_text().split()]


@pytest.fixture(scope="module")
def trained_together(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run by two processes that were killed in the middle, and of the same command once more."""
    if not Path("/proc/self/task").is_dir():
        pytest.skip("finds the processes to kill in /proc")
    folder = tmp_path_factory.mktemp("together")
    out, notice = folder / "runs" / "mine", folder / "notice.md"
    notice.write_text("Tones by nobody, CC0.")
    words, path = together(recordings, out, "--notice", str(notice)), out / trainer.CHECKPOINT
    with subprocess.Popen(**command(words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as running:
        while not path.is_file():
            assert running.poll() is None
            time.sleep(0.01)
        for process in [*workers(running.pid), running.pid]:
            os.kill(process, signal.SIGKILL)
    before = len(checkpoint.load(path)[1]["history"])
    assert 1 <= before < 8
    done = subprocess.run(**command(words), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"resuming after epoch {before}" in done.stdout.replace("\n", " ")
    assert done.stdout.count("epoch 8/8") == 1  # one of them prints
    return out


def test_the_command_leaves_a_bundle_a_card_a_report_a_page_and_a_picture(
    recordings: Path, trained_together: Path
) -> None:
    stages = [trainer.stage_file(trained_together, pi).name for pi in (REAL, Pi(0.5, 0.5), BINARY)]
    names = ["bundle", "checkpoint.safetensors", "curves.png", "report.html", "report.json", *stages]
    assert sorted(path.name for path in trained_together.iterdir()) == sorted(names)
    made = read_bundle(trained_together / "bundle")
    assert made.name == "mine"
    front_end = made.front_end
    noisy = read(recordings / "speech" / "a" / "0.wav", front_end.sample_rate)
    assert GoldenModel(made).masks(hear(front_end, to_samples(noisy))).shape[1] == front_end.bins
    report = json.loads((trained_together / "report.json").read_text())
    assert report["scores"] == made.provenance["scores"]
    assert [row["epoch"] for row in report["epochs"]] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert report["scores"]["denoised"]["all"]["mixtures"] == 2  # the utterance of the test speaker in two noises
    card = (trained_together / "bundle" / "README.md").read_text()
    assert "Tones by nobody, CC0." in card
    assert str(trained_together.parent.parent) not in card + json.dumps(report)
    assert "--speech recordings" in report["command"].replace("0/speech", "")


def test_two_processes_killed_and_run_again_train_what_one_process_trains(
    recordings: Path, trained_together: Path, tmp_path: Path
) -> None:
    """History and weights are equal but for the order in which floats are summed (6e-7 was seen).

    A sum that lies nearer to a tie than that could flip a bit of a mask or a state, and be seen here. At pi = 1 there
    is none such: sums are integers.
    """
    chosen = runs.settings(**TOGETHER)
    source = corpus.find([recordings / "speech"], [recordings / "noise"], ["a"], ["b"])
    alone = trainer.train(source, chosen, tmp_path, Team())
    groups, state = checkpoint.load(trained_together / trainer.CHECKPOINT)
    for row, expected in zip(runs.without_seconds(state["history"]), runs.without_seconds(alone), strict=True):
        assert row == pytest.approx(expected, rel=1e-4, abs=1e-4), row["epoch"]
    expected_groups, _ = checkpoint.load(tmp_path / trainer.CHECKPOINT)
    torch.testing.assert_close(groups["front_end"], expected_groups["front_end"], rtol=0, atol=0)
    torch.testing.assert_close(groups["network"], expected_groups["network"], rtol=0, atol=1e-4)
    network, front_end = trainer.load(trained_together, chosen, BINARY)
    begun = trainer.make_network(front_end, chosen)
    for layer, first in zip(network.layers, begun.layers, strict=True):
        moved = (layer.rows.weight - first.rows.weight).detach().abs()
        assert float(moved.mean()) > 0.01  # a hundred times the tolerance


INTEGERS = {
    **{"format": "int4", "kind": "gru", "qad_code": "level", "qad_bits": "6", "state_bits": "7", "gain_bits": "5"},
    "stages": "2:0:0:1e-2:5e-3,2:1:1:5e-3:1e-3",
}


def test_a_network_of_integers_is_trained_to_a_bundle_a_card_and_a_page(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_code(monkeypatch, options(recordings, tmp_path / "mine", **INTEGERS)) == 0
    made = read_bundle(tmp_path / "mine" / "bundle")
    formats = {"gru0": "int4, 6 > 7 bits", "mask": "int4, 7 > 5 bits"}
    assert {layer.name: str(layer.format) for layer in made.layers} == formats
    network, front_end = trainer.load(tmp_path / "mine", runs.settings(**INTEGERS), BINARY)
    assert to_bundle(network, front_end, "mine", {}).identity == made.identity
    noisy = read(recordings / "speech" / "a" / "0.wav", made.front_end.sample_rate)
    features = hear(made.front_end, to_samples(noisy))
    x = torch.from_numpy(features).double()[:, None]
    with torch.no_grad():
        gains = network.double().mask.gains(network(x)[0][:, 0])
    mask = GoldenModel(made).masks(features)
    np.testing.assert_array_equal(mask, gains.numpy())
    assert len(np.unique(mask)) > 5 and mask.max() <= 30
    card = (tmp_path / "mine" / "bundle" / "README.md").read_text()
    assert "network of integers" in card and "Formats: `gru0` int4, 6 > 7 bits; `mask` int4, 7 > 5 bits." in card
    assert (tmp_path / "mine" / "report.html").is_file()


def exit_code(monkeypatch: pytest.MonkeyPatch, words: Sequence[str]) -> int:
    """Of the command line in this process, for what doesn't need another."""
    monkeypatch.setattr(sys, "argv", ["bgru", "train", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_bad_input_is_one_sentence_and_exit_code_2(recordings: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "bgru", "train", *options(recordings, tmp_path / "out", rhoo="1")]
    done = subprocess.run(**command(words), capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: setting rhoo=1: expected name=value")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_no_bundle_can_be_named_after_is_refused_before_the_work(
    recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code(monkeypatch, options(recordings, tmp_path / "my run")) == 2
    assert capsys.readouterr().err.startswith("error: name: expected letters, digits")
    assert not (tmp_path / "my run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, f"preset: expected {', '.join(config.PRESETS)}, got huge"),
        ({"notice": Path("nowhere.md")}, "nowhere.md: expected a text file with the recordings' licence"),
        ({"test_speakers": "zoe"}, "test speaker zoe: expected one of the corpus' 4 speakers"),
        ({"speech": [Path("nowhere")]}, "nowhere: expected speech as speaker/utterance recordings"),
        ({"noise": [Path("nowhere")]}, "nowhere: expected recordings of noise"),
        ({"settings": ["stages=2:0:0:1:1"]}, "setting stages: expected a last one at pi 1:1 and input bits"),
        (
            {"settings": ["hop=64"]},
            r"front end: expected a hann window and a hop of a quarter of it \(128\)",
        ),
        ({"settings": ["fft_size=2048", "hop=512"]}, "front_end.fft_size: expected a power of two from 16 to 1024"),
        ({"settings": ["input=magnitudes"]}, "setting stages: expected a last one at pi 1:1 and input bits"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    recordings: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    usual: dict[str, Any] = {
        **{"speech": [recordings / "speech"], "noise": [recordings / "noise"], "out": tmp_path / "out"},
        **{"preset": "small", "bundle_folder": None, "test_speakers": "", "validation_speakers": ""},
        **{"held_out_kinds": "", "rooms_folder": None, "start": None},
        **{"seed": None, "settings": None, "notice": None, "skip_broken": False},
    }
    with pytest.raises(BadInput, match=message):
        train.run(**{**usual, **options})
    assert not (tmp_path / "out").exists()


def test_a_broken_recording_ends_the_command_or_is_named_and_left_out_as_asked(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One of a test speaker, which would else be met when all the training is done."""
    recordings = runs.record(tmp_path / "recordings")
    (recordings / "speech" / "a" / "broken.wav").write_text("no sound")
    soundfile.write(recordings / "speech" / "c" / "silent.wav", np.zeros(16000), 16000)
    words = options(recordings, tmp_path / "out", stages="1:1:1:1e-2:1e-2")
    assert exit_code(monkeypatch, words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {recordings / 'speech' / 'a' / 'broken.wav'}: expected audio")
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()
    assert exit_code(monkeypatch, [*words, "--skip-broken"]) == 0
    said = [record.getMessage() for record in caplog.records if "left out" in record.getMessage()]
    assert len(said) == 2
    assert "a/broken.wav" in said[0] and "c/silent.wav: expected speech, got digital silence" in said[1]
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["scores"]["denoised"]["all"]["mixtures"] == 2
    assert report["command"].endswith(" --skip-broken")


def end_with_one_sentence(words: Sequence[str], ending: str) -> None:
    """Two processes say what is wrong once, and end; the one traceback is torchrun's own, which says who failed."""
    done = subprocess.run(**command(words), capture_output=True, check=False, timeout=600)
    assert done.returncode != 0
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert said.endswith(ending)
    assert done.stderr.count("Traceback") == 1
    assert "exitcode  : 2" in done.stderr


def test_a_full_disk_ends_both_processes_though_only_one_of_them_writes(recordings: Path, tmp_path: Path) -> None:
    limited = ["bash", "-c", 'ulimit -f 40; exec "$@"', "bash", *together(recordings, tmp_path / "out")]
    ending = "out/checkpoint.safetensors: expected room to write it, got File too large; what was there is kept"
    end_with_one_sentence(limited, ending)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["pi-0-0.safetensors"]


def test_what_every_process_meets_is_said_by_one_of_them(
    recordings: Path, trained_together: Path, tmp_path: Path
) -> None:
    """Here, that one finds a checkpoint and the other none, as on two machines without a common folder."""
    (tmp_path / "1").mkdir()
    shutil.copy(trained_together / trainer.CHECKPOINT, tmp_path / "1")
    each = [
        "--no-python",
        "bash",
        "-c",
        f'exec "$@" --out {tmp_path}/$RANK',
        "bash",
        sys.executable,
        "-m",
        "bgru",
        "train",
    ]
    words = [*TORCHRUN, *each, *options(recordings, tmp_path, **TOGETHER)]
    end_with_one_sentence(
        words, "expected the same checkpoint in every process, got another; put --out where all see it"
    )
