"""The training itself: epochs, validation, checkpoints.

All random numbers of an epoch come from the seed and the epoch's number, so a killed run resumes from its checkpoint
with the same result. Every sequence of a batch has its own generator, so several processes train the same as one.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor, nn

from model.bundle.formats import WEIGHT_FORMATS
from model.bundle.front_end import limits_of
from model.console import console
from model.corpora import rooms, synthetic_noise
from model.corpora.corpus import Corpus
from model.corpora.float_front_end import FloatFrontEnd, SlowGain, power
from model.corpora.mixing import ideal_binary_mask
from model.errors import BadInput
from model.evaluation import metrics
from model.reference.audio import Signal
from model.training import checkpoint, lloyd_max
from model.training.batches import Augmentation, Batch, Mixtures
from model.training.config import BITWISE, Config, Stage
from model.training.distributed import Team
from model.training.integers import Quantisation
from model.training.loss import Objective, Targets
from model.training.network import BINARY, REAL, Binarisation, MaskNetwork, Numbers, Pi

CHECKPOINT = "checkpoint.safetensors"
FITTING_MIXTURES = 100
"""Mixtures that the quantiser is fitted to: some 40,000 magnitudes per bin for its 15 thresholds."""

LEVEL_SPAN = 2.0**8
"""Ratio of magnitudes that levels span: 48 dB (docs/exact-meaning.md, rule 12.10)."""

SYNTHETIC_SECONDS = 8.0
"""Length of each synthetic noise."""

Scores = dict[str, float]
History = list[dict[str, Any]]


class Validation:
    """A fixed set of mixtures of unseen speakers, scored after every epoch."""

    def __init__(self, mixtures: Mixtures, settings: Config, team: Team) -> None:
        sources = [np.random.default_rng([settings.seed, index]) for index in range(settings.validation_mixtures)]
        snr = (min(settings.snr_test), max(settings.snr_test))
        speech, noise = mixtures.spectra(settings.frames, snr, sources)
        self.front_end, self.team = mixtures.front_end, team
        self.samples = (settings.frames - 1) * settings.hop
        self.mixture = speech + noise
        self.clean = [self.front_end.istft(item, self.samples) for item in speech]
        self.mask = ideal_binary_mask(speech, noise).astype(bool)
        self.cost = np.abs(power(speech) - power(noise))
        self.features = bipolar(mixtures.features(self.mixture, np.zeros(len(sources)))).to(team.device)

    def scores(self, network: MaskNetwork, pi: Pi, seed: int) -> Scores:
        """Mask accuracies, mean SDR, SI-SDR and STOI of the network as it is at `pi`."""
        with torch.no_grad():
            v, _ = network(self.features, pi=pi, draw=Team(device=self.team.device).draw(seed))
        mask = network.mask.gains(v).cpu().numpy().swapaxes(0, 1)
        gains = np.stack([self.front_end.gains(item) for item in mask])
        mask = gains > 0.5
        estimates = [self.front_end.istft(x * gain, self.samples) for x, gain in zip(self.mixture, gains, strict=True)]
        pairs = list(zip(self.clean, estimates, strict=True))
        return {
            "mask_accuracy": metrics.mask_accuracy(self.mask, mask),
            "weighted_accuracy": float(np.sum(self.cost * (mask == self.mask)) / np.sum(self.cost)),
            "sdr": float(np.mean([metrics.sdr(*pair) for pair in pairs])),
            "si_sdr": float(np.mean([metrics.si_sdr(*pair) for pair in pairs])),
            "stoi": float(np.mean([metrics.stoi(*pair, self.front_end.sample_rate) for pair in pairs])),
        }


def bipolar(features: NDArray[Any]) -> Tensor:
    """Bits 0 and 1, uint8, to floats -1 and +1 of the same shape; levels and magnitudes are unchanged."""
    values = torch.from_numpy(features)
    return 2.0 * values.float() - 1.0 if values.dtype == torch.uint8 else values.float()


def batches(mixtures: Mixtures, settings: Config, epoch: int, team: Team) -> Iterator[Batch]:
    """The part of an epoch's batches for this process, each made while the previous one trains."""
    snr, share = (settings.snr_low, settings.snr_high), team.share(settings.sequences)

    def make(batch: int) -> Batch:
        sources = [np.random.default_rng([settings.seed, epoch, batch, index]) for index in share]
        return mixtures.batch(settings.frames, snr, settings.level_db, settings.loss_power, sources)

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(make, 0)
        for batch in range(1, settings.batches + 1):
            now = coming.result()
            if batch < settings.batches:
                coming = pool.submit(make, batch)
            yield now


