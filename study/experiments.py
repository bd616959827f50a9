"""The experiments of the study: settings, and the figures that the paper reports.

Sizes are shares of the paper's 1024 units, so the same experiments also run smaller, on a CPU.
"""

from dataclasses import dataclass, replace
from typing import Any

from model.training.network import BINARY, REAL, Pi
from model.training.sensitivity import METHODS

FIVE_DB = (
    *("snr_low=-5", "snr_high=5", "snr_test=0", "reverberant=0", "simulated_rooms=0", "synthetic=0"),
    *("synthetic_clips=0", "second_noise=0", "clean=0", "pure_noise=0", "clipped=0", "validation_mixtures=40"),
)
"""The mixtures of all experiments on the paper's corpus: one recorded noise each, -5 to 5 dB, no rooms."""

PAPER = (
    *FIVE_DB,
    *("fft_size=1024", "hop=256", "frames=200", "qad_power=1", "qad_per_bin=false", "rho=0.8", "zeros_learn=false"),
    *("snr_low=0", "snr_high=0", "level_db=0", "noise_speeds=1", "equaliser_db=0", "loss_power=0"),
    "envelope_weight=0",
    *("slope=4", "dropout_input=0.05", "dropout_hidden=0.2", "mask_bits=1", "qad_code=binary"),
)
"""The paper's front end, mixtures, loss, dropout and binarisation, as settings of `model.training.config`."""

BASE = (
    *FIVE_DB,
    *("hidden=256", "slope=4", "dropout_input=0.05", "dropout_hidden=0.2", "mask_bits=1", "envelope_weight=0"),
)
"""The starting point of the ablations; the defaults of `model.training.config` are the best settings found."""

Figures = tuple[float, float]
"""SDR in decibels and STOI."""


@dataclass(frozen=True)
class Phase:
    """Epochs of a run at one pi (at the study's `length` of 1), and the paper's figures of the network then."""

    pi: Pi
    epochs: int
    first_rate: float
    last_rate: float
    paper: Figures | None = None
    scored: bool = True


@dataclass(frozen=True)
class Experiment:
    """One training run. `layers` are the sizes of its hidden layers as shares of the study's units, unless set.

    `run_of` names the experiment whose run is scored in another way, `start` the one whose network this one
    starts from. With `fit`, a method of `model.training.sensitivity` chooses the layers' formats, with no more weight
    bits than all layers have in the format of the settings. Without `hold_out`, training also hears the
    validation speakers. The protocol `general` is for networks for any noise, see `protocol.general`.
    """

    name: str
    group: str
    label: str
    stages: tuple[Phase, ...]
    settings: tuple[str, ...] = ()
    layers: tuple[float, ...] = (1.0,)
    protocol: str = "disjoint"
    open_speech: bool = False
    hold_out: bool = True
    test_time_passes: int = 0
    run_of: str = ""
    start: str = ""
    fit: str = ""

    def with_sizes(self, units: int, length: float) -> list[str]:
        """Settings for `model.training.config.with_settings`, for a size and a share of the epochs."""
        hidden = ",".join(str(round(layer * units)) for layer in self.layers)
        stages = ",".join(
            f"{max(1, round(length * stage.epochs))}:{stage.pi.weights:g}:{stage.pi.activations:g}"
            f":{stage.first_rate:g}:{stage.last_rate:g}"
            for stage in self.stages
        )
        return [f"hidden={hidden}", f"stages={stages}", *self.settings]


def _real(epochs: int, paper: Figures | None = None, scored: bool = True) -> Phase:
    return Phase(REAL, epochs, 1e-2, 1e-3, paper, scored)


def _fcn(given: str, layer: float, paper: Figures) -> Experiment:
    label = f"FCN, {'original' if given == 'magnitudes' else 'binary'} input"
    settings = (*PAPER, "kind=dense", f"input={given}")
    return Experiment(f"fcn-{given}-{layer:g}", "paper", label, (_real(30, paper),), settings, (layer, layer))


