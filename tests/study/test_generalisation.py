"""Scores on held-out kinds of noise."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("pesq")

from study import generalisation, protocol, tables

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
def test_a_result_becomes_tables(tmp_path: Path) -> None:
    generalisation.run(Path(str(DATA)), [Path("bundles/tiny")], [], 10, [5.0], False, "try", tmp_path, 1)
    scores = json.loads((tmp_path / "generalisation-try.json").read_text())["scores"]
    assert set(scores) == {"held out", "known", "clean"}
    lines = tables.general_table(scores["held out"])
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| mixture", "| `tiny`"]
    assert lines[3].endswith("% |")
    by_kind = tables.general_parts(scores["held out"], "kind")
    assert len(by_kind) == 2 + len(protocol.HELD_OUT)
    assert "Noise of kinds that no network here was trained on" in tables.page(tables.read(tmp_path))