def as_tensors(batch: Batch, device: torch.device) -> tuple[Tensor, Targets]:
    """A batch as a network's input and its targets."""
    arrays = (torch.from_numpy(array) for array in (batch.weight, batch.mixture, batch.speech, batch.common))
    tensors = (part.to(device) for part in (bipolar(batch.mask), *arrays))
    return bipolar(batch.features).to(device), Targets(*tensors)


def stretches(settings: Config) -> list[slice]:
    """The frames of a mixture, in stretches of `truncation`."""
    return [slice(start, start + settings.truncation) for start in range(0, settings.frames, settings.truncation)]


def train_epoch(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    mixtures: Mixtures,
    settings: Config,
    epoch: int,
    team: Team,
    advance: Callable[[], None],
    teacher: MaskNetwork | None = None,
) -> float:
    """One epoch at the pi and learning rate of the plan; returns the mean loss over the team.

    `teacher` is the real-valued network that a loss with distillation compares with.

    Each batch is processed in stretches of `truncation` frames, one optimiser step each; the state is
    carried from one to the next without its gradient. Raises `FloatingPointError` if the loss or the weights are not
    finite.
    """
    stage, rate = settings.plan()[epoch]
    pi = Pi(stage.weights, stage.activations)
    for group in optimiser.param_groups:
        group["lr"] = rate
    draw = team.draw(int(np.random.default_rng([settings.seed, epoch]).integers(2**62)))
    drop = (settings.dropout_input, settings.dropout_hidden)
    mixed = torch.autocast(team.device.type, torch.bfloat16, enabled=settings.precision == "bfloat16")
    objective = Objective(settings, mixtures.front_end, team.device)
    losses = []
    for batch in batches(mixtures, settings, epoch, team):
        states, before, real = None, None, None
        features, targets = as_tensors(batch, team.device)
        for chunk in stretches(settings):
            with mixed:
                v, states = network(features[chunk], states, pi, drop, draw)
            if teacher is not None:
                with torch.no_grad(), mixed:
                    real, before = teacher(features[chunk], before, REAL)
            loss = objective(v, targets.frames(chunk), real)
            value = team.mean(loss.item())
            if not math.isfinite(value):
                raise FloatingPointError(value)
            optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimiser.step()
            losses.append(value)
        advance()
    if not all(bool(parameter.isfinite().all()) for parameter in network.parameters()):
        raise FloatingPointError("weights that are not")
    return float(np.mean(losses))