def _bnn(layer: float, paper: Figures) -> Experiment:
    stages = (_real(20, scored=False), Phase(BINARY, 20, 5e-3, 5e-4, paper))
    return Experiment(f"bnn-{layer:g}", "paper", "BNN", stages, (*PAPER, "kind=dense"), (layer, layer))


ROUND_2: dict[float, Figures] = {
    **{0.1: (15.50, 0.9393), 0.2: (15.17, 0.9361), 0.3: (14.90, 0.9324), 0.4: (14.58, 0.9292), 0.5: (14.32, 0.9252)},
    **{0.6: (14.02, 0.9217), 0.7: (13.66, 0.9174), 0.8: (13.30, 0.9104), 0.9: (12.70, 0.9019), 1.0: (11.76, 0.8740)},
}
"""The paper's Table 1 for the BGRU, by pi."""

PAPER_BGRU = Experiment(
    "bgru",
    "paper",
    "GRU, then BGRU",
    (
        _real(30, (16.12, 0.9459)),
        *(Phase(Pi(pi, pi), 4, 5e-3 / (1 + pi), 2e-3 / (1 + pi), figures) for pi, figures in ROUND_2.items()),
    ),
    PAPER,
)

PAPER_ROWS = (
    _fcn("magnitudes", 1.0, (10.17, 0.7880)),
    _fcn("magnitudes", 2.0, (10.57, 0.8060)),
    _fcn("bits", 1.0, (9.80, 0.7790)),
    _fcn("bits", 2.0, (10.11, 0.7946)),
    _bnn(1.0, (9.35, 0.7819)),
    _bnn(2.0, (9.82, 0.7861)),
    PAPER_BGRU,
)

CAUSES = tuple(
    replace(PAPER_BGRU, group="causes", **changes)
    for changes in (
        {"name": "bgru-paper-noise", "label": "the whole of each noise in training and test", "protocol": "paper"},
        {
            "name": "bgru-rho-0.2",
            "label": "20 % of the weights kept, as the released code has it",
            "settings": (*PAPER, "rho=0.2"),
        },
        {
            "name": "bgru-test-time",
            "label": "weights updated on the test set",
            "test_time_passes": 5,
            "run_of": "bgru",
            "stages": tuple(replace(stage, scored=stage.pi == BINARY) for stage in PAPER_BGRU.stages),
        },
        {
            "name": "bgru-longer",
            "label": "three times the epochs",
            "stages": tuple(replace(s, epochs=3 * s.epochs) for s in PAPER_BGRU.stages),
        },
    )
)

RECIPE = (Phase(BINARY, 8, 1e-2, 1e-3),)
"""Stages of the ablations: bitwise from the first step, and short; for comparison only."""


def _ablation(name: str, label: str, *settings: str, stages: tuple[Phase, ...] = RECIPE, **changes: Any) -> Experiment:
    made = Experiment(f"ablation-{name}", "ablations", label, stages, (*BASE, *settings), open_speech=True)
    return replace(made, **changes)


def _mixed(weights: float, activations: float) -> tuple[Phase, ...]:
    return (replace(RECIPE[0], pi=Pi(weights, activations)),)


