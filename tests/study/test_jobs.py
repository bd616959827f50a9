"""Rows as jobs: the same result as in this process, on recordings that every worker must have."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from model.errors import BadInput  # noqa: E402 (after importorskip)
from study import jobs, run  # noqa: E402 (after importorskip)
from study.experiments import ROWS  # noqa: E402 (after importorskip)
from study.run import choose, results_name  # noqa: E402 (after importorskip)
from tests.support.dask_workers import scheduler  # noqa: E402 (after importorskip)


@pytest.fixture
def made(monkeypatch):
    """Which rows were trained; the training itself is in test_run.py."""
    found = []

    def train(row, settings, data, folder, team, metrics, every):
        found.append((row.name, settings.seed, folder))
        return {"row": row.name, "seed": settings.seed, "epochs": []}

    monkeypatch.setattr(jobs, "train_and_score", train)
    monkeypatch.setattr(run.training_plot, "draw", lambda epochs, path: Path(path).touch())
    return found


@pytest.fixture
def data(tmp_path, monkeypatch):
    (tmp_path / "data" / "paper").mkdir(parents=True)
    (tmp_path / "data" / "paper" / "a.wav").write_bytes(b"sound")
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(jobs.DATA, "")
    return tmp_path / "data"


def test_rows_and_seeds_are_jobs_with_a_result_each(made, data, tmp_path):
    rows = choose(["ablation-base", "ablation-real"])
    with scheduler(2) as address:
        jobs.run(rows, data, tmp_path / "results", 8, 0.1, True, 4, [0, 7], address, None)
        jobs.run(rows, data, tmp_path / "results", 8, 0.1, True, 4, [0, 7], address, None)
    written = {path.name: json.loads(path.read_text()) for path in (tmp_path / "results").glob("*.json")}
    assert {name: (one["row"], one["seed"]) for name, one in written.items()} == {
        "ablation-base.json": ("ablation-base", 0),
        "ablation-base-seed-7.json": ("ablation-base", 7),
        "ablation-real.json": ("ablation-real", 0),
        "ablation-real-seed-7.json": ("ablation-real", 7),
    }
    assert len(made) == len({folder for _, _, folder in made}) == 4


def test_a_worker_with_other_recordings_fails_its_jobs(data, tmp_path, monkeypatch):
    monkeypatch.setenv(jobs.DATA, str(tmp_path))
    entry = jobs.training(ROWS[0], jobs.data_key(data), 8, 0.1, True, 4, 0)
    with pytest.raises(
        BadInput, match=r"BGRU_DATA: expected the recordings of the client in .*, got other ones or none"
    ):
        entry.made()


def test_a_job_of_another_seed_or_size_is_another_entry(data):
    key, row = jobs.data_key(data), ROWS[0]
    first = jobs.training(row, key, 8, 0.1, True, 4, 0)
    others = [
        jobs.training(row, key, 8, 0.1, True, 4, 1),
        jobs.training(row, key, 9, 0.1, True, 4, 0),
        jobs.training(ROWS[1], key, 8, 0.1, True, 4, 0),
        jobs.training(row, "other", 8, 0.1, True, 4, 0),
    ]
    assert len({one.key for one in [first, *others]}) == 5
    assert jobs.training(row, key, 8, 0.1, True, 4, 0).key == first.key


def test_the_first_seed_has_the_rows_own_name():
    row = replace(ROWS[0], name="bgru")
    assert [results_name(row, seed, [3, 0]) for seed in (3, 0)] == ["bgru.json", "bgru-seed-0.json"]


def test_an_unknown_row_is_a_sentence():
    with pytest.raises(BadInput, match=r"row ablation-bas: expected a row or a group, such as ablation-base"):
        choose(["ablation-bas"])


def test_a_row_that_starts_from_another_is_no_job(data, tmp_path):
    with pytest.raises(
        BadInput, match=r"row format-int4: expected a row that starts from nothing, .* from format-real's"
    ):
        jobs.run(choose(["format-int4"]), data, tmp_path / "results", 8, 0.1, True, 4, [0], None, 1)
