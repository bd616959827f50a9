"""A row from training to its JSON, tiny, on synthetic recordings."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

torch = pytest.importorskip("torch")

from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.training import config  # noqa: E402 (after importorskip)
from model.training.config import Config  # noqa: E402 (after importorskip)
from model.training.distributed import Team  # noqa: E402 (after importorskip)
from model.training.network import BINARY, REAL  # noqa: E402 (after importorskip)
from study import pictures, protocol, results, run, tables, test_set_updates  # noqa: E402 (after importorskip)
from study.experiments import FIVE_DB, Experiment, Phase  # noqa: E402 (after importorskip)
from study.networks import Masker  # noqa: E402 (after importorskip)

pytestmark = pytest.mark.training

ROW = Experiment(
    "bgru",
    "paper",
    "GRU, then BGRU",
    (Phase(REAL, 1, 1e-2, 1e-2, (16.12, 0.9459)), Phase(BINARY, 1, 1e-2, 1e-2)),
    test_time_passes=2,
)
SMALLEST = (
    *FIVE_DB,
    *("hidden=8", "fft_size=64", "hop=16", "sequences=4", "frames=40", "truncation=20", "batches=2"),
    *("validation_mixtures=3", "stages=1:0:0:0.01:0.01,1:1:1:0.01:0.01"),
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tones with pauses for all of the protocol's speakers, and two noises."""
    folder, rng = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    time = np.arange(12000) / 16000
    for index, name in enumerate(("dr1-fvmh0", *protocol.VALIDATION, *protocol.TEST)):
        (folder / "paper" / "speech" / name).mkdir(parents=True)
        for take in ("sa1", "sx1"):
            tone = np.sin(2 * np.pi * (200 + 70 * index) * time) * (np.sin(2 * np.pi * 5 * time) > 0)
            soundfile.write(folder / "paper" / "speech" / name / f"{take}.flac", 0.1 * tone, 16000)
    (folder / "paper" / "noise").mkdir()
    for name in ("birds", "frogs"):
        soundfile.write(folder / "paper" / "noise" / f"{name}.flac", rng.normal(0, 0.05, 24000), 16000)
    return folder


@pytest.fixture(scope="module")
def settings() -> Config:
    return config.with_settings("small", SMALLEST)


@pytest.fixture(scope="module")
def result(data: Path, settings: Config, tmp_path_factory: pytest.TempPathFactory) -> dict:
    made = run.train_and_score(ROW, settings, data, tmp_path_factory.mktemp("runs") / "bgru", Team(), run.QUICK)
    assert made is not None
    return made


def test_a_result_holds_settings_environment_curves_and_scores(result: dict, tmp_path: Path) -> None:
    run.write(result, tmp_path / "bgru.json")
    read = json.loads((tmp_path / "bgru.json").read_text())
    assert read["settings"]["hidden"] == [8]
    assert read["settings"]["stages"] == ["1:0:0:0.01:0.01", "1:1:1:0.01:0.01"]
    assert {"revision", "versions", "device", "threads"} <= set(read["environment"])
    assert [epoch["epoch"] for epoch in read["epochs"]] == [1, 2]
    assert list(read["scores"]) == ["0-0", "1-1", "updated on the test set, pass 1", "updated on the test set, pass 2"]
    assert read["scores"]["1-1"]["all"]["mixtures"] == 4 * 2 * 2
    assert read["scores"]["1-1"]["without"]["mixtures"] == 4 * 2
    assert read["weight_bits"] == 2 * (3 * 8 * (132 + 8) + 8 * 99)


INTEGERS = ("kind=gru", "qad_code=level", "qad_bits=8", "gain_bits=8", "mask_bits=1", "format=int4")


def test_a_row_of_integers_starts_from_a_real_valued_run(data: Path, tmp_path: Path) -> None:
    real = Experiment("real", "formats", "real-valued", (Phase(REAL, 1, 1e-2, 1e-2),))
    four = Experiment("four", "formats", "int4", (Phase(BINARY, 1, 1e-2, 1e-2),), start="real")
    made = {}
    for row, stages in ((four, ""), (real, "1:0:0:0.01:0.01"), (four, "1:1:1:0.01:0.01")):
        if not stages:
            with pytest.raises(BadInput, match=r"row four: expected the run of real, whose network it starts"):
                run.train_and_score(row, config.with_settings("small", SMALLEST), data, tmp_path / row.name, Team())
            continue
        settings = config.with_settings("small", (*SMALLEST, *INTEGERS, f"stages={stages}"))
        made[row.name] = run.train_and_score(row, settings, data, tmp_path / row.name, Team(), run.QUICK)
    assert list(made["four"]["scores"]) == ["1-1", run.UNTRAINED]
    assert made["four"]["weight_bits"] == 4 * (3 * 8 * (33 + 8) + 8 * 33)
    trained, rounded = (scores["all"]["mean"]["sdr"] for scores in made["four"]["scores"].values())
    assert trained != rounded
    rows = [replace(row, settings=("hidden=8",)) for row in (real, four)]
    lines = tables.format_table(made, rows, {"four": {"RAM bits": 5}})
    assert lines[2].startswith("| real-valued | 8 |  | ")
    assert lines[3].startswith("| int4 | 8 | 5 | ")
    assert f"| {trained:.2f} " in lines[3]
    assert f"| {rounded:.2f} " in lines[3]


