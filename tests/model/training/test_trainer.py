"""Training: what it keeps, how it goes on, when it stops."""

import math
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from model.corpora import corpus  # noqa: E402 (after importorskip)
from model.corpora.corpus import Corpus  # noqa: E402 (after importorskip)
from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.reference.golden_model import GoldenModel  # noqa: E402 (after importorskip)
from model.training import checkpoint, loss, trainer  # noqa: E402 (after importorskip)
from model.training.batches import Mixtures  # noqa: E402 (after importorskip)
from model.training.distributed import Team  # noqa: E402 (after importorskip)
from model.training.export import to_bundle  # noqa: E402 (after importorskip)
from model.training.network import BINARY, REAL, Pi  # noqa: E402 (after importorskip)
from tests.support.runs import settings, without_seconds  # noqa: E402 (after importorskip)

pytestmark = pytest.mark.training

ALONE = Team()
STAGES = (REAL, Pi(0.5, 0.5), BINARY)


@pytest.fixture(scope="module")
def source(recordings: Path) -> Corpus:
    return corpus.find([recordings / "speech"], [recordings / "noise"], ["a"], ["b"])


def train(source: Corpus, out: Path, **changes: str) -> trainer.History:
    return trainer.train(source, settings(**changes), out, ALONE)


@pytest.fixture(scope="module")
def whole(source: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    train(source, out)
    return out


def die_in_epoch(monkeypatch: pytest.MonkeyPatch, epoch: int) -> None:
    """Let training be interrupted in the middle of an epoch, counted from 0."""
    original: Callable[..., Any] = trainer.batches

    def dying(*arguments: Any) -> Any:
        for index, batch in enumerate(original(*arguments)):
            if arguments[2] == epoch and index == 1:
                raise KeyboardInterrupt
            yield batch

    monkeypatch.setattr(trainer, "batches", dying)


def interrupted(monkeypatch: pytest.MonkeyPatch, source: Corpus, out: Path, epoch: int) -> None:
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        die_in_epoch(patch, epoch)
        train(source, out)


def assert_equal_runs(one: Path, other: Path) -> None:
    """Checkpoint and stage files hold the same history, weights, optimiser and thresholds, bit for bit."""
    names = sorted(path.name for path in one.glob("*.safetensors"))
    assert names == sorted(path.name for path in other.glob("*.safetensors"))
    for name in names:
        (groups, state), (expected, as_expected) = (checkpoint.load(folder / name) for folder in (one, other))
        for key in ("history", "row"):
            rows = [[found[key]] if key == "row" else found[key] for found in (state, as_expected) if key in found]
            assert not rows or without_seconds(rows[0]) == without_seconds(rows[1])
        assert groups.keys() == expected.keys()
        for group, tensors in groups.items():
            assert tensors.keys() == expected[group].keys()
            assert all(torch.equal(tensor, expected[group][key]) for key, tensor in tensors.items()), (name, group)


@pytest.mark.parametrize("epoch", [0, 2, 4])
def test_a_killed_run_goes_on_as_if_nothing_had_happened(
    source: Corpus, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    """Killed in the first epoch, where masks are drawn, and at pi = 1: one epoch is lost, and nothing else."""
    interrupted(monkeypatch, source, tmp_path, epoch)
    found = checkpoint.load(tmp_path / trainer.CHECKPOINT)[1]["history"] if epoch else []
    assert [row["epoch"] for row in found] == list(range(1, epoch + 1))
    history = train(source, tmp_path)
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert_equal_runs(tmp_path, whole)


def test_a_run_goes_on_with_stages_that_were_added(source: Corpus, whole: Path, tmp_path: Path) -> None:
    """What was trained of a plan doesn't depend on what comes after it."""
    *first, last = settings().stages
    train(source, tmp_path, stages=",".join(map(str, first)))
    train(source, tmp_path)
    assert_equal_runs(tmp_path, whole)
    expect_stop(source, tmp_path, "same settings stages, got another", stages=str(last))


def test_a_run_that_has_ended_is_not_trained_on(source: Corpus, whole: Path) -> None:
    before = {path: path.read_bytes() for path in whole.iterdir()}
    history = train(source, whole)
    assert len(history) == 5
    assert {path: path.read_bytes() for path in whole.iterdir()} == before


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_the_seed_decides_everything(source: Corpus, tmp_path: Path, precision: str) -> None:
    changes = {"precision": precision, "stages": "1:0.5:0.5:1e-2:1e-2,1:1:1:1e-2:1e-2"}
    for name, seed in zip("abc", "001", strict=True):
        train(source, tmp_path / name, seed=seed, **changes)
    assert_equal_runs(tmp_path / "a", tmp_path / "b")
    first, other = (checkpoint.load(tmp_path / name / trainer.CHECKPOINT)[1]["history"] for name in "ac")
    assert without_seconds(first) != without_seconds(other)


def test_training_in_bfloat16_is_other_than_in_float32_and_near_it(source: Corpus, whole: Path, tmp_path: Path) -> None:
    exact = train(source, tmp_path, precision="float32", stages="2:0:0:1e-2:5e-3")
    mixed = checkpoint.load(whole / trainer.CHECKPOINT)[1]["history"][:2]
    assert [row["loss"] for row in mixed] != [row["loss"] for row in exact]
    assert [row["loss"] for row in mixed] == pytest.approx([row["loss"] for row in exact], rel=0.02)


def test_training_learns(source: Corpus, tmp_path: Path) -> None:
    """On tones in noise the fully binary network beats the unprocessed mixture, at 0 dB, by far."""
    changes = {"batches": "6", "hidden": "24", "stages": "6:0:0:1e-2:1e-3,8:1:1:5e-3:5e-4"}
    history = train(source, tmp_path, **changes)
    assert history[5]["loss"] < 0.75 * history[0]["loss"]
    assert max(row["sdr"] for row in history if row["weights"] == 1.0) > 8.0


def test_the_loss_is_that_of_the_bits_and_of_the_envelopes_by_their_weight(source: Corpus, tmp_path: Path) -> None:
    """With steps too small to matter, so that the networks stay alike."""
    losses = [
        train(source, tmp_path / weight, stages="1:0:0:1e-9:1e-9", envelope_weight=weight)[0]["loss"]
        for weight in ("0", "1", "3")
    ]
    assert losses[1] > losses[0] + 0.01
    assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-3)


def test_the_history_says_of_every_epoch_what_it_was(whole: Path) -> None:
    history = checkpoint.load(whole / trainer.CHECKPOINT)[1]["history"]
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert [(row["weights"], row["activations"]) for row in history] == [REAL, REAL, (0.5, 0.5), BINARY, BINARY]
    assert [row["learning_rate"] for row in history] == pytest.approx([1e-2, 7.5e-3, 5e-3, 5e-3, 3e-3])
    for row in history:
        assert row["seconds"] > 0
        assert all(math.isfinite(row[key]) for key in ("loss", "sdr", "si_sdr"))
        assert all(0 < row[key] < 1 for key in ("mask_accuracy", "weighted_accuracy"))


def test_stage_files_hold_the_best_network_of_every_pi(source: Corpus, tmp_path: Path) -> None:
    """What is loaded scores what the history says of the best epoch, and of no other."""
    changes = {"stages": "2:0:0:1e-2:1e-2,1:0:0:10:10,1:0.5:0.5:5e-3:5e-3,3:1:1:5e-2:5e-2"}
    chosen, history = settings(**changes), train(source, tmp_path, **changes)
    assert trainer.best(history, REAL)["epoch"] in (1, 2)  # the third, at the same pi, was trained to ruin
    expected = {"checkpoint.safetensors", *(trainer.stage_file(tmp_path, pi).name for pi in STAGES)}
    assert {path.name for path in tmp_path.iterdir()} == expected
    for pi in STAGES:
        network, front_end = trainer.load(tmp_path, chosen, pi)
        held_out = Mixtures(front_end, *source.signals("validation", chosen.sample_rate))
        scores = trainer.Validation(held_out, chosen, ALONE).scores(network, pi, chosen.seed)
        row = trainer.best(history, pi)
        assert scores == {key: row[key] for key in scores}
        assert checkpoint.load(trainer.stage_file(tmp_path, pi))[1]["row"] == row


def test_the_golden_model_of_a_trained_network_computes_its_bits(source: Corpus, whole: Path) -> None:
    network, front_end = trainer.load(whole, settings(), BINARY)
    golden = GoldenModel(to_bundle(network, front_end, "trained", {}))
    held_out = Mixtures(front_end, *source.signals("validation", 16000))
    batch = held_out.batch(60, (0.0, 0.0), 15.0, 1.0, [np.random.default_rng(index) for index in range(3)])
    with torch.no_grad():
        v, _ = network(trainer.bipolar(batch.features))
    for index in range(3):
        np.testing.assert_array_equal(
            golden.masks(batch.features[:, index].astype(np.uint8)), (v[:, index] >= 0).numpy()
        )


@pytest.mark.parametrize(
    ("changes", "inputs", "outputs"),
    [
        ({"kind": "dense"}, 33 * 4, 33),
        ({"kind": "dense", "input": "magnitudes", "hidden": "12,8"}, 33, 33),
        ({"input": "magnitudes"}, 33, 33),
        ({"qad_code": "binary", "qad_bits": "2", "mask_bits": "3", "per_row": "true"}, 33 * 2, 33 * 3),
        ({"qad_code": "thermometer", "qad_bits": "5", "hidden": "8,6"}, 33 * 5, 33),
    ],
)
def test_every_kind_of_network_trains(
    source: Corpus, tmp_path: Path, changes: dict[str, str], inputs: int, outputs: int
) -> None:
    stages = {"stages": "2:0:0:1e-2:1e-2"} if "input" in changes else {"stages": "1:0:0:1e-2:1e-2,1:1:1:1e-2:1e-2"}
    chosen, history = settings(**changes, **stages), train(source, tmp_path, **changes, **stages)
    network, _ = trainer.load(tmp_path, chosen, Pi(*chosen.stages[-1][1:3]))
    assert (network.layers[0].inputs, network.layers[-1].units) == (inputs, outputs)
    assert [layer.units for layer in network.hidden] == list(chosen.hidden)
    assert {layer.kind for layer in network.hidden} == {chosen.kind}
    assert all(math.isfinite(row["loss"]) for row in history)


def expect_stop(source: Corpus, out: Path, message: str, **changes: str) -> None:
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(BadInput, match=message):
        train(source, out, **changes)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_loss_that_is_not_finite_stops_and_keeps_the_checkpoint(
    source: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted(monkeypatch, source, tmp_path, 1)
    monkeypatch.setattr(loss, "weighted_loss", lambda v, mask, weight: v.mean() * float("nan"))
    expect_stop(source, tmp_path, "expected a finite loss in epoch 2, got nan; the checkpoint of epoch 1 is kept")


def test_weights_that_are_not_finite_never_reach_the_checkpoint(
    source: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step of an epoch, whose loss is finite and whose gradient isn't: no later loss would tell."""
    interrupted(monkeypatch, source, tmp_path, 1)
    original, calls = loss.weighted_loss, []

    def poisoned(v: Any, mask: Any, weight: Any) -> Any:
        calls.append(1)
        steep = torch.sqrt(0.0 * v.sum())
        return original(v, mask, weight) + (steep if len(calls) == 4 else 0.0)

    monkeypatch.setattr(loss, "weighted_loss", poisoned)
    expect_stop(
        source, tmp_path, "expected a finite loss in epoch 2, got weights that are not; the checkpoint of epoch 1"
    )


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_where_there_is_room(
    source: Corpus, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room for the file of the best network, but not for the checkpoint."""
    interrupted(monkeypatch, source, tmp_path, 2)
    before = (tmp_path / trainer.CHECKPOINT).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))
    try:
        with pytest.raises(BadInput, match=r"checkpoint\.safetensors: expected room to write it, got File too large"):
            train(source, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / trainer.CHECKPOINT).read_bytes() == before
    assert trainer.stage_file(tmp_path, STAGES[1]).is_file()
    assert not list(tmp_path.glob(".*"))
    train(source, tmp_path)
    assert_equal_runs(tmp_path, whole)


@pytest.mark.parametrize(
    ("changes", "test", "message"),
    [
        ({"rho": "0.7"}, "a", "expected a run with the same settings rho, got another; choose another --out"),
        ({"stages": "9:0:0:1:1"}, "a", "expected a run with the same settings stages, got another"),
        ({}, "c", "expected a run with the same speakers training, got another"),
    ],
)
def test_another_run_in_the_same_folder_is_refused(
    recordings: Path, whole: Path, changes: dict[str, str], test: str, message: str
) -> None:
    other = corpus.find([recordings / "speech"], [recordings / "noise"], [test], ["b"])
    expect_stop(other, whole, message, **changes)


def test_other_noises_in_the_same_folder_are_refused(source: Corpus, whole: Path) -> None:
    less = Corpus(source.utterances, {"hum": source.noises["hum"]}, source.split)
    shared = Corpus(source.utterances, source.noises, source.split, {"training": "whole"})
    for other in (less, shared):
        expect_stop(other, whole, "expected a run with the same noises.*, got another; choose another --out")


def test_a_run_with_settings_that_there_are_no_more_is_refused(source: Corpus, whole: Path, tmp_path: Path) -> None:
    groups, state = checkpoint.load(whole / trainer.CHECKPOINT)
    state["run"]["settings"]["colour"] = "blue"
    checkpoint.save(tmp_path / trainer.CHECKPOINT, groups, state)
    expect_stop(source, tmp_path, "expected a run with the same settings, got another; choose another --out")


def test_a_hop_that_no_spectrum_can_be_undone_at_is_refused_before_the_work(source: Corpus, tmp_path: Path) -> None:
    message = "front_end.window: expected one of SciPy's that a hop of 64 allows to undo, got 'hann'"
    expect_stop(source, tmp_path, message, hop="64")


def test_a_run_begins_with_the_network_and_the_front_end_of_another(
    source: Corpus, whole: Path, tmp_path: Path
) -> None:
    """At a rate of almost nothing, the first epoch leaves the weights where they were."""
    chosen = settings(stages="1:1:1:1e-9:1e-9", seed="3")
    trainer.train(source, chosen, tmp_path / "warm", ALONE, start=whole)
    expected, _ = checkpoint.load(trainer.stage_file(whole, BINARY))
    found, state = checkpoint.load(tmp_path / "warm" / trainer.CHECKPOINT)
    torch.testing.assert_close(found["network"], expected["network"], rtol=0, atol=1e-6)
    assert torch.equal(found["front_end"]["thresholds"], expected["front_end"]["thresholds"])
    assert state["run"]["start"] == whole.name
    with pytest.raises(BadInput, match="expected a run with the same start"):
        trainer.train(source, chosen, tmp_path / "warm", ALONE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": "13"}, "expected a network of this run's sizes, got another"),
        ({"qad_bits": "3"}, "expected a front end of this run's bins and bits, got another"),
    ],
)
def test_a_run_of_other_sizes_is_no_start(
    source: Corpus, whole: Path, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    with pytest.raises(BadInput, match=message):
        trainer.train(source, settings(**change), tmp_path, ALONE, start=whole)


def test_a_run_s_settings_can_be_read_back(whole: Path) -> None:
    assert trainer.settings_of(whole) == settings()


def test_the_best_epoch_weighs_stoi_against_si_sdr() -> None:
    rows = [{"si_sdr": si_sdr, "stoi": stoi, "weights": 1.0, "activations": 1.0} for si_sdr, stoi in SCORES]
    assert trainer.best(rows, BINARY) == rows[1]


SCORES = ((8.0, 0.80), (7.8, 0.81), (8.1, 0.79))


INTEGERS = {
    **{"kind": "gru", "format": "int8", "qad_code": "level", "qad_bits": "8", "gain_bits": "8"},
    **{"loss": "si_sdr", "distillation": "0.1", "learned_steps": "true"},
}


def test_distillation_needs_a_real_valued_network(source: Corpus, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"^setting distillation: expected real-valued stages before the quantised ones"):
        train(source, tmp_path, **INTEGERS, stages="1:1:1:5e-3:1e-3")


def test_the_loss_of_fqss_changes_steps_and_weights_in_quantised_stages_alone(source: Corpus, tmp_path: Path) -> None:
    train(source, tmp_path / "fqss", **INTEGERS, stages="1:0:0:1e-2:5e-3,1:1:1:5e-3:1e-3")
    train(source, tmp_path / "plain", **{**INTEGERS, "distillation": "0"}, stages="1:0:0:1e-2:5e-3,1:1:1:5e-3:1e-3")
    losses = {}
    for name, share in (("fqss", "0.1"), ("plain", "0")):
        chosen = settings(**{**INTEGERS, "distillation": share, "stages": "1:0:0:1e-2:5e-3,1:1:1:5e-3:1e-3"})
        groups, state = checkpoint.load(tmp_path / name / trainer.CHECKPOINT)
        real, _ = trainer.load(tmp_path / name, chosen, REAL)
        assert all(bool((layer.rows.stretch == 0).all()) for layer in real.layers)
        assert all(bool((value != 0).all()) for key, value in groups["network"].items() if key.endswith("rows.stretch"))
        losses[name] = [row["loss"] for row in state["history"]]
    assert losses["fqss"][0] == losses["plain"][0]
    assert losses["fqss"][1] != losses["plain"][1]