def fit_front_end(source: Corpus, settings: Config, responses: Sequence[Signal] = ()) -> tuple[Mixtures, Tensor]:
    """The training mixtures behind a front end fitted to them, and the mean of the network's inputs.

    Speech is put in simulated rooms and in those of `responses`.
    """
    front_end = untrained_front_end(settings)
    bins, limits = front_end.thresholds.shape
    front_end.check_window()
    magnitudes = settings.input == "magnitudes"
    speech, noise = source.signals("training", settings.sample_rate)
    synthetic = synthetic_noise.clips(
        settings.synthetic_clips, SYNTHETIC_SECONDS, settings.sample_rate, settings.seed, speech
    )
    simulated = rooms.simulated(settings.simulated_rooms, settings.sample_rate, settings.seed)
    every_room = [*simulated, *responses]
    mixtures = Mixtures(front_end, speech, noise, augmentation(settings), synthetic, every_room, magnitudes)
    sources = [np.random.default_rng([settings.seed, index]) for index in range(FITTING_MIXTURES)]
    spectrum = np.add(*mixtures.spectra(settings.frames, (settings.snr_low, settings.snr_high), sources))
    heard = np.ascontiguousarray(power(spectrum).swapaxes(0, 1))
    level = np.sqrt(np.ldexp(heard, -SlowGain(front_end).exponents(heard)[..., None]))
    heard_levels = level.reshape(-1, bins)
    if front_end.code == "level":
        thresholds = level_begins(heard_levels, settings.qad_per_bin)
    else:
        thresholds = lloyd_max.fit(heard_levels, limits + 1, settings.qad_power, settings.qad_per_bin)
    mixtures.front_end = dataclasses.replace(front_end, thresholds=thresholds)
    return mixtures, bipolar(mixtures.features(spectrum, np.zeros(len(sources)))).mean(dim=(0, 1))


def level_begins(magnitude: NDArray[np.float32], per_bin: bool) -> NDArray[np.float32]:
    """Where the 48 dB of levels begin, (bins, 1), from mixtures' |X| (frames, bins); one in 1,000 exceeds them."""
    loudest = np.quantile(magnitude, 0.999, axis=0 if per_bin else None)
    return np.broadcast_to(loudest / LEVEL_SPAN, magnitude.shape[1:]).astype(np.float32)[:, None]


def augmentation(settings: Config) -> Augmentation:
    """The augmentation of the settings."""
    return Augmentation(**{entry.name: getattr(settings, entry.name) for entry in dataclasses.fields(Augmentation)})


def untrained_front_end(settings: Config) -> FloatFrontEnd:
    """The front end of the settings before anything is fitted: every threshold is 0."""
    bins, limits = settings.fft_size // 2 + 1, limits_of(settings.qad_code, settings.qad_bits)
    return make_front_end(settings, np.zeros((bins, limits), np.float32))


def make_front_end(settings: Config, thresholds: NDArray[np.float32]) -> FloatFrontEnd:
    """The front end of the settings with fitted thresholds."""
    names = ("sample_rate", "fft_size", "hop", "window", "rms", "gain_frames", "mask_bits", "gain_bits")
    return FloatFrontEnd(
        **{name: getattr(settings, name) for name in names},
        thresholds=thresholds,
        code=settings.qad_code,
        feature_bits=settings.qad_bits if settings.qad_code == "level" else 1,
    )


def make_network(front_end: FloatFrontEnd, settings: Config) -> MaskNetwork:
    """The untrained network of the settings."""
    torch.manual_seed(settings.seed)
    numbers: Numbers = Binarisation(settings.rho, settings.slope, settings.zeros_learn, settings.per_row)
    if settings.format != BITWISE:
        weights = [WEIGHT_FORMATS[name] for name in settings.format]
        bits = front_end.feature_bits, settings.state_bits, settings.gain_bits
        numbers = Quantisation(weights, *bits, settings.slope, settings.learned_steps)
    inputs = front_end.features if settings.input == "bits" else front_end.bins
    return MaskNetwork(inputs, settings.hidden, front_end.bins * front_end.mask_bits, settings.kind, numbers)


def stage_file(out: Path, pi: Pi) -> Path:
    """The file of the best network of a run's epochs at `pi`."""
    return out / f"pi-{pi.weights:g}-{pi.activations:g}.safetensors"


def load(out: Path, settings: Config, pi: Pi) -> tuple[MaskNetwork, FloatFrontEnd]:
    """The best network at `pi` of a run of these settings, and its front end."""
    groups, _ = checkpoint.load(stage_file(out, pi))
    front_end = make_front_end(settings, groups["front_end"]["thresholds"].numpy())
    network = make_network(front_end, settings)
    network.load_state_dict(groups["network"])
    return network, front_end