ABLATIONS = (
    _ablation("base", "the recipe: bitwise from the first step"),
    _ablation("seed-1", "the recipe, another seed", "seed=1"),
    _ablation("real", "real-valued (pi = 0)", stages=_mixed(0.0, 0.0)),
    _ablation("weights", "only weights bitwise", stages=_mixed(1.0, 0.0)),
    _ablation("activations", "only activations bitwise", stages=_mixed(0.0, 1.0)),
    _ablation("binary-code", "natural binary code, the paper's", "qad_code=binary"),
    _ablation("real-binary-code", "natural binary code, real-valued", "qad_code=binary", stages=_mixed(0.0, 0.0)),
    _ablation("one-codebook", "one codebook of plain magnitudes, the paper's", "qad_power=1", "qad_per_bin=false"),
    _ablation("bits-2", "2 bits a bin", "qad_bits=2"),
    _ablation("bits-8", "8 bits a bin", "qad_bits=8"),
    _ablation("mask-2", "2 mask bits a bin", "mask_bits=2"),
    _ablation("mask-3", "3 mask bits a bin", "mask_bits=3"),
    _ablation("mask-6", "6 mask bits a bin", "mask_bits=6"),
    _ablation("hop-256", "hop of half a window", "hop=256", "frames=200"),
    _ablation("fft-1024", "1024-point STFT, hop 256", "fft_size=1024", "hop=256", "frames=200"),
    _ablation("loss", "plain mask error, the paper's", "loss_power=0"),
    _ablation("envelopes", "the envelopes of STOI in the loss", "envelope_weight=1"),
    _ablation("rho-0.8", "80 % of the weights kept, the paper's", "rho=0.8"),
    _ablation("rho-0.2", "20 % of the weights kept", "rho=0.2"),
    _ablation("per-row", "cutoff per row", "per_row=true"),
    _ablation("zeros", "zeros do not learn, the paper's", "zeros_learn=false"),
    _ablation("adam", "Adam 0.9 / 0.999", "beta1=0.9", "beta2=0.999"),
    _ablation("slope-1", "slope 1", "slope=1"),
    _ablation("slope-8", "slope 8", "slope=8"),
    _ablation("snr", "mixtures at 0 dB alone, the paper's", "snr_low=0", "snr_high=0"),
    _ablation("level", "mixtures at one level, the paper's", "level_db=0"),
    _ablation("as-recorded", "noises and responses as recorded, the paper's", "noise_speeds=1", "equaliser_db=0"),
    _ablation("speech-speeds", "speech at five speeds, 0.9 to 1.1", "speech_speeds=0.9,0.95,1,1.05,1.1"),
    _ablation("dropout", "no dropout", "dropout_input=0", "dropout_hidden=0"),
    _ablation("truncation", "gradient through 100 frames", "truncation=100"),
    _ablation(
        "warm",
        "a quarter of the epochs real-valued first",
        stages=(Phase(REAL, 2, 1e-2, 1e-2, scored=False), Phase(BINARY, 6, 1e-2, 1e-3)),
    ),
    _ablation(
        "activations-first",
        "activations bitwise, weights only after half of the epochs",
        stages=(Phase(Pi(0.0, 1.0), 4, 1e-2, 1e-2, scored=False), Phase(BINARY, 4, 5e-3, 1e-3)),
    ),
    _ablation(
        "gradual",
        "pi from 0 to 1 in eight steps",
        stages=tuple(
            Phase(Pi(round(step / 7, 3), round(step / 7, 3)), 1, rate, rate, scored=step == 7)
            for step, rate in enumerate((1e-2, 1e-2, 9e-3, 8e-3, 6e-3, 4e-3, 2e-3, 1e-3))
        ),
    ),
    _ablation("two-layers", "two layers of 160 units", "hidden=160,160"),
    _ablation("paper-speech", "the paper's speech alone", open_speech=False),
)

SIZES = tuple(
    replace(_ablation("size", f"{units} units", f"hidden={units}"), name=f"size-{units}", group="sizes")
    for units in (64, 128, 512)
)

LONG = (Phase(BINARY, 32, 1e-2, 5e-4), Phase(BINARY, 32, 4e-3, 2e-4))
"""Stages of the long runs: the rate falls twice."""

SMALL = (*FIVE_DB, "hidden=256", "mask_bits=3")
LARGE = (*FIVE_DB, "hidden=1024", "mask_bits=3", "fft_size=1024", "hop=256", "frames=200")
"""The presets `small` and `paper`."""

MORE_LABEL = "all of the data, speech at five speeds, cutoff per row, 1024-point STFT"
MORE = (*LARGE, "per_row=true", "speech_speeds=0.9,0.95,1,1.05,1.1")
"""As `LARGE`, with a cutoff per row, and voices a little higher or lower than recorded."""


