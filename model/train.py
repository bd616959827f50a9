"""Train a network on one's own recordings: `python -m model.train --speech DIR --noise DIR --out runs/NAME`.

Round 1 (pi = 0) and round 2 (pi up to 1) of Kim, Maity and Kim (ICASSP 2019), the export to a bundle, its scores on
speakers and noise that it never met, a report and a picture. Everything that an epoch draws comes from the seed
and the epoch's number, so that a run that was killed goes on from its checkpoint as if nothing had happened.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.progress import Progress

from model import bundle, card, checkpoint, cli, config, corpus, curves, metrics, qad, report, scoring
from model.batches import Mixtures
from model.config import Config
from model.errors import BadInput
from model.export import to_bundle
from model.frontend import FrontEnd
from model.mixing import ideal_binary_mask
from model.network import Binarisation, Network

CHECKPOINT = "checkpoint.safetensors"
FITTING_MIXTURES = 100
"""Mixtures that the quantiser is fitted to: each bin then sees some 25,000 magnitudes for its 15 thresholds."""

Scores = dict[str, float]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Where the recordings are and who is in which part."""

    speech: Path
    noise: Path
    split: corpus.Split

    @classmethod
    def find(cls, speech: Path, noise: Path, test: list[str], validation: list[str], settings: Config) -> "Corpus":
        """List both folders and split the speakers. Raises `BadInput` where either holds no recording."""
        names = list(corpus.speakers(speech))
        corpus.noises(noise)
        split = corpus.split_speakers(names, test, validation, settings.speaker_fraction, settings.seed)
        return cls(speech, noise, split)

    def mixtures(self, part: str, front_end: FrontEnd, speeds: Sequence[float], equaliser_db: float) -> Mixtures:
        """The recordings of a part, ready to be mixed (see `model.batches.Mixtures`)."""
        found, rate = corpus.speakers(self.speech), front_end.sample_rate
        utterances = [corpus.read_speech(path, rate) for name in getattr(self.split, part) for path in found[name]]
        noises = {name: corpus.read_noise(path, part, rate) for name, path in corpus.noises(self.noise).items()}
        return Mixtures(front_end, utterances, noises, speeds, equaliser_db)


class Validation:
    """A fixed set of mixtures of unseen speakers, scored after every epoch."""

    def __init__(self, mixtures: Mixtures, settings: Config) -> None:
        rng = np.random.default_rng(settings.seed)
        snr = (settings.snr_test, settings.snr_test)
        speech, noise = mixtures.spectra(settings.validation_mixtures, settings.frames, snr, rng)
        self.front_end = mixtures.front_end
        self.samples = (settings.frames - 1) * settings.hop
        self.mixture = speech + noise
        self.clean = [self.front_end.istft(item, self.samples) for item in speech]
        self.mask = ideal_binary_mask(speech, noise).astype(bool)
        features = np.stack([self.front_end.encode(item) for item in self.mixture], axis=1)
        self.features = bipolar(features)

    def scores(self, network: Network, pi: float, draw: torch.Generator) -> Scores:
        """Mask accuracy, mean SDR and SI-SDR of the network as it is at `pi`."""
        with torch.no_grad():
            _, bits, _ = network(self.features, pi=pi, draw=draw)
        mask = bits.numpy().swapaxes(0, 1)
        estimates = [self.front_end.istft(x * m, self.samples) for x, m in zip(self.mixture, mask, strict=True)]
        pairs = list(zip(self.clean, estimates, strict=True))
        return {
            "mask_accuracy": metrics.mask_accuracy(self.mask, mask),
            "sdr": float(np.mean([metrics.sdr(*pair) for pair in pairs])),
            "si_sdr": float(np.mean([metrics.si_sdr(*pair) for pair in pairs])),
        }


def bipolar(bits: NDArray[np.uint8]) -> torch.Tensor:
    """Bits 0 and 1 to floats -1 and +1 of the same shape."""
    return 2.0 * torch.from_numpy(bits).float() - 1.0


