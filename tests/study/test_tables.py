"""The table and the picture of number formats."""

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

from model.bundle.bundle import Bundle
from study import pictures, tables
from study.experiments import FORMAT_UNITS, FORMATS
from study.run import UNTRAINED


def plan(bundle: Bundle) -> dict[str, int]:
    return {"RAM bits": bundle.weight_bits, "layers": len(bundle.layers)}


def scored(sdr: float) -> dict[str, Any]:
    return {"all": {"mixtures": 4, "mean": {"sdr": sdr, "si_sdr": sdr - 1, "stoi": 0.8}, "interval": {}}}


def result_of(name: str, sdr: float, *formats: str) -> dict[str, Any]:
    (row,) = (row for row in FORMATS if row.name == name)
    scores = {"1-1" if row.stages[-1].pi.weights else "0-0": scored(sdr)}
    scores |= {UNTRAINED: scored(sdr - 2)} if row.start else {}
    return {"row": name, "scores": scores, "settings": {"format": list(formats), "hidden": [96]}, "weight_bits": 7}


SMALL = [row for row in FORMATS if row.settings[0] == f"hidden={FORMAT_UNITS[0]}"]


def test_every_format_has_its_cost_at_three_sizes_and_real_ones_have_none() -> None:
    costs = tables.planned({}, FORMATS, plan)
    assert {row.settings[0] for row in FORMATS} == {f"hidden={units}" for units in FORMAT_UNITS}
    without = {row.name for row in FORMATS if row.name not in costs}
    assert without == {row.name for row in FORMATS if row.fit or row.stages[-1].pi.weights == 0}
    weights = {units: 3 * units * (257 + units) + 257 * units for units in FORMAT_UNITS}
    for name, bits in (("int8", 8), ("int3", 3), ("ternary", 2), ("binary", 1), ("seo4", 4)):
        found = [costs[f"format-{name}{'' if units == 96 else f'-{units}'}"]["RAM bits"] for units in FORMAT_UNITS]
        assert found == [bits * weights[units] for units in FORMAT_UNITS]


def test_a_mixed_row_costs_what_its_result_chose() -> None:
    found = {"mixed-int4-curvature-48": result_of("mixed-int4-curvature-48", 8.0, "int3", "int7")}
    costs = tables.planned(found, SMALL, plan)
    assert costs["mixed-int4-curvature-48"]["RAM bits"] == 3 * 3 * 48 * (257 + 48) + 7 * 257 * 48
    (line,) = (line for line in tables.format_table(found, SMALL, costs) if "int3, int7" in line)
    assert line.startswith(
        "| mixed by curvature, bits of int4: int3, int7 | 48 | 218,112 | 2 | 8.00 | 7.00 | 0.800 | 6.00 |"
    )


def test_a_row_without_a_result_has_its_cost_alone() -> None:
    costs = tables.planned({}, SMALL[3:4], plan)
    assert tables.format_table({}, SMALL, costs)[2:] == [
        "| int8 weights, 8-bit states | 48 | 450,048 | 2 |  |  |  |  |  |  |"
    ]


def test_the_page_has_the_table_and_the_picture_where_there_is_a_result(tmp_path: Path) -> None:
    results = {
        name: result_of(name, sdr, "int8")
        for name, sdr in (("format-real-48", 9.0), ("format-int8-48", 8.5), ("format-int4-48", 8.0))
    }
    costs = tables.planned(results, SMALL, plan)
    page = tables.page(results, costs)
    assert "## Number formats, noise of held-out kinds" in page
    assert "![SI-SDR and STOI by RAM bits](formats.png)" in page
    assert "formats.png" not in tables.page({}, costs)
    others = {"scores": {"held out": {"mixture": scored(5.0), "RNNoise": scored(9.5)}}}
    pictures.draw_formats({**results, "generalisation-presets": others}, SMALL, costs, tmp_path / "formats.png")
    assert (tmp_path / "formats.png").stat().st_size > 10_000


def test_the_command_writes_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FORMATS", SMALL[:5])
    (tmp_path / "format-int8-48.json").write_text(json.dumps(result_of("format-int8-48", 8.5, "int8")))
    tables.run(tmp_path, tmp_path / "no bundles", plan)
    page = (tmp_path / "README.md").read_text()
    assert "| int8 weights, 8-bit states | 48 | 450,048 | 2 | 8.50 | 7.50 | 0.800 | 6.50 |" in page
    assert (tmp_path / "formats.png").is_file()