def settings_of(out: Path) -> Config:
    """The settings of the run in `out`. Raises `BadInput` if there is none."""
    values = checkpoint.load(out / CHECKPOINT)[1]["run"]["settings"]
    listed = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return Config(**{**values, **listed, "stages": tuple(Stage(*stage) for stage in values["stages"])})


def train(
    source: Corpus,
    settings: Config,
    out: Path,
    team: Team,
    responses: Mapping[str, Signal] = MappingProxyType({}),
    start: Path | None = None,
) -> History:
    """Train, or resume from the checkpoint in `out`; the best network at every pi is kept there (`load`).

    Stages may have been added after those of the checkpoint, whose epochs are then the start of the longer plan.
    Raises `BadInput` if `out` holds a run of other settings or recordings, and if the loss diverges.
    """
    path, identity = out / CHECKPOINT, _identity(source, settings, responses, start)
    groups, state = checkpoint.load(path) if path.is_file() else ({}, {"run": identity, "history": []})
    _expect_same_run(path, _with_stages_of(state["run"], identity), identity)
    history: History = state["history"]
    if team.mean(len(history)) != len(history):
        raise BadInput(
            f"{path}: expected the same checkpoint in every process, got another; put --out where all see it"
        )

    mixtures, mean = fit_front_end(source, settings, list(responses.values()))
    network = make_network(mixtures.front_end, settings).to(team.device)
    network.centre(mean.to(team.device))
    magnitudes = settings.input == "magnitudes"
    betas = (settings.beta1, settings.beta2)
    optimiser = torch.optim.Adam(network.parameters(), betas=betas, fused=True)
    if history:
        network.load_state_dict(groups["network"])
        checkpoint.restore_optimiser(optimiser, groups["optimiser"])
        thresholds = groups["front_end"]["thresholds"].numpy()
        mixtures.front_end = dataclasses.replace(mixtures.front_end, thresholds=thresholds)
        if team.leads:
            console.print(f"{path}: resuming after epoch {len(history)}")
    elif start is not None:
        _warm_start(network, mixtures, start)
    wrapped = team.wrap(network)
    held_out = Mixtures(mixtures.front_end, *source.signals("validation", settings.sample_rate), magnitudes=magnitudes)
    validation = Validation(held_out, settings, team) if team.leads else None

    plan = settings.plan()
    with Progress(console=console, disable=not team.leads) as progress:
        task = progress.add_task("training", total=len(plan) * settings.batches)
        progress.advance(task, len(history) * settings.batches)
        for epoch in range(len(history), len(plan)):
            began, teacher = time.monotonic(), None
            if settings.distillation and plan[epoch][0][1:3] == BINARY:
                teacher = _teacher(out, settings, start).to(team.device)
            try:
                loss = train_epoch(
                    wrapped, optimiser, mixtures, settings, epoch, team, lambda: progress.advance(task), teacher
                )
            except FloatingPointError as error:
                raise BadInput(
                    f"{out}: expected a finite loss in epoch {epoch + 1}, got {error}; the checkpoint of epoch {epoch} "
                    "is kept, try lower learning rates in another --out"
                ) from None
            if validation:
                pi = Pi(plan[epoch][0].weights, plan[epoch][0].activations)
                scores = validation.scores(network, pi, settings.seed)
                row = {"epoch": epoch + 1, **pi._asdict(), "learning_rate": plan[epoch][1], "loss": loss, **scores}
                history.append({**row, "seconds": round(time.monotonic() - began, 3)})
                _save(out, network, optimiser, mixtures.front_end, {"run": identity, "history": history})
                progress.console.print(
                    f"epoch {epoch + 1}/{len(plan)}  pi {pi.weights:g}/{pi.activations:g}  loss {loss:.4f}  "
                    f"mask accuracy {scores['mask_accuracy']:.3f}  SDR {scores['sdr']:.2f} dB  "
                    f"SI-SDR {scores['si_sdr']:.2f} dB  STOI {scores['stoi']:.3f}"
                )
            team.wait()
    return history


