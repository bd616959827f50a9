"""Every setting of training, its default, and the presets."""

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scipy.signal import get_window

from model.bundle.formats import MOST_BITS, WEIGHT_FORMATS
from model.bundle.front_end import CODES, LEVEL_BITS
from model.errors import BadInput

POSITIVE = (
    *("sample_rate", "fft_size", "hop", "rms", "gain_frames", "qad_bits", "qad_power", "mask_bits", "slope"),
    *("sequences", "frames", "truncation", "batches", "validation_mixtures", "test_mixtures", "clip"),
)


class Stage(NamedTuple):
    """Some epochs at one pi (of weights, of activations), the learning rate falling along a half cosine."""

    epochs: int
    weights: float
    activations: float
    first_rate: float
    last_rate: float

    @classmethod
    def parse(cls, text: str) -> "Stage":
        """From `epochs:weights:activations:first_rate:last_rate`."""
        epochs, *numbers = text.split(":")
        return cls(int(epochs), *(_finite(number) for number in numbers))

    def __str__(self) -> str:
        return ":".join(repr(value).removesuffix(".0") for value in self)

    def rates(self) -> list[float]:
        """The learning rate of each epoch."""
        half = (self.first_rate - self.last_rate) / 2
        return [self.last_rate + half * (1 + math.cos(math.pi * epoch / self.epochs)) for epoch in range(self.epochs)]


BITWISE = ("bitwise",)
"""The format of the paper's layers."""


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _setting(default: Any, what: str) -> Any:
    return field(default=default, metadata={"help": what})


