"""Settings of training: what is accepted, what is refused."""

import dataclasses

import pytest

from model import config
from model.config import Config
from model.errors import BadInput


@pytest.mark.parametrize("preset", config.PRESETS)
def test_presets_change_the_size_only(preset: str) -> None:
    made, default = dataclasses.asdict(config.with_settings(preset, [])), dataclasses.asdict(Config())
    assert {name for name in made if made[name] != default[name]} <= {"hidden", "fft_size"}


def test_settings_are_read_as_their_default_is_written() -> None:
    made = config.with_settings(
        "tiny", ["hidden=32,16", "qad_per_bin=false", "rho=0.5", "seed=7", "kind=dense", "pis="]
    )
    assert (made.hidden, made.qad_per_bin, made.rho, made.seed, made.kind, made.pis) == (
        (32, 16),
        False,
        0.5,
        7,
        "dense",
        (),
    )


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rate=1", "setting rate=1: expected name=value with one of sample_rate"),
        ("rho", "setting rho: expected name=value"),
        ("rho=much", "setting rho: expected a value like 0.4, got much"),
        ("rho=nan", "setting rho: expected a finite value, got nan"),
        ("hidden=a", "setting hidden: expected a value like"),
        ("qad_per_bin=perhaps", "setting qad_per_bin: expected a value like True, got perhaps"),
        ("rho=0", "setting rho: expected more than 0, up to 1, got 0.0"),
        ("rho=1.5", "setting rho: expected more than 0, up to 1"),
        ("kind=lstm", "setting kind: expected bgru or dense, got lstm"),
        ("hidden=0", "setting hidden: expected units of each layer, more than 0"),
        ("window=door", "setting window: expected the name of a window in scipy.signal, got door"),
        ("seed=-1", "setting seed: expected 0 or more, got -1"),
        ("frames=0", "setting frames: expected more than 0"),
        ("hop=513", "setting hop: expected at most 512"),
        ("snr_high=-6", "setting snr_high: expected at least -5.0"),
        ("dropout_input=1", "setting dropout_input: expected 0 to below 1"),
        ("final_epochs=0", "setting final_epochs: expected more than 0"),
        ("pis=0.5,1", "setting pis: expected values between 0 and 1"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        config.with_settings("small", [setting])


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(BadInput, match="preset: expected tiny, small, paper, got huge"):
        config.with_settings("huge", [])


def test_the_plan_is_round_1_then_pi_rising_to_1_with_falling_rates() -> None:
    settings = Config(round1_epochs=3, pis=(0.5,), pi_epochs=2, final_epochs=4)
    plan = settings.plan()
    assert [pi for pi, _ in plan] == [0.0] * 3 + [0.5] * 2 + [1.0] * 4
    first, last = [rate for _, rate in plan[:3]], [rate for _, rate in plan[5:]]
    assert first[0] == settings.round1_rate
    assert last[0] == settings.final_rate
    assert first == sorted(first, reverse=True)
    assert last == sorted(last, reverse=True)


def test_every_setting_is_described() -> None:
    text = config.described()
    assert all(f"`{entry.name}=" in text for entry in dataclasses.fields(Config))
