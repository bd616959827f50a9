"""Training as a user runs it, tiny, on synthetic recordings."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from model import bundle, config, train  # noqa: E402 (after importorskip)
from model.audio import read  # noqa: E402 (after importorskip)
from model.config import Config  # noqa: E402 (after importorskip)
from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.export import to_bundle  # noqa: E402 (after importorskip)
from model.golden import GoldenModel  # noqa: E402 (after importorskip)
from model.train import Corpus  # noqa: E402 (after importorskip)

SMALLEST = {
    "fft_size": "64",
    "hop": "32",
    "hidden": "12",
    "sequences": "4",
    "frames": "40",
    "truncation": "20",
    "batches": "2",
    "validation_mixtures": "3",
    "round1_epochs": "2",
    "pis": "0.5",
    "pi_epochs": "1",
    "final_epochs": "2",
}


def settings(**changes: str) -> Config:
    return config.with_settings("tiny", [f"{name}={value}" for name, value in {**SMALLEST, **changes}.items()])


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four "speakers" of tones with pauses, and two noises; 16 kHz."""
    folder, rng = tmp_path_factory.mktemp("recordings"), np.random.default_rng(0)
    time = np.arange(16000) / 16000
    for index, name in enumerate("abcd"):
        (folder / "speech" / name).mkdir(parents=True)
        for take in range(2):
            tone = sum(np.sin(2 * np.pi * (200 + 70 * index) * k * time + take) / k for k in range(1, 6))
            signal = 0.1 * tone * (np.sin(2 * np.pi * 30 * time + take) > 0)
            soundfile.write(folder / "speech" / name / f"{take}.wav", signal, 16000)
    (folder / "noise").mkdir()
    for name in ("hiss", "hum"):
        soundfile.write(folder / "noise" / f"{name}.flac", rng.normal(0, 0.05, 24000), 16000)
    return folder


@pytest.fixture
def source(recordings: Path) -> Corpus:
    return Corpus.find(recordings / "speech", recordings / "noise", ["a"], ["b"], settings())


def without_seconds(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in history]


def stop_after(monkeypatch: pytest.MonkeyPatch, epochs: int) -> None:
    """Let training die in the middle of the epoch that follows."""
    original: Callable[..., float] = train.train_epoch

    def dying(*arguments: Any) -> float:
        if arguments[4] == epochs:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(train, "train_epoch", dying)


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    source: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    """Killed in round 1, and at pi = 1: weights and history equal the uninterrupted run's bit for bit."""
    whole, front_end, history = train.train(source, settings(), tmp_path / "whole")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, epochs)
        train.train(source, settings(), tmp_path / "killed")
    resumed, front_end_again, history_again = train.train(source, settings(), tmp_path / "killed")
    assert without_seconds(history_again) == without_seconds(history)
    np.testing.assert_array_equal(front_end_again.thresholds, front_end.thresholds)
    expected = whole.state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in resumed.state_dict().items())


def test_the_seed_decides_everything(source: Corpus, tmp_path: Path) -> None:
    runs = [
        train.train(source, settings(seed=seed), tmp_path / name)[2] for name, seed in zip("abc", "001", strict=True)
    ]
    first, again, other = (without_seconds(history) for history in runs)
    assert first == again
    assert first != other


def test_training_learns(source: Corpus, tmp_path: Path) -> None:
    """On tones in noise the fully binary network beats the unprocessed mixture by far."""
    changes = {"round1_epochs": "6", "final_epochs": "8", "batches": "6", "hidden": "24"}
    _, _, history = train.train(source, settings(**changes), tmp_path)
    assert history[5]["loss"] < history[0]["loss"] / 2
    assert max(row["sdr"] for row in history if row["pi"] == 1.0) > 5.0


def test_the_golden_model_of_a_trained_network_computes_its_bits(source: Corpus, tmp_path: Path) -> None:
    network, front_end, _ = train.train(source, settings(), tmp_path)
    golden = GoldenModel(to_bundle(network, front_end, "trained", {}))
    batch = source.mixtures("validation", front_end, (1.0,), 0.0).batch(
        3, 60, (0.0, 0.0), 1.0, np.random.default_rng(1)
    )
    with torch.no_grad():
        _, bits, _ = network(train.bipolar(batch.features))
    for index in range(3):
        np.testing.assert_array_equal(golden.masks(batch.features[:, index]), bits[:, index].numpy())


