"""Attenuation limits, scored."""

import json
import os
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("pesq")

from study import generalisation, limits, pictures, tables

DATA = os.environ.get("BGRU_DATA")


@pytest.mark.skipif(not DATA, reason="BGRU_DATA, the folder of recordings, is not set")
def test_the_lower_the_limit_the_nearer_the_scores_are_to_the_mixtures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = generalisation.trials
    monkeypatch.setattr(generalisation, "trials", lambda *of: {part: some[:1] for part, some in whole(*of).items()})
    limits.run(Path(str(DATA)), Path("bundles/tiny"), 10, tmp_path / "runs", tmp_path, 1)
    result = json.loads((tmp_path / "limits-tiny.json").read_text())
    clean = [scores["all"]["mean"]["stoi"] for scores in result["scores"]["clean"].values()]
    assert clean[0] == 1.0  # the mixture, which is the clean speech
    assert clean[1:] == sorted(clean[1:])
    lines = tables.limit_table(result)
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| mixture",
        "| none",
        "| 24 dB",
        "| 18 dB",
        "| 12 dB",
        "| 6 dB",
    ]
    pictures.draw_limits(result, tmp_path / "limits-tiny.png")
    assert (tmp_path / "limits-tiny.png").stat().st_size > 1000