def _real_valued(stages: tuple[Phase, ...]) -> tuple[Phase, ...]:
    return tuple(replace(stage, pi=REAL) for stage in stages)


FORMER = "envelope_weight=0"
"""The recipe before the envelopes of STOI were in its loss."""

OURS = (
    Experiment("ours-1024-paper-speech", "ours", "our recipe, 1024-point STFT", LONG, LARGE),
    Experiment("ours-1024-paper-speech-real", "ours", "our recipe, 1024-point STFT", _real_valued(LONG), LARGE),
    Experiment("ours-2048-more", "ours", MORE_LABEL, LONG[:1], (*MORE, "hidden=2048"), hold_out=False),
    Experiment("ours-1024-more", "ours", MORE_LABEL, LONG, MORE, hold_out=False),
    Experiment("ours-256-paper-speech", "ours", "our recipe", LONG, SMALL),
    Experiment("ours-256-paper-speech-real", "ours", "our recipe", _real_valued(LONG), SMALL),
    Experiment("ours-1024-no-envelopes", "ours", "no envelopes, 1024-point STFT", LONG, (*LARGE, FORMER)),
    Experiment("ours-256-no-envelopes-real", "ours", "no envelopes", _real_valued(LONG), (*SMALL, FORMER)),
    Experiment(
        "ours-1024", "ours", "with open/, no envelopes, 1024-point STFT", LONG, (*LARGE, FORMER), open_speech=True
    ),
    Experiment("ours-256", "ours", "with open/, no envelopes", LONG, (*SMALL, FORMER), open_speech=True),
    Experiment(
        "ours-256-real", "ours", "with open/, no envelopes", _real_valued(LONG), (*SMALL, FORMER), open_speech=True
    ),
)
"""The recipe, on the paper's corpus, bitwise and real-valued; its earlier rows also train on the speech of open/."""

SHORT = ("hidden=96", "sequences=32", "mask_bits=3")
"""Settings of the experiments with any noise: they show directions, not limits."""


BITS_ALONE = (Phase(BINARY, 12, 1e-2, 5e-4),)
"""Their stages, unless said."""

WARM = (Phase(REAL, 6, 1e-2, 3e-3, scored=False), Phase(BINARY, 6, 5e-3, 5e-4))
"""Real-valued for half of the epochs."""


def _general(
    name: str, label: str, *settings: str, stages: tuple[Phase, ...] = BITS_ALONE, start: str = ""
) -> Experiment:
    settings = (*SHORT, *settings)
    return Experiment(f"general-{name}", "general", label, stages, settings, protocol="general", start=start)


GENERAL = (
    _general("base", "the recipe for any noise"),
    _general("seed-1", "the same, another seed", "seed=1"),
    _general("no-synthetic", "no synthetic noise", "synthetic=0"),
    _general("half-synthetic", "60 % of the noises synthetic", "synthetic=0.6"),
    _general("no-rooms", "no reverberant speech", "reverberant=0"),
    _general("one-noise", "never two noises at once", "second_noise=0"),
    _general("never-alone", "no clean speech, no noise alone", "clean=0", "pure_noise=0"),
    _general("snr-5", "mixtures at -5 to 5 dB", "snr_high=5"),
    _general("mask-6", "6 mask bits a bin", "mask_bits=6"),
    _general("envelopes-2", "twice the weight of the envelopes", "envelope_weight=2"),
    _general("256", "256 units", "hidden=256"),
    _general("two-layers", "two layers of 72 units", "hidden=72,72"),
    _general("fft-1024", "1024-point STFT, hop 256", "fft_size=1024", "hop=256", "frames=200"),
    _general("fft-256", "256-point STFT, hop 64", "fft_size=256", "hop=64", "frames=800"),
    _general("longer", "12 epochs more", start="general-base"),
    _general("easy", "mixtures at 5 to 20 dB", "snr_low=5"),
    _general("curriculum", "at 5 to 20 dB, then 12 epochs at -5 to 20 dB", start="general-easy"),
    _general("warm", "real-valued for half of the epochs", stages=WARM),
    _general("si-sdr", "the same, the loss SI-SDR", "loss=si_sdr", stages=WARM),
    _general("distilled", "the same, a tenth of it distillation", "loss=si_sdr", "distillation=0.1", stages=WARM),
)
"""The benefit of each part of the mixtures and of the recipe on held-out kinds, in short runs of a small network."""