def test_a_network_of_dense_layers_trains_too(source: Corpus, tmp_path: Path) -> None:
    network, _, history = train.train(source, settings(kind="dense"), tmp_path)
    assert [layer.kind for layer in network.layers] == ["dense", "dense"]
    assert np.isfinite(history[-1]["loss"])


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    source: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 1)
        train.train(source, settings(), tmp_path)
    before = (tmp_path / train.CHECKPOINT).read_bytes()
    monkeypatch.setattr(train, "weighted_loss", lambda v, mask, weight: v.mean() * float("nan"))
    with pytest.raises(BadInput, match="expected a finite loss in epoch 2, got nan; the checkpoint of epoch 1 is kept"):
        train.train(source, settings(), tmp_path)
    assert (tmp_path / train.CHECKPOINT).read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "test", "message"),
    [
        ({"rho": "0.7"}, "a", "expected a run with the same settings rho, got another; choose another --out"),
        ({}, "c", "expected a run with the same speakers training, got another"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    source: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, str], test: str, message: str
) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 1)
        train.train(source, settings(), tmp_path)
    other = Corpus.find(source.speech, source.noise, [test], ["b"], settings())
    with pytest.raises(BadInput, match=message):
        train.train(other, settings(**changes), tmp_path)


def command(recordings: Path, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "model.train", "--speech", str(recordings / "speech")]
    words += ["--noise", str(recordings / "noise"), "--out", str(out), "--preset", "tiny", *options]
    for name, value in SMALLEST.items():
        words += ["--set", f"{name}={value}"]
    root = Path(__file__).parent.parent
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    return subprocess.run(words, cwd=root, env=environment, capture_output=True, text=True, check=False)


def test_the_command_leaves_a_bundle_a_card_a_report_and_a_picture(recordings: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "mine"
    notice = tmp_path / "notice.md"
    notice.write_text("Tones by nobody, CC0.")
    done = command(recordings, out, "--test-speakers", "a", "--validation-speakers", "b", "--notice", str(notice))
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in out.iterdir()) == [
        "bundle",
        "checkpoint.safetensors",
        "curves.png",
        "report.json",
    ]
    made = bundle.read(out / "bundle")
    assert made.name == "mine"
    front_end = made.front_end
    level, _ = front_end.normalise(read(recordings / "speech" / "a" / "0.wav", front_end.sample_rate))
    assert GoldenModel(made).masks(front_end.encode(front_end.stft(level))).shape[1] == front_end.bins
    report = json.loads((out / "report.json").read_text())
    assert report["scores"] == made.provenance["scores"]
    assert [row["epoch"] for row in report["epochs"]] == [1, 2, 3, 4, 5]
    assert report["scores"]["mean"]["mixtures"] == 4  # two utterances of the test speaker in two noises
    card = (out / "bundle" / "README.md").read_text()
    assert "Tones by nobody, CC0." in card
    assert str(tmp_path) not in card + json.dumps(report)
    assert "--speech recordings" in report["command"].replace("0/speech", "")


def test_bad_input_is_one_sentence_and_exit_code_2(recordings: Path, tmp_path: Path) -> None:
    done = command(recordings, tmp_path / "out", "--set", "rhoo=1")
    assert done.returncode == 2
    assert done.stderr.startswith("error: setting rhoo=1: expected name=value")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_folder_that_no_bundle_can_be_named_after_is_refused_before_the_work(recordings, tmp_path) -> None:
    done = command(recordings, tmp_path / "my run")
    assert done.returncode == 2
    assert done.stderr.startswith("error: name: expected letters, digits")
    assert not (tmp_path / "my run").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "huge"}, "preset: expected tiny, small, paper, got huge"),
        ({"notice": Path("nowhere.md")}, "nowhere.md: expected a text file with the recordings' licence"),
        ({"test_speakers": "zoe"}, "test speaker zoe: expected one of the corpus' 4 speakers"),
        ({"speech": Path("nowhere")}, "nowhere: expected speech as speaker/utterance recordings"),
        ({"noise": Path("nowhere")}, "nowhere: expected recordings of noise"),
    ],
)
def test_bad_input_leaves_nothing_behind(
    recordings: Path, tmp_path: Path, options: dict[str, Any], message: str
) -> None:
    folders = {"speech": recordings / "speech", "noise": recordings / "noise", "out": tmp_path / "out"}
    with pytest.raises(BadInput, match=message):
        train.main(**{**folders, **options})
    assert not (tmp_path / "out").exists()
