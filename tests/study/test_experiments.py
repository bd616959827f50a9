"""The rows of the study: every one can be configured, and the paper's figures are where they belong."""

import pytest

pytest.importorskip("torch")

from model.training import config
from model.training.network import BINARY, REAL
from study.experiments import ABLATIONS, OURS, PAPER_ROWS, ROWS, Experiment


def settings(row: Experiment, units: int = 64, length: float = 1.0) -> config.Config:
    return config.with_settings("small", row.with_sizes(units, length))


def named(name: str) -> Experiment:
    (found,) = (row for row in ROWS if row.name == name)
    return found


def test_names_are_distinct() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_has_settings_that_hold_and_scores_something(row: Experiment) -> None:
    chosen = settings(row)
    assert [stage.weights for stage in chosen.stages] == [stage.pi.weights for stage in row.stages]
    assert any(stage.scored for stage in row.stages)
    assert row.run_of == "" or settings(named(row.run_of)) == chosen


def test_units_and_length_scale_the_papers_rows_and_not_ours() -> None:
    assert settings(named("fcn-bits-2"), 256).hidden == (512, 512)
    assert settings(named("bgru"), 100, 0.5).hidden == (100,)
    assert [stage.epochs for stage in settings(named("bgru"), 100, 0.5).stages] == [15, *[2] * 10]
    assert all(stage.epochs == 1 for stage in settings(named("bgru"), 100, 0.001).stages)
    assert settings(named("ours-256"), 100).hidden == (256,)


def test_an_ablation_is_one_change_of_the_first_of_them() -> None:
    base = settings(ABLATIONS[0])
    fields = vars(base)
    for row in ABLATIONS[1:]:
        other = vars(settings(row))
        changed = {name for name in fields if fields[name] != other[name]} or {"speech"}
        changed -= {"stages"} if row.name == "ablation-real-binary-code" else set()
        one = (
            *({"hop", "frames"}, {"fft_size", "hop", "frames"}, {"dropout_input", "dropout_hidden"}),
            *(
                {"beta1", "beta2"},
                {"snr_low", "snr_high"},
                {"noise_speeds", "equaliser_db"},
                {"qad_power", "qad_per_bin"},
            ),
        )
        assert len(changed) == 1 or changed in one, row.name
        assert row.open_speech or row.name == "ablation-paper-speech"


def test_the_papers_table_is_that_of_the_paper() -> None:
    """Kim, Maity and Kim (2019), Table 1: what all their rows begin and end with."""
    figures = {row.name: [stage.paper for stage in row.stages if stage.paper] for row in PAPER_ROWS}
    assert figures["fcn-magnitudes-1"] == [(10.17, 0.788)]
    assert figures["bnn-2"] == [(9.82, 0.7861)]
    assert (figures["bgru"][0], figures["bgru"][1], figures["bgru"][-1]) == (
        (16.12, 0.9459),
        (15.50, 0.9393),
        (11.76, 0.874),
    )
    assert len(figures["bgru"]) == 11


def test_ours_are_one_topology_real_and_bitwise() -> None:
    bitwise, real = settings(OURS[0]), settings(OURS[1])
    assert (OURS[0].stages[0].pi, OURS[1].stages[0].pi) == (BINARY, REAL)
    assert {name for name, value in vars(bitwise).items() if value != vars(real)[name]} == {"stages"}
