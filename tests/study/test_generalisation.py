"""Scores on held-out kinds of noise."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("pesq")

from model.errors import BadInput
from model.evaluation.scoring import System, unprocessed
from study import generalisation, pictures, protocol, results, tables

DATA = os.environ.get("BGRU_DATA")


@pytest.mark.skipif(not DATA, reason="BGRU_DATA, the folder of recordings, is not set")
def test_held_out_kinds_known_kinds_and_clean_speech_are_of_test_speakers() -> None:
    found = generalisation.trials(Path(str(DATA)), 30, (0.0, 5.0, 10.0))
    assert {trial.speaker for part in found.values() for trial in part} <= set(protocol.OPEN_TEST)
    kinds = {name: {trial.noise.partition("__")[0] for trial in part} for name, part in found.items()}
    assert kinds["held out"] == set(protocol.HELD_OUT)
    assert not kinds["known"] & set(protocol.HELD_OUT)
    assert {trial.snr_db for trial in found["known"]} == {0.0, 5.0, 10.0}
    assert len(found["clean"]) == len({(trial.speaker, trial.utterance) for trial in found["clean"]}) == 40


@pytest.mark.skipif(not DATA, reason="BGRU_DATA, the folder of recordings, is not set")
def test_the_same_mixtures_are_heard_at_every_snr_and_each_reverberant_one_in_a_room_of_its_own() -> None:
    found = generalisation.trials(Path(str(DATA)), 40, (0.0, 5.0, 10.0))
    at = {snr: {trial.key[:3] for trial in found["snr"] if trial.snr_db == snr} for snr in generalisation.SNRS_DB}
    assert len(found["snr"]) == 10 * len(generalisation.SNRS_DB)
    assert all(mixtures == at[0.0] for mixtures in at.values())
    rooms = {trial.key: trial.room for trial in found["reverberant"]}
    assert len(set(rooms.values())) == 20
    more = generalisation.trials(Path(str(DATA)), 60, (0.0, 5.0, 10.0))["reverberant"]
    assert all(rooms.get(trial.key, trial.room) == trial.room for trial in more)
    assert all(trial.room is None for part in ("held out", "known", "clean", "snr") for trial in found[part])


@pytest.mark.skipif(not DATA, reason="BGRU_DATA, the folder of recordings, is not set")
@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path, cut: int) -> None:
    chosen = generalisation.trials(Path(str(DATA)), 10, (5.0,))["held out"][:3]
    systems: dict[str, System] = {"mixture": unprocessed}
    whole = generalisation.Journal(tmp_path / "whole.jsonl", {"x": "1"})
    whole.score(systems, chosen, ("si_sdr",), 1)
    stopped = tmp_path / "stopped.jsonl"
    generalisation.Journal(stopped, {"x": "1"}).score(systems, chosen[:2], ("si_sdr",), 1)
    stopped.write_text(stopped.read_text()[: -cut or None])
    again = generalisation.Journal(stopped, {"x": "1"})
    assert len(again.rows) == (2 if cut == 0 else 1)
    assert again.score(systems, chosen, ("si_sdr",), 1) == whole.rows
    assert again.score(systems, chosen[1:], ("si_sdr",), 1) == whole.rows[1:]
    assert stopped.read_text() == whole.path.read_text()
    with pytest.raises(BadInput, match="expected scores of the same networks, systems and metrics"):
        generalisation.Journal(stopped, {"x": "2"})
    again.done()
    assert generalisation.Journal(stopped, {"x": "2"}).rows == []


@pytest.mark.parametrize("text", ["", "{", '{"x": '])
def test_a_journal_that_was_stopped_in_its_first_line_begins_again(tmp_path: Path, text: str) -> None:
    (tmp_path / "it.jsonl").write_text(text)
    assert generalisation.Journal(tmp_path / "it.jsonl", {"x": "1"}).rows == []
    assert (tmp_path / "it.jsonl").read_text() == '{"x": "1"}\n'


@pytest.mark.parametrize("line", ["[", "3", "[{}]", "[3]"])
def test_a_damaged_journal_is_refused_in_a_sentence(tmp_path: Path, line: str) -> None:
    (tmp_path / "it.jsonl").write_text(f'{{"x": "1"}}\n{line}\n')
    with pytest.raises(BadInput, match="expected rows of scores, got a damaged line"):
        generalisation.Journal(tmp_path / "it.jsonl", {"x": "1"})


@pytest.mark.skipif(not DATA, reason="BGRU_DATA, the folder of recordings, is not set")
def test_a_result_becomes_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("onnxruntime", "speechmos"):
        pytest.importorskip(package)
    whole = generalisation.trials
    monkeypatch.setattr(generalisation, "trials", lambda *of: {part: some[:1] for part, some in whole(*of).items()})
    generalisation.run(
        Path(str(DATA)), [Path("bundles/tiny")], [], 10, [5.0], [], False, False, "try", tmp_path / "runs", tmp_path, 1
    )
    scores = json.loads((tmp_path / "generalisation-try.json").read_text())["scores"]
    assert set(scores) == {"held out", "known", "clean", "snr", "reverberant"}
    lines = tables.general_table(scores["held out"])
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| mixture", "| `tiny`"]
    assert lines[3].endswith("% |")
    by_kind = tables.general_parts(scores["held out"], "kind")
    assert len(by_kind) == 2 + 1
    assert tables.by_snr_table(scores["snr"], "stoi")[2].startswith("| -5 dB | 0.")
    assert tables.harmed_by_snr_table(scores["snr"])[0] == "| STOI lowered in | `tiny` |"
    page = tables.page(results.read(tmp_path))
    assert all(title in page for title in tables.GENERAL_PARTS.values())
    pictures.draw_kinds(scores["held out"], tmp_path / "kinds.png")
    assert (tmp_path / "kinds.png").stat().st_size > 1000