def weighted_loss(v: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Logistic loss of the relaxed output v against the bipolar IBM, each bin with its weight."""
    return (weight * torch.nn.functional.softplus(-2.0 * mask * v)).mean()


def train_epoch(
    network: Network,
    optimiser: torch.optim.Optimizer,
    mixtures: Mixtures,
    settings: Config,
    epoch: int,
    advance: Callable[[], None],
) -> float:
    """One epoch at the pi and learning rate of the plan; returns the mean loss.

    Each batch is worked through in stretches of `truncation` frames, one optimiser step each; the state is
    carried from one to the next without its gradient. Raises `FloatingPointError` for a loss that isn't finite.
    """
    pi, rate = settings.plan()[epoch]
    for group in optimiser.param_groups:
        group["lr"] = rate
    rng = np.random.default_rng([settings.seed, epoch])
    draw = torch.Generator().manual_seed(int(rng.integers(2**62)))
    drop = (settings.dropout_input, settings.dropout_hidden)
    losses = []
    for _ in range(settings.batches):
        snr = (settings.snr_low, settings.snr_high)
        batch = mixtures.batch(settings.sequences, settings.frames, snr, settings.loss_power, rng)
        states = None
        for start in range(0, settings.frames, settings.truncation):
            chunk = slice(start, start + settings.truncation)
            v, _, states = network(bipolar(batch.features[chunk]), states, pi, drop, draw)
            loss = weighted_loss(v, bipolar(batch.mask[chunk]), torch.from_numpy(batch.weight[chunk]))
            if not math.isfinite(loss.item()):
                raise FloatingPointError(loss.item())
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
            optimiser.step()
            losses.append(loss.item())
        advance()
    return float(np.mean(losses))


def fit_front_end(source: Corpus, settings: Config) -> tuple[Mixtures, torch.Tensor]:
    """The training mixtures behind a front end fitted to them, and the mean of their bipolar features."""
    thresholds = np.zeros((settings.fft_size // 2 + 1, 2**settings.qad_bits - 1), np.float32)
    front_end = FrontEnd(
        settings.sample_rate, settings.fft_size, settings.hop, settings.window, settings.rms, thresholds
    )
    mixtures = source.mixtures("training", front_end, settings.noise_speeds, settings.equaliser_db)
    snr = (settings.snr_low, settings.snr_high)
    rng = np.random.default_rng(settings.seed)
    speech, noise = mixtures.spectra(FITTING_MIXTURES, settings.frames, snr, rng)
    spectrum = (speech + noise).reshape(-1, front_end.bins)
    thresholds = qad.fit(spectrum, settings.qad_bits, settings.qad_power, settings.qad_per_bin)
    mixtures.front_end = dataclasses.replace(front_end, thresholds=thresholds)
    return mixtures, bipolar(mixtures.front_end.encode(spectrum)).mean(dim=0)


def train(source: Corpus, settings: Config, out: Path) -> tuple[Network, FrontEnd, list[dict[str, Any]]]:
    """Train, or go on from the checkpoint in `out`: the best network at pi = 1, its front end and the history.

    Raises `BadInput` where `out` holds a run of other settings or recordings, and where the loss diverges.
    """
    path, identity = out / CHECKPOINT, _identity(source, settings)
    groups, state = checkpoint.load(path) if path.is_file() else ({}, {"run": identity, "history": []})
    _expect_same_run(path, state["run"], identity)
    history: list[dict[str, Any]] = state["history"]

    mixtures, mean = fit_front_end(source, settings)
    torch.manual_seed(settings.seed)
    front_end = mixtures.front_end
    binary = Binarisation(settings.rho, settings.slope, settings.zeros_learn)
    network = Network(front_end.features, settings.hidden, front_end.bins, settings.kind, binary)
    network.centre(mean)
    betas = (settings.beta1, settings.beta2)
    optimiser = torch.optim.Adam(network.parameters(), lr=settings.round1_rate, betas=betas)
    best = dict(groups.get("best", {}))
    if history:
        front_end = dataclasses.replace(front_end, thresholds=groups["front_end"]["thresholds"].numpy())
        mixtures.front_end = front_end
        network.load_state_dict(groups["network"])
        checkpoint.restore_optimiser(optimiser, groups["optimiser"])
        cli.console.print(f"{path}: going on after epoch {len(history)}")
    validation = Validation(source.mixtures("validation", front_end, (1.0,), 0.0), settings)

    plan = settings.plan()
    with Progress(console=cli.console) as progress:
        task = progress.add_task("training", total=len(plan) * settings.batches)
        progress.advance(task, len(history) * settings.batches)
        for epoch in range(len(history), len(plan)):
            began = time.monotonic()
            try:
                loss = train_epoch(network, optimiser, mixtures, settings, epoch, lambda: progress.advance(task))
            except FloatingPointError as error:
                raise BadInput(
                    f"{out}: expected a finite loss in epoch {epoch + 1}, got {error}; the checkpoint of epoch {epoch} "
                    "is kept, try lower learning rates in another --out"
                ) from None
            pi, rate = plan[epoch]
            scores = validation.scores(network, pi, torch.Generator().manual_seed(settings.seed))
            if pi == 1.0 and scores["sdr"] > max(
                (row["sdr"] for row in history if row["pi"] == 1.0), default=-math.inf
            ):
                best = {name: tensor.clone() for name, tensor in network.state_dict().items()}
            row = {"epoch": epoch + 1, "pi": pi, "learning_rate": rate, "loss": loss, **scores}
            history.append({**row, "seconds": round(time.monotonic() - began, 1)})
            checkpoint.save(
                path,
                {
                    "network": network.state_dict(),
                    "optimiser": checkpoint.optimiser_tensors(optimiser),
                    "best": best,
                    "front_end": {"thresholds": torch.from_numpy(front_end.thresholds)},
                },
                {"run": identity, "history": history},
            )
            progress.console.print(
                f"epoch {epoch + 1}/{len(plan)}  pi {pi:.1f}  loss {loss:.4f}  mask accuracy "
                f"{scores['mask_accuracy']:.3f}  SDR {scores['sdr']:.2f} dB  SI-SDR {scores['si_sdr']:.2f} dB"
            )
    network.load_state_dict(best)
    return network, front_end, history


def _identity(source: Corpus, settings: Config) -> dict[str, Any]:
    """What must be the same for a run to go on, as JSON gives it back."""
    run = {
        "settings": dataclasses.asdict(settings),
        "speakers": dataclasses.asdict(source.split),
        "noises": sorted(corpus.noises(source.noise)),
    }
    result: dict[str, Any] = json.loads(json.dumps(run))
    return result


def _expect_same_run(path: Path, found: dict[str, Any], expected: dict[str, Any]) -> None:
    for group, entries in expected.items():
        if found.get(group) == entries:
            continue
        names = [f" {key}" for key in entries if found[group].get(key) != entries[key]] if group != "noises" else [""]
        raise BadInput(f"{path}: expected a run with the same {group}{names[0]}, got another; choose another --out")


def main(
    speech: Annotated[Path, typer.Option(help="Speech: any folder of `speaker/utterance` recordings.")],
    noise: Annotated[Path, typer.Option(help="Noise: any folder of recordings.")],
    out: Annotated[Path, typer.Option(help="The run's folder; training goes on from the checkpoint found there.")],
    preset: Annotated[str, typer.Option(help=f"Size of the network: {', '.join(config.PRESETS)}.")] = "small",
    bundle_folder: Annotated[
        Path | None, typer.Option("--bundle", help="Where the bundle goes, `OUT/bundle` if not given.")
    ] = None,
    test_speakers: Annotated[str, typer.Option(help="Speakers for the final scores, separated by commas.")] = "",
    validation_speakers: Annotated[str, typer.Option(help="Speakers for the scores of each epoch.")] = "",
    seed: Annotated[int | None, typer.Option(help="Of everything that is drawn, as `--set seed=`.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="`name=value`, any number of times; see the list above.")
    ] = None,
    notice: Annotated[
        Path | None, typer.Option(help="A text file for the model card: licence and attribution of the recordings.")
    ] = None,
) -> None:
    """Train a network in two rounds and export it as a bundle with a model card.

    The recordings are split by speaker (and each noise in time) into training, validation and test. A run that
    was stopped goes on where it was when the same command is given again.
    """
    changes = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
    chosen = config.with_settings(preset, changes)
    bundle.check_name(out.resolve().name)  # before the work, not after it
    licence = report.read_notice(notice)
    target = bundle_folder or out / "bundle"
    source = Corpus.find(speech, noise, _names(test_speakers), _names(validation_speakers), chosen)
    network, front_end, history = train(source, chosen, out)

    command = report.command_line(
        [
            ("--preset", preset),
            ("--speech", speech),
            ("--noise", noise),
            ("--out", out),
            ("--bundle", bundle_folder or ""),
            ("--test-speakers", test_speakers),
            ("--validation-speakers", validation_speakers),
            *(("--set", setting) for setting in changes),
            ("--notice", notice or ""),
        ]
    )
    noises = corpus.noises(noise)
    best = max((row for row in history if row["pi"] == 1.0), key=lambda row: row["sdr"])
    origin = report.provenance(command, chosen, speech, noise, list(noises), source.split, best)
    network_bundle = to_bundle(network, front_end, out.resolve().name, origin)
    cli.console.print(f"scoring on {', '.join(source.split.test)}, whom the network never met")
    tests = {name: paths for name, paths in corpus.speakers(speech).items() if name in source.split.test}
    trials = scoring.trials(tests, noises, chosen.snr_test, chosen.sample_rate, chosen.rms)
    origin["scores"] = scoring.score(network_bundle, trials)
    bundle.write(network_bundle, target)
    card.write(network_bundle, target, licence)
    report.write_report(network_bundle, history, out / "report.json")
    curves.draw(history, out / "curves.png")
    for line in card.table(origin["scores"]):
        cli.console.print(line)
    cli.console.print(f"{target}: bundle and model card; {out}: report.json and curves.png")


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


main.__doc__ = f"{main.__doc__}\n\nSettings for `--set`:\n\n{config.described()}\n"

if __name__ == "__main__":
    cli.run(main)