def test_a_bitwise_row_goes_on_from_a_bitwise_run(data: Path, tmp_path: Path) -> None:
    first = Experiment("first", "general", "bits", (Phase(BINARY, 1, 1e-2, 1e-2),))
    more = replace(first, name="more", start="first")
    settings = config.with_settings("small", (*SMALLEST, "stages=1:1:1:0.01:0.01"))
    made = [run.train_and_score(row, settings, data, tmp_path / row.name, Team(), run.QUICK) for row in (first, more)]
    assert [list(result["scores"]) for result in made] == [["1-1"], ["1-1"]]
    assert made[0]["scores"] != made[1]["scores"]


def test_a_mixed_row_has_no_more_bits_than_the_uniform_one(data: Path, tmp_path: Path) -> None:
    real = Experiment("real", "formats", "real-valued", (Phase(REAL, 1, 1e-2, 1e-2),))
    mixed = Experiment("mixed", "formats", "mixed", (Phase(BINARY, 1, 1e-2, 1e-2),), start="real", fit="divergence")
    made = {}
    for row, stages in ((real, "1:0:0:0.01:0.01"), (mixed, "1:1:1:0.01:0.01")):
        settings = config.with_settings("small", (*SMALLEST, *INTEGERS, f"stages={stages}"))
        made[row.name] = run.train_and_score(row, settings, data, tmp_path / row.name, Team(), run.QUICK)
    result = made["mixed"]
    assert len(result["settings"]["format"]) == 2
    assert result["weight_bits"] <= 4 * (3 * 8 * (33 + 8) + 8 * 33)
    record = json.loads((tmp_path / "mixed" / "fit.json").read_text())
    assert record["fit"] == "the weight bits of int4, by divergence"
    assert record["assignments"][0]["formats"] == list(result["settings"]["format"])


def test_networks_at_other_pi_differ(result: dict) -> None:
    means = [scores["all"]["mean"]["sdr"] for scores in result["scores"].values()]
    assert len(set(means)) == 4


def test_updates_on_the_test_set_leave_the_trained_network_alone(data: Path, settings: Config, tmp_path: Path) -> None:
    from model.training import trainer

    trainer.train(protocol.source(data, "disjoint"), settings, tmp_path, Team())
    network, front_end = trainer.load(tmp_path, settings, BINARY)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    system = Masker(network, front_end, BINARY, False)
    trials = protocol.trials(data, "disjoint", 16000, 0.1)
    first, second = test_set_updates.updated(system, trials, settings, 2)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert any(not torch.equal(value, before[name]) for name, value in first.network.state_dict().items())
    assert any(
        not torch.equal(value, first.network.state_dict()[name]) for name, value in second.network.state_dict().items()
    )


def test_the_tables_hold_the_results_figures_next_to_the_papers(result: dict, tmp_path: Path) -> None:
    run.write(result, tmp_path / "bgru.json")
    page = tables.page(results.read(tmp_path))
    (line,) = (line for line in page.splitlines() if "GRU, then BGRU, real" in line)
    mean, interval = (result["scores"]["0-0"]["all"][kind]["sdr"] for kind in ("mean", "interval"))
    assert "| 16.12 / 0.946 | 16 |" in line
    assert f"| {mean:.2f} ±{interval:.2f} |" in line


def test_a_system_with_words_of_its_own_is_called_by_them() -> None:
    assert tables.label(ROW, "0-0") == "GRU, then BGRU, real"
    assert tables.label(ROW, "0.5-0.5") == "GRU, then BGRU, pi = 0.5"
    assert tables.label(ROW, "updated on the test set, pass 1") == "updated on the test set, pass 1"


def test_sdr_by_pi_is_drawn_of_the_rows_that_have_results(result: dict, tmp_path: Path) -> None:
    pictures.draw_rounds({"bgru": result}, [ROW, Experiment("never run", "causes", "", ())], tmp_path / "pi.png")
    assert (tmp_path / "pi.png").stat().st_size > 10_000


def test_what_was_tried_is_a_table_of_both_weights(tmp_path: Path) -> None:
    run = {"change": "louder", "loss": [0.5, 0.25], "last": {"sdr": 9, "si_sdr": 8, "stoi": 0.8}}
    lines = tables.tried_table({"runs": {"a": run | {"averaged": {"sdr": 9.5, "si_sdr": 8.5, "stoi": 0.85}}}})
    assert lines[2] == "| louder | 0.250 | 9.00 | 8.00 | 0.800 | 9.50 | 8.50 | 0.850 |"


def test_the_table_of_changes_gives_differences_to_the_first(result: dict) -> None:
    def scored(sdr: float) -> dict:
        figures = {"mixtures": 4, "mean": {"sdr": sdr, "stoi": 0.8}, "interval": {"sdr": 0.5, "stoi": None}}
        return {"weight_bits": 1000, "scores": {"1-1": {"all": figures}}}

    rows = [Experiment(name, "ablations", name, ()) for name in ("base", "never run", "other")]
    lines = tables.ablation_table({"base": scored(9.0), "other": scored(8.5)}, rows)
    assert [line.split("|")[-2].strip() for line in lines[2:]] == ["", "-0.50"]
    assert "8.50 ±0.50" in lines[3]
    assert "0.800 |" in lines[3]
