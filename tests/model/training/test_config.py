"""Settings of training: what is accepted, what is refused."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import BadInput
from model.training import config
from model.training.config import Config, Stage


@pytest.mark.parametrize("preset", config.PRESETS)
def test_presets_change_the_size_and_the_format_only(preset: str) -> None:
    """Of the network, its front end and its mask; a mixture lasts as long at any hop."""
    made, default = config.with_settings(preset, []), Config()
    fields = dataclasses.fields(Config)
    changed = {entry.name for entry in fields if getattr(made, entry.name) != getattr(default, entry.name)}
    assert changed - set(config.INT4) <= {"hidden", "mask_bits", "fft_size", "hop", "gain_frames", "frames"}
    assert not changed & {"format", "stages"} or preset.endswith(("-int4", "-mixed"))
    assert made.frames * made.hop == default.frames * default.hop


def test_settings_are_read_as_their_default_is_written() -> None:
    chosen = ["hidden=32,16", "qad_per_bin=false", "rho=0.5", "seed=7", "kind=dense", "noise_speeds=1,1.5"]
    made = config.with_settings("tiny", [*chosen, "stages=3:0:0:1e-2:1e-3,4:0.5:1:0.02:0.02"])
    assert (made.hidden, made.qad_per_bin, made.rho, made.seed, made.kind, made.noise_speeds) == (
        (32, 16),
        False,
        0.5,
        7,
        "dense",
        (1.0, 1.5),
    )
    assert made.stages == (Stage(3, 0.0, 0.0, 1e-2, 1e-3), Stage(4, 0.5, 1.0, 0.02, 0.02))


@given(
    st.lists(
        st.builds(
            Stage,
            st.integers(1, 2000),
            *[st.floats(0.0, 1.0)] * 2,
            *[st.floats(0.0, 1.0, exclude_min=True)] * 2,
        ),
        min_size=1,
        max_size=4,
    ).map(tuple)
)
def test_stages_are_read_as_they_are_written(stages: tuple[Stage, ...]) -> None:
    assert config.with_settings("small", ["stages=" + ",".join(map(str, stages))]).stages == stages


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rate=1", "setting rate=1: expected name=value with one of sample_rate"),
        ("rho", "setting rho: expected name=value"),
        ("rho=much", "setting rho: expected a value like 0.4, got much"),
        ("rho=nan", "setting rho: expected a value like 0.4, got nan"),
        ("hidden=a", "setting hidden: expected a value like"),
        ("qad_per_bin=perhaps", "setting qad_per_bin: expected a value like True, got perhaps"),
        ("noise_speeds=1,nan", "setting noise_speeds: expected a value like 0.8,0.9,1.0,1.1,1.25, got 1,nan"),
        ("rho=0", "setting rho: expected more than 0, up to 1, got 0.0"),
        ("rho=1.5", "setting rho: expected more than 0, up to 1"),
        ("kind=lstm", "setting kind: expected bgru or dense with format bitwise, got lstm"),
        ("kind=gru", "setting kind: expected bgru or dense with format bitwise, got gru"),
        ("format=int4", "setting kind: expected gru or dense with format int4, got bgru"),
        (
            "format=int4,int3,int3",
            "setting format: expected one for all layers, or 2 formats of integers, got int4,int3,int3",
        ),
        (
            "format=int4,bitwise",
            "setting format: expected one for all layers, or 2 formats of integers, got int4,bitwise",
        ),
        ("format=fp16", "setting format: expected one of bitwise, binary, ternary, int3, "),
        ("gain_bits=4", "setting gain_bits: expected 1 with format bitwise, got 4"),
        ("qad_code=level", "setting qad_code: expected binary or thermometer with format bitwise, got level"),
        ("input=spectrum", "setting input: expected bits or magnitudes, got spectrum"),
        ("precision=float16", "setting precision: expected bfloat16 or float32, got float16"),
        ("qad_code=gray", "setting qad_code: expected one of binary, thermometer, level, got gray"),
        ("mask_bits=0", "setting mask_bits: expected more than 0, got 0"),
        ("gain_frames=0", "setting gain_frames: expected more than 0, got 0"),
        ("level_db=-1", "setting level_db: expected 0 or more, got -1.0"),
        ("equaliser_db=-1", "setting equaliser_db: expected 0 or more, got -1.0"),
        ("loss_power=-1", "setting loss_power: expected 0 or more, got -1.0"),
        ("envelope_weight=-1", "setting envelope_weight: expected 0 or more, got -1.0"),
        ("sample_rate=299", "setting envelope_weight: expected 0 at a sample rate below 300, got 1.0"),
        ("beta1=1", "setting beta1: expected 0 to below 1, got 1.0"),
        ("hidden=0", "setting hidden: expected units of each layer, more than 0"),
        ("window=door", "setting window: expected the name of a window in scipy.signal, got door"),
        ("seed=-1", "setting seed: expected 0 or more, got -1"),
        ("frames=0", "setting frames: expected more than 0"),
        ("hop=513", "setting hop: expected at most 512"),
        ("snr_high=-6", "setting snr_high: expected at least -5.0"),
        ("dropout_input=1", "setting dropout_input: expected 0 to below 1"),
        ("stages=", "setting stages: expected at least one, got "),
        ("stages=3", "setting stages: expected a value like [0-9.:,]+, got 3"),
        ("stages=3:0:0:1", "setting stages: expected a value like [0-9.:,]+, got 3:0:0:1"),
        ("stages=3:0:0:1:1:1", "setting stages: expected a value like [0-9.:,]+, got 3:0:0:1:1:1"),
        ("stages=1.5:0:0:1:1", "setting stages: expected a value like [0-9.:,]+, got 1.5:0:0:1:1"),
        ("stages=3:0:nan:1:1", "setting stages: expected a value like [0-9.:,]+, got 3:0:nan:1:1"),
        ("stages=3:0:0:1:inf", "setting stages: expected a value like [0-9.:,]+, got 3:0:0:1:inf"),
        ("stages=0:0:0:1:1", "setting stages: expected epochs and rates above 0 and pi from 0 to 1, got 0:0:0:1:1"),
        ("stages=1:0:0:1:1,1:0:1.1:1:1", "setting stages: expected epochs and rates above 0 and pi from 0 to 1"),
        ("stages=1:-0.1:0:1:1", "setting stages: expected epochs and rates above 0 and pi from 0 to 1"),
        ("stages=1:0:0:1:0", "setting stages: expected epochs and rates above 0 and pi from 0 to 1"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(setting: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        config.with_settings("small", [setting])


def test_an_unknown_preset_is_refused() -> None:
    known = "tiny, small, swift, paper, tiny-int4, tiny-mixed, small-int4, swift-int4"
    with pytest.raises(BadInput, match=f"preset: expected {known}, got huge"):
        config.with_settings("huge", [])


def test_the_plan_is_one_stage_after_another_each_with_a_falling_rate() -> None:
    stages = (Stage(3, 0.0, 0.0, 0.04, 0.01), Stage(2, 0.5, 1.0, 0.02, 0.02), Stage(4, 1.0, 1.0, 0.01, 0.001))
    plan = Config(stages=stages).plan()
    assert [stage for stage, _ in plan] == [stages[0]] * 3 + [stages[1]] * 2 + [stages[2]] * 4
    assert [rate for _, rate in plan[:5]] == pytest.approx([0.04, 0.0325, 0.0175, 0.02, 0.02])
    last = [rate for _, rate in plan[5:]]
    assert last[0] == pytest.approx(0.01)
    assert last == sorted(last, reverse=True)
    assert 0.001 < last[-1] < 0.003


def test_every_setting_is_described() -> None:
    text = config.described()
    assert all(f"`{entry.name}=" in text for entry in dataclasses.fields(Config))


INTEGERS = ("format=int4", "kind=gru", "qad_code=level", "qad_bits=8", "gain_bits=8", "mask_bits=1")


def test_a_network_of_integers_has_its_formats_by_name() -> None:
    made = config.with_settings("small", INTEGERS)
    assert (made.format, made.kind, made.state_bits, made.gain_bits) == (("int4",), "gru", 8, 8)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("state_bits=9", "setting state_bits: expected 1 to 8, got 9"),
        ("gain_bits=0", "setting gain_bits: expected 1 to 8, got 0"),
        ("qad_bits=3", "setting qad_bits: expected 4 to 8 of a level, got 3"),
        ("mask_bits=3", "setting mask_bits: expected 1 with gains of several bits, got 3"),
        ("input=magnitudes", "setting input: expected bits with format int4, got magnitudes"),
        ("stages=1:0.5:0.5:1:1", "setting stages: expected pi 0:0 or 1:1 with format int4, got "),
        ("stages=1:1:0:1:1", "setting stages: expected pi 0:0 or 1:1 with format int4, got "),
    ],
)
def test_what_a_network_of_integers_cannot_be(setting: str, message: str) -> None:
    with pytest.raises(BadInput) as caught:
        config.with_settings("small", [*INTEGERS, setting])
    assert str(caught.value).startswith(message)