@dataclass(frozen=True)
class Config:
    """The settings, with the paper's value where it differs. `--set name=value` changes one (see `with_settings`)."""

    # Front end
    sample_rate: int = _setting(16000, "samples per second; recordings of other rates are resampled")
    fft_size: int = _setting(512, "STFT window, samples (paper: 1024)")
    hop: int = _setting(128, "STFT hop, samples (paper: 256)")
    window: str = _setting("hann", "STFT window's name in SciPy")
    rms: float = _setting(0.1, "RMS that the slow gain brings a recording to")
    gain_frames: int = _setting(64, "frames that the slow gain averages over")
    qad_bits: int = _setting(4, "bits per bin of the quantised magnitude")
    qad_code: str = _setting(
        "thermometer", "their code: thermometer, a bit per threshold; level, one integer per bin (paper: binary)"
    )
    qad_power: float = _setting(0.3, "Lloyd-Max is fitted to |X|**power (paper: 1)")
    qad_per_bin: bool = _setting(True, "a codebook per bin (paper: one for all bins)")

    input: str = _setting("bits", "input of the network: the front end's bits, or magnitudes (never bitwise)")

    mask_bits: int = _setting(1, "bits of the mask per bin; their share of ones is the bin's gain (paper: 1)")

    # Network
    kind: str = _setting("bgru", "hidden layers: bgru, gru (of integers), or dense (the paper's BNN)")
    hidden: tuple[int, ...] = _setting((256,), "units of each hidden layer (paper: 1024)")
    rho: float = _setting(0.4, "fraction of the weights that stay non-zero (paper: 0.8)")
    slope: float = _setting(8.0, "pre-activations are scaled by slope / sqrt(columns) (paper: unscaled)")
    per_row: bool = _setting(False, "rho holds for every row (paper: for every gate)")
    format: tuple[str, ...] = _setting(
        BITWISE,
        f"numbers of the layers: bitwise, or integers with weights of {', '.join(WEIGHT_FORMATS)}; one for all layers, "
        "or one for each",
    )
    state_bits: int = _setting(8, "bits of gates, states and hidden outputs of integer layers")
    gain_bits: int = _setting(1, "bits of the gain of each mask unit in an integer network")
    zeros_learn: bool = _setting(True, "at pi = 1, weights that are 0 have a gradient too (paper: only the others)")

    # Mixtures
    sequences: int = _setting(64, "mixtures per batch (paper: 10)")
    frames: int = _setting(400, "frames per mixture")
    truncation: int = _setting(50, "frames of backpropagation through time; one optimiser step each")
    batches: int = _setting(10, "batches per epoch")
    snr_low: float = _setting(-5.0, "lowest signal-to-noise ratio in training, dB (paper: 0)")
    snr_high: float = _setting(20.0, "highest signal-to-noise ratio in training, dB (paper: 0)")
    snr_test: tuple[float, ...] = _setting(
        (0.0, 5.0, 10.0), "signal-to-noise ratios of the test, dB; validation has any between them (paper: 0)"
    )
    level_db: float = _setting(15.0, "largest random change of a mixture's level, up or down, dB (paper: 0)")
    speech_speeds: tuple[float, ...] = _setting((1.0,), "speeds a training utterance is played at, pitch included")
    noise_speeds: tuple[float, ...] = _setting(
        (0.8, 0.9, 1.0, 1.1, 1.25), "speeds a training noise is played at (paper: 1)"
    )
    equaliser_db: float = _setting(3.0, "spread of random frequency responses on speech and noise, dB (paper: 0)")
    reverberant: float = _setting(0.3, "share of mixtures whose speech is in a room (paper: 0)")
    simulated_rooms: int = _setting(60, "simulated impulse responses, in addition to those of --rooms (paper: 0)")
    synthetic: float = _setting(0.3, "share of noises that are synthetic (paper: 0)")
    synthetic_clips: int = _setting(360, "synthetic noises of 8 s, made at the start (paper: 0)")
    second_noise: float = _setting(0.3, "share of mixtures of two noises (paper: 0)")
    clean: float = _setting(0.05, "share of mixtures of clean speech alone (paper: 0)")
    pure_noise: float = _setting(0.05, "share of mixtures of noise alone (paper: 0)")
    clipped: float = _setting(0.05, "share of clipped mixtures (paper: 0)")
    validation_mixtures: int = _setting(80, "mixtures scored after each epoch")
    test_mixtures: int = _setting(200, "mixtures of known kinds of noise in the final scores, and of held-out ones")
    speaker_fraction: float = _setting(0.1, "share of the speakers for test, and for validation, if none are named")

    # Optimisation
    loss_power: float = _setting(1.25, "a wrong bit costs ||S|^2 - |N|^2|**(power / 2) (paper: 0, every bit alike)")
    envelope_weight: float = _setting(1.0, "weight in the loss of 1 - the correlation of STOI's envelopes (paper: 0)")
    loss: str = _setting("mask", "mask, wrong bits or gains by their cost; or si_sdr, that of every stretch (FQSS's)")
    distillation: float = _setting(
        0.0, "in quantised stages, share of the loss si_sdr that compares with the real-valued network (FQSS: 0.1)"
    )
    learned_steps: bool = _setting(
        False, "the step of each row of integer weights is learned in quantised stages, instead of following the row"
    )
    dropout_input: float = _setting(0.0, "dropout of the features (paper: 0.05)")
    dropout_hidden: float = _setting(0.0, "dropout of every hidden layer's output (paper: 0.2)")
    beta1: float = _setting(0.4, "Adam's beta 1")
    beta2: float = _setting(0.9, "Adam's beta 2")
    clip: float = _setting(1.0, "largest norm of the gradient of one step")
    seed: int = _setting(0, "seed of every random choice")

    precision: str = _setting("bfloat16", "number format of products in training: bfloat16 or float32")

    # The two rounds
    stages: tuple[Stage, ...] = _setting(
        (Stage(32, 1.0, 1.0, 1e-2, 5e-4),),
        "epochs:pi of weights:pi of activations:first learning rate:last, one after another "
        "(paper: 1000 epochs each at 0, 0.1, ... 1.0)",
    )

    def __post_init__(self) -> None:
        """Refuse what can't be trained, naming the setting."""
        for name in POSITIVE:
            self._expect(name, getattr(self, name) > 0, "more than 0")
        for name in ("dropout_input", "dropout_hidden", "beta1", "beta2"):
            self._expect(name, 0 <= getattr(self, name) < 1, "0 to below 1")
        for name in ("reverberant", "synthetic", "second_noise", "clean", "pure_noise", "clipped"):
            self._expect(name, 0 <= getattr(self, name) <= 1, "0 to 1")
        self._expect("pure_noise", self.clean + self.pure_noise <= 1, f"at most {1 - self.clean:g} (1 - clean)")
        names = ("level_db", "equaliser_db", "loss_power", "envelope_weight", "simulated_rooms", "synthetic_clips")
        for name in names:
            self._expect(name, getattr(self, name) >= 0, "0 or more")
        audible = self.sample_rate >= 300  # STOI's lowest band is at 150 Hz
        self._expect("envelope_weight", audible or not self.envelope_weight, "0 at a sample rate below 300")
        for name in ("speech_speeds", "noise_speeds"):
            self._expect(name, min(getattr(self, name), default=0) > 0, "at least one, all more than 0")
        for stage in self.stages:
            holds = stage.epochs > 0 and min(stage[1:3]) >= 0 and max(stage[1:3]) <= 1 and min(stage[3:]) > 0
            self._expect("stages", holds, "epochs and rates above 0 and pi from 0 to 1")
        self._expect("stages", bool(self.stages), "at least one")
        self._expect("snr_test", bool(self.snr_test), "at least one")
        self._expect("precision", self.precision in ("bfloat16", "float32"), "bfloat16 or float32")
        self._expect("seed", self.seed >= 0, "0 or more")
        self._expect("window", _is_window(self.window), "the name of a window in scipy.signal")
        self._expect("rho", 0 < self.rho <= 1, "more than 0, up to 1")
        self._expect("qad_code", self.qad_code in CODES, f"one of {', '.join(CODES)}")
        self._expect("input", self.input in ("bits", "magnitudes"), "bits or magnitudes")
        self._expect("loss", self.loss in ("mask", "si_sdr"), "mask or si_sdr")
        self._expect("distillation", 0 <= self.distillation < 1, "0 to below 1")
        self._expect("distillation", self.loss == "si_sdr" or not self.distillation, "0 with loss mask")
        self._expect_numbers()
        self._expect("hidden", min(self.hidden, default=1) > 0, "units of each layer, more than 0")
        self._expect("qad_bits", self.qad_bits <= 8, "at most 8")
        self._expect("hop", self.hop <= self.fft_size, f"at most {self.fft_size} (fft_size)")
        self._expect("snr_high", self.snr_high >= self.snr_low, f"at least {self.snr_low} (snr_low)")

    def _expect_numbers(self) -> None:
        """Check the settings that differ between bitwise layers and layers of integers."""
        bitwise, layers = self.format == BITWISE, len(self.hidden) + 1
        formats, shown = (*BITWISE, *WEIGHT_FORMATS), _text(self.format)
        self._expect("format", set(self.format) <= set(formats), f"one of {', '.join(formats)}")
        for_each = len(self.format) in (1, layers) and (bitwise or BITWISE[0] not in self.format)
        self._expect("format", for_each, f"one for all layers, or {layers} formats of integers")
        kinds = ("bgru", "dense") if bitwise else ("gru", "dense")
        self._expect("kind", self.kind in kinds, f"{' or '.join(kinds)} with format {shown}")
        if bitwise:
            self._expect("qad_code", self.qad_code != "level", "binary or thermometer with format bitwise")
            self._expect("gain_bits", self.gain_bits == 1, "1 with format bitwise")
            self._expect("learned_steps", not self.learned_steps, "false with format bitwise")
            return
        for name in ("state_bits", "gain_bits"):
            self._expect(name, 1 <= getattr(self, name) <= MOST_BITS, f"1 to {MOST_BITS}")
        self._expect("qad_bits", self.qad_code != "level" or self.qad_bits in LEVEL_BITS, "4 to 8 of a level")
        self._expect("mask_bits", self.gain_bits == 1 or self.mask_bits == 1, "1 with gains of several bits")
        self._expect("input", self.input == "bits", f"bits with format {shown}")
        whole = all(stage.weights == stage.activations and stage.weights in (0, 1) for stage in self.stages)
        self._expect("stages", whole, f"pi 0:0 or 1:1 with format {shown}")

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise BadInput(f"setting {name}: expected {expected}, got {_text(getattr(self, name))}")

    def plan(self) -> list[tuple[Stage, float]]:
        """The training as one (stage, learning rate) per epoch."""
        return [(stage, rate) for stage in self.stages for rate in stage.rates()]