def _warm_start(network: MaskNetwork, mixtures: Mixtures, start: Path) -> None:
    """Begin with the weights and the front end of another run's best network at pi = 1, or else its real-valued one."""
    path = next((path for pi in (BINARY, REAL) if (path := stage_file(start, pi)).is_file()), stage_file(start, BINARY))
    groups, _ = checkpoint.load(path)
    thresholds = groups["front_end"]["thresholds"].numpy()
    if thresholds.shape != mixtures.front_end.thresholds.shape:
        raise BadInput(f"{path}: expected a front end of this run's bins and bits, got another")
    try:
        network.load_state_dict(groups["network"])
    except RuntimeError:
        raise BadInput(f"{path}: expected a network of this run's sizes, got another") from None
    mixtures.front_end = dataclasses.replace(mixtures.front_end, thresholds=thresholds)


def _teacher(out: Path, settings: Config, start: Path | None) -> MaskNetwork:
    """The best real-valued network of this run, or of the one that it starts from."""
    runs = [run for run in (out, start) if run is not None and stage_file(run, REAL).is_file()]
    if not runs:
        raise BadInput(
            "setting distillation: expected real-valued stages before the quantised ones, or a run with such stages to "
            "start from, got neither"
        )
    return load(runs[0], settings, REAL)[0]


def _save(
    out: Path, network: MaskNetwork, optimiser: torch.optim.Optimizer, front_end: FloatFrontEnd, state: dict[str, Any]
) -> None:
    """Write the checkpoint and, if this epoch is the best so far at its pi, the file of that network."""
    groups = {
        "network": network.state_dict(),
        "front_end": {"thresholds": torch.from_numpy(front_end.thresholds)},
    }
    *earlier, row = state["history"]
    same = [merit(before) for before in earlier if _pi(before) == _pi(row)]
    if merit(row) > max(same, default=-math.inf):
        checkpoint.save(stage_file(out, _pi(row)), groups, {"run": state["run"], "row": row})
    checkpoint.save(out / CHECKPOINT, {**groups, "optimiser": checkpoint.optimiser_tensors(optimiser)}, state)


def _pi(row: dict[str, Any]) -> Pi:
    return Pi(row["weights"], row["activations"])


def merit(row: Scores) -> float:
    """Figure of merit of an epoch: validation SI-SDR in dB, plus 0.3 dB for each .01 of STOI."""
    return row["si_sdr"] + 30.0 * row["stoi"]


def best(history: History, pi: Pi) -> dict[str, Any]:
    """The best epoch at `pi`, by `merit`."""
    return max((row for row in history if _pi(row) == pi), key=merit)


def _identity(source: Corpus, settings: Config, responses: Collection[str], start: Path | None) -> dict[str, Any]:
    """What must be unchanged for a run to resume, as read back from JSON."""
    run = {
        "settings": dataclasses.asdict(settings),
        "speakers": dataclasses.asdict(source.split),
        "noises": source.noise_stretches("training"),
        "rooms": sorted(responses),
        "start": None if start is None else start.resolve().name,
    }
    result: dict[str, Any] = json.loads(json.dumps(run))
    return result


def _with_stages_of(run: dict[str, Any], longer: dict[str, Any]) -> dict[str, Any]:
    """A run as if it had the longer run's plan from the start; unchanged if that plan starts differently."""
    more = longer["settings"]["stages"]
    stages = run["settings"].get("stages", more)
    return {**run, "settings": {**run["settings"], "stages": more}} if more[: len(stages)] == stages else run


def _expect_same_run(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    for group, entries in expected.items():
        if found.get(group) == entries:
            continue
        named = isinstance(entries, dict) and isinstance(found.get(group), dict)
        keys = [key for key in entries if found[group].get(key) != entries[key]] if named else []
        what = " ".join([group, *keys[:1]])
        raise BadInput(f"{path}: expected a run with the same {what}, got another; choose another --out")
