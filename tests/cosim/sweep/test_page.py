"""The page of a sweep: what is Pareto-optimal, and what the estimates are off by."""

import pytest

from cosim.sweep.page import errors, optimal, write_page


def design(board, latency, lut4, ram, plan=100, found=100, toggles=True):
    return {
        "board": board,
        "fold": "mask=1x1",
        "refusal": "",
        "latency_ms": latency,
        "interval": 1000,
        "clock_mhz": 24.0,
        "mhz": {"1": 25.0, "2": 26.0},
        "median_mhz": 25.5,
        "best_seed": 2,
        "meets_clock": True,
        "toggles": {"frame": 90 * lut4, "outputs": lut4, "share": 0.09} if toggles else None,
        "placed": {"lut4": lut4, "block_ram": ram},
        "estimate": {"lut4": plan, "block_ram": ram},
        "synthesised": {"lut4": found, "block_ram": ram},
    }


PLACED = [design("a", 1, 500, 4), design("a", 2, 400, 4), design("a", 3, 450, 4), design("b", 9, 900, 9, toggles=False)]


def test_a_design_is_optimal_among_those_of_its_board():
    assert optimal(PLACED) == {0, 1, 3}
    assert optimal([*PLACED, design("a", 3, 450, 3)]) == {0, 1, 3, 4}


def test_errors_are_relative_to_what_was_measured():
    found = errors([design("a", 1, 500, 4, plan=110), design("a", 1, 500, 4, plan=100, found=125)])
    assert found["lut4"] == pytest.approx([0.1, -0.2])
    assert (found["mean"], found["largest"], found["exact"]) == (pytest.approx(0.15), pytest.approx(0.2), 2)


@pytest.mark.parametrize("designs", [PLACED, []], ids=["placed", "none"])
def test_the_page_is_one_file_with_its_picture(designs, tmp_path):
    facts = {"bundle": "net", "seeds": 2, "clock": "auto", "versions": {"tool": "1"}, "refused": {"c": "too small <b>"}}
    write_page(tmp_path, {**facts, "designs": [*designs, {"board": "a", "fold": "x=1x1", "refusal": "no room"}]})
    text = (tmp_path / "index.html").read_text()
    assert "data:image/svg+xml" in text and "no room" in text and "too small &lt;b&gt;" in text
    assert text.count("<tr>") == 1 + len(designs)
    assert text.count("<td>9.0 %</td>") == sum(bool(one["toggles"]) for one in designs)
    first = (tmp_path / "pareto.svg").read_bytes()
    write_page(tmp_path, {**facts, "designs": designs})
    assert (tmp_path / "pareto.svg").read_bytes() == first