def _is_window(name: str) -> bool:
    try:
        get_window(name, 4)
    except ValueError:
        return False
    return True


INT4 = {
    **{"kind": "gru", "format": ("int4",), "qad_code": "level", "qad_bits": 8, "gain_bits": 8, "mask_bits": 1},
    "stages": (Stage(14, 0.0, 0.0, 1e-2, 1e-3), Stage(20, 1.0, 1.0, 3e-3, 1e-4)),
    "envelope_weight": 2.0,
}
"""Weights of 4 bits, levels, states and gains of 8, trained from the real-valued network (docs/formats.md)."""

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"hidden": (96,)},
    "small": {"hidden": (256,), "mask_bits": 3},
    "swift": {"hidden": (256,), "fft_size": 128, "hop": 32, "gain_frames": 256, "frames": 1600, "mask_bits": 3},
    "paper": {"hidden": (1024,), "fft_size": 1024, "hop": 256, "frames": 200, "mask_bits": 3},
    "tiny-int4": {"hidden": (96,), **INT4},
    "tiny-mixed": {**INT4, "hidden": (96,), "format": ("int4", "ternary")},
    "small-int4": {"hidden": (256,), **INT4},
    "swift-int4": {**INT4, "hidden": (256,), "fft_size": 128, "hop": 32, "gain_frames": 256, "frames": 1600},
}
"""What each preset changes in the defaults: the size of the network and of its front end."""