INTEGERS = ("kind=gru", "qad_code=level", "qad_bits=8", "gain_bits=8", "mask_bits=1", "envelope_weight=2")
"""Settings of integer networks: levels in, gains out."""

FORMAT_UNITS = (48, 96, 256)
"""Units of the networks that are compared in all formats; the names of all but the second have them."""


def _formats(units: int) -> tuple[Experiment, ...]:
    """One network in every format: 20 epochs for any noise, of which the integer ones share the first 12."""
    size, ending = f"hidden={units}", "" if units == FORMAT_UNITS[1] else f"-{units}"
    real = Experiment(
        f"format-real{ending}",
        "formats",
        "real-valued, the shared epochs",
        (_real(12),),
        (size, "format=int8", *INTEGERS),
        protocol="general",
    )

    def row(name: str, label: str, *settings: str, pi: Pi = BINARY, **changes: Any) -> Experiment:
        stages = (Phase(pi, 8, 3e-3, 3e-4),)
        made = replace(real, name=f"{name}{ending}", label=label, stages=stages, start=real.name)
        return replace(made, settings=(size, *INTEGERS, *settings), **changes)

    def mixed(name: str, method: str) -> Experiment:
        return row(f"mixed-{name}-{method}", f"mixed by {method}, bits of {name}", f"format={name}", fit=method)

    weights = ("int8", "int4", "int3", "ternary", "binary", "seo4")
    bitwise = replace(
        real,
        name=f"format-bitwise{ending}",
        label="bitwise: ternary weights, one-bit states",
        stages=(Phase(BINARY, 20, 1e-2, 3e-4),),
        settings=(size, "mask_bits=1", "envelope_weight=2"),
    )
    at_every_size = (
        bitwise,
        real,
        row("format-real-longer", "real-valued, as many epochs", "format=int8", pi=REAL),
        *(row(f"format-{name}", f"{name} weights, 8-bit states", f"format={name}") for name in weights),
        *(
            row(f"format-int4-state-{bits}", f"int4 weights, {bits}-bit states", "format=int4", f"state_bits={bits}")
            for bits in (6, 4, 2)
        ),
        mixed("int4", "curvature"),
    )
    if units != FORMAT_UNITS[1]:
        return at_every_size
    distilled = ("loss=si_sdr", "distillation=0.1", "learned_steps=true")
    return (
        *at_every_size,
        *(mixed("int4", method) for method in METHODS if method != "curvature"),
        *(mixed("int3", method) for method in METHODS),
        row("fqss-real", "real-valued, 8 epochs of SI-SDR more", "format=int8", "loss=si_sdr", pi=REAL),
        *(
            row(f"fqss-{kind}-{name}", f"{name} weights, {label}", f"format={name}", *settings)
            for name in ("int8", "int4")
            for kind, label, settings in (("plain", "SI-SDR", distilled[:1]), ("loss", "FQSS's loss", distilled))
        ),
    )


FORMATS = tuple(row for units in FORMAT_UNITS for row in _formats(units))
"""Number formats at three sizes; at the second of them each way to mix them under a budget, and FQSS's training."""

UNIFORM = tuple(row for row in FORMATS if row.name.startswith("format-"))
"""Those with one format in all layers, at every size."""

ROWS = (*OURS, *PAPER_ROWS, *CAUSES, *ABLATIONS, *SIZES, *GENERAL, *FORMATS)
"""All experiments, in the order in which they run."""
