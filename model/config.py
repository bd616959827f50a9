"""Every setting of training, its default, and the presets."""

import dataclasses
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from scipy.signal import get_window

from model.errors import BadInput

POSITIVE = (
    *("sample_rate", "fft_size", "hop", "rms", "qad_bits", "qad_power", "slope", "sequences", "frames"),
    *("truncation", "batches", "validation_mixtures", "clip", "final_epochs"),
)


def _setting(default: Any, what: str) -> Any:
    return field(default=default, metadata={"help": what})


@dataclass(frozen=True)
class Config:
    """The settings, with the paper's value where it differs. `--set name=value` changes one (see `with_settings`)."""

    # Front end
    sample_rate: int = _setting(16000, "samples per second; recordings of other rates are resampled")
    fft_size: int = _setting(512, "STFT window, samples (paper: 1024)")
    hop: int = _setting(256, "STFT hop, samples")
    window: str = _setting("hann", "STFT window's name in SciPy")
    rms: float = _setting(0.1, "level that a whole recording is scaled to")
    qad_bits: int = _setting(4, "bits per bin of the quantised magnitude")
    qad_power: float = _setting(0.3, "Lloyd-Max is fitted to |X|**power (paper: 1)")
    qad_per_bin: bool = _setting(True, "a codebook per bin (paper: one for all bins)")

    # Network
    kind: str = _setting("bgru", "hidden layers: bgru, or dense (the paper's BNN)")
    hidden: tuple[int, ...] = _setting((256,), "units of each hidden layer (paper: 1024)")
    rho: float = _setting(0.4, "fraction of the weights that stay non-zero (paper: 0.8)")
    slope: float = _setting(4.0, "pre-activations are scaled by slope / sqrt(columns) (paper: unscaled)")
    zeros_learn: bool = _setting(True, "at pi = 1, weights that are 0 have a gradient too (paper: only the others)")

    # Mixtures
    sequences: int = _setting(64, "mixtures per batch (paper: 10)")
    frames: int = _setting(250, "frames per mixture")
    truncation: int = _setting(50, "frames of backpropagation through time; one optimiser step each")
    batches: int = _setting(10, "batches per epoch")
    snr_low: float = _setting(-5.0, "lowest signal-to-noise ratio in training, dB (paper: 0)")
    snr_high: float = _setting(5.0, "highest signal-to-noise ratio in training, dB (paper: 0)")
    snr_test: float = _setting(0.0, "signal-to-noise ratio of validation and test, dB")
    noise_speeds: tuple[float, ...] = _setting(
        (0.8, 0.9, 1.0, 1.1, 1.25), "speeds a training noise is played at (paper: 1)"
    )
    equaliser_db: float = _setting(3.0, "spread of random frequency responses on speech and noise, dB (paper: 0)")
    validation_mixtures: int = _setting(40, "mixtures scored after each epoch")
    speaker_fraction: float = _setting(0.1, "of the speakers for test, and for validation, where none are named")

    # Optimisation
    loss_power: float = _setting(1.25, "a wrong bit costs ||S|^2 - |N|^2|**(power / 2) (paper: 0, every bit alike)")
    dropout_input: float = _setting(0.05, "dropout of the features")
    dropout_hidden: float = _setting(0.2, "dropout of every hidden layer's output")
    beta1: float = _setting(0.4, "Adam's beta 1")
    beta2: float = _setting(0.9, "Adam's beta 2")
    clip: float = _setting(1.0, "largest norm of the gradient of one step")
    seed: int = _setting(0, "of everything that is drawn")

    # The two rounds
    round1_epochs: int = _setting(20, "epochs of round 1, pi = 0, the learning rate falling along a half cosine")
    round1_rate: float = _setting(1e-2, "learning rate at the start of round 1")
    pis: tuple[float, ...] = _setting((0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "pi on the way of round 2")
    pi_epochs: int = _setting(1, "epochs at each of them (paper: 1000)")
    pi_rate: float = _setting(1e-2, "learning rate on the way, divided by 1 + pi")
    final_epochs: int = _setting(46, "epochs at pi = 1, the learning rate falling along a half cosine (paper: 100)")
    final_rate: float = _setting(5e-3, "learning rate at the start of pi = 1")

    def __post_init__(self) -> None:
        """Refuse what can't be trained, naming the setting."""
        for name in POSITIVE:
            self._expect(name, getattr(self, name) > 0, "more than 0")
        for name in ("dropout_input", "dropout_hidden"):
            self._expect(name, 0 <= getattr(self, name) < 1, "0 to below 1")
        self._expect("noise_speeds", min(self.noise_speeds, default=0) > 0, "at least one, all more than 0")
        self._expect("pis", all(0 < pi < 1 for pi in self.pis), "values between 0 and 1")
        self._expect("seed", self.seed >= 0, "0 or more")
        self._expect("window", _is_window(self.window), "the name of a window in scipy.signal")
        self._expect("rho", 0 < self.rho <= 1, "more than 0, up to 1")
        self._expect("kind", self.kind in ("bgru", "dense"), "bgru or dense")
        self._expect("hidden", min(self.hidden, default=1) > 0, "units of each layer, more than 0")
        self._expect("qad_bits", self.qad_bits <= 8, "at most 8")
        self._expect("hop", self.hop <= self.fft_size, f"at most {self.fft_size} (fft_size)")
        self._expect("snr_high", self.snr_high >= self.snr_low, f"at least {self.snr_low} (snr_low)")

    def _expect(self, name: str, holds: bool, expected: str) -> None:
        if not holds:
            raise BadInput(f"setting {name}: expected {expected}, got {getattr(self, name)}")

    def plan(self) -> list[tuple[float, float]]:
        """The training as one (pi, learning rate) per epoch: round 1, then round 2 up to pi = 1."""
        rounds = [(0.0, rate) for rate in _half_cosine(self.round1_rate, self.round1_epochs)]
        rounds += [(pi, self.pi_rate / (1 + pi)) for pi in self.pis for _ in range(self.pi_epochs)]
        return rounds + [(1.0, rate) for rate in _half_cosine(self.final_rate, self.final_epochs)]


def _is_window(name: str) -> bool:
    try:
        get_window(name, 4)
    except ValueError:
        return False
    return True


def _half_cosine(rate: float, epochs: int) -> list[float]:
    return [rate * (0.525 + 0.475 * math.cos(math.pi * epoch / epochs)) for epoch in range(epochs)]


PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {"hidden": (96,)},
    "small": {"hidden": (256,)},
    "paper": {"hidden": (1024,), "fft_size": 1024},
}
"""What each preset changes of the defaults: the size of the network and of its front end."""


def with_settings(preset: str, settings: Iterable[str]) -> Config:
    """A preset with `name=value` settings on top; lists are written with commas (`hidden=256,256`).

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


def _parse(name: str, text: str, default: Any) -> Any:
    try:
        if isinstance(default, tuple):
            return tuple(type(default[0])(item) for item in text.split(",") if item)
        if isinstance(default, bool):
            return {"true": True, "false": False}[text.lower()]
        value = type(default)(text)
    except (ValueError, KeyError):
        raise BadInput(f"setting {name}: expected a value like {default}, got {text}") from None
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"setting {name}: expected a finite value, got {text}")
    return value


def described() -> str:
    """Every setting, its default and what it is, as Markdown for `--help` and the documentation."""
    return "\n".join(
        f"- `{entry.name}={_text(entry.default)}`: {entry.metadata['help']}" for entry in dataclasses.fields(Config)
    )


def _text(value: Any) -> str:
    return ",".join(str(item) for item in value) if isinstance(value, tuple) else str(value)