def with_settings(preset: str, settings: Iterable[str]) -> Config:
    """A preset changed by `name=value` settings; lists are written with commas (`hidden=256,256`).

    Raises `BadInput` for an unknown preset or name, a value of another type, or one out of range.
    """
    if preset not in PRESETS:
        raise BadInput(f"preset: expected {', '.join(PRESETS)}, got {preset}")
    known = {entry.name: entry.default for entry in dataclasses.fields(Config)}
    values = dict(PRESETS[preset])
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or name not in known:
            raise BadInput(f"setting {setting}: expected name=value with one of {', '.join(known)}, got another")
        values[name] = _parse(name, text, known[name])
    return Config(**values)


PARSERS: dict[type, Callable[[str], Any]] = {
    **{bool: lambda text: {"true": True, "false": False}[text.lower()], int: int, float: _finite, str: str},
    Stage: Stage.parse,
}
"""How to parse a value of each type."""


def _parse(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, tuple):
            return tuple(PARSERS[type(default[0])](item) for item in text.split(",") if item)
        return PARSERS[type(default)](text)
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"setting {name}: expected a value like {_text(default)}, got {text}") from None


def described() -> str:
    """Every setting, its default and what it is, as Markdown for `--help` and the documentation."""
    return "\n".join(
        f"- `{entry.name}={_text(entry.default)}`: {entry.metadata['help']}" for entry in dataclasses.fields(Config)
    )


def _text(value: Any) -> str:
    return ",".join(str(item) for item in value) if isinstance(value, tuple) and type(value) is tuple else str(value)
