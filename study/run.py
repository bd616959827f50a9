"""Run rows of the study: `bgru study run ROW ... --data DIR`.

Each row trains, scores its network on the 400 test mixtures, and writes its configuration, seed, environment,
curves and scores as one JSON file and one picture. A row that has a result is skipped; a killed one resumes from its
checkpoint. `study.tables` makes the tables of docs/study from them.
"""

import dataclasses
import difflib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import torch

from model.bundle.bundle import Bundle
from model.bundle.formats import WEIGHT_FORMATS
from model.console import console
from model.errors import BadInput
from model.evaluation import scoring
from model.evaluation.metrics import METRICS
from model.evaluation.scoring import System
from model.files import replacing
from model.pages import training_plot
from model.training import config, mixed_precision, run_report, trainer
from model.training.config import Config
from model.training.distributed import Team, join
from model.training.mixed_precision import Fit
from model.training.network import BINARY, REAL, MaskNetwork
from study import protocol, test_set_updates
from study.experiments import ROWS, Experiment
from study.networks import Masker

RESULTS = Path("docs/study")
"""Where results are kept."""

ALL = tuple(METRICS)
QUICK = ("sdr", "si_sdr", "stoi", "mask_accuracy", "weighted_mask_accuracy")
"""Metrics, and those with `--quick`."""

UNTRAINED = "rounded without training"
"""The name of the system that a row with a `start` begins with: post-training quantisation."""

SPEECH_OF_OPEN = Path("open") / "speech"
"""The speech added to the paper's in rows with `open_speech`."""


def weight_bits(network: MaskNetwork) -> int:
    """Bits of the network's weights at pi = 1: two bits each in a bitwise layer."""
    return sum(layer.rows.weight.numel() * layer.rows.weight_bits for layer in network.layers)


def bits_of(name: str) -> mixed_precision.Budget:
    """The budget of a network's weight bits in one format."""

    def budget(bundle: Bundle) -> dict[str, tuple[int, int]]:
        limit = bundle.weights * WEIGHT_FORMATS[name].bits
        if bundle.weight_bits > limit:
            raise BadInput(f"bundle {bundle.name}: expected at most {limit:,} weight bits, got {bundle.weight_bits:,}")
        return {"weight_bits": (bundle.weight_bits, limit)}

    return budget


def train_and_score(
    row: Experiment,
    settings: Config,
    data: Path,
    folder: Path,
    team: Team,
    metrics: Collection[str] = ALL,
    every: int = 1,
) -> dict[str, Any] | None:
    """Train a row in `folder` and score it: its result, ready for JSON, in the leading process.

    Scores every `every`-th test mixture with the given metrics.
    """
    more = [data / SPEECH_OF_OPEN] if row.open_speech else []
    start = folder.with_name(row.start) if row.start else None
    begun = [pi for pi in (REAL, BINARY) if start and trainer.stage_file(start, pi).is_file()]
    if start and not begun:
        raise BadInput(f"row {row.name}: expected the run of {row.start}, whose network it starts from, in {start}")
    source = protocol.source(data, row.protocol, more, row.hold_out)
    if start and row.fit:
        how = Fit(f"the weight bits of {settings.format[0]}", row.fit, bits_of(settings.format[0]))
        formats = mixed_precision.chosen(folder, start, source, settings, team, how)
        settings = replace(settings, format=formats)
    history = trainer.train(source, settings, folder, team, start=start)
    if not team.leads:
        return None
    trained = {stage.pi: trainer.load(folder, settings, stage.pi) for stage in row.stages if stage.scored}
    magnitudes = settings.input == "magnitudes"
    maskers = {pi: Masker(network, front_end, pi, magnitudes) for pi, (network, front_end) in trained.items()}
    systems: dict[str, System] = {f"{pi.weights:g}-{pi.activations:g}": masker for pi, masker in maskers.items()}
    if start and REAL in begun:
        systems[UNTRAINED] = Masker(*trainer.load(start, settings, REAL), BINARY, magnitudes)
    final = list(trained)[-1]
    trials = protocol.trials(data, row.protocol, settings.sample_rate, settings.rms)[::every]
    for count, updated in enumerate(
        test_set_updates.updated(maskers[final], trials, settings, row.test_time_passes), 1
    ):
        systems[f"updated on the test set, pass {count}"] = updated
    return {
        "row": row.name,
        "protocol": row.protocol,
        "open_speech": row.open_speech,
        "hold_out": row.hold_out,
        "weight_bits": weight_bits(trained[final][0]),
        "settings": {**dataclasses.asdict(settings), "stages": [str(stage) for stage in settings.stages]},
        "environment": {**run_report.environment(), "device": team.device.type, "threads": torch.get_num_threads()},
        "scores": scoring.summary(scoring.score(systems, trials, metrics), protocol.SHARED_SENTENCES),
        "epochs": history,
    }


def write(result: dict[str, Any], path: Path) -> None:
    """Write a result as JSON, completely or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


def save(result: dict[str, Any], path: Path) -> None:
    """Write a result, and the picture of its curves next to it."""
    write(result, path)
    training_plot.draw(result["epochs"], path.with_suffix(".png"))


def results_name(row: Experiment, seed: int, seeds: Sequence[int]) -> str:
    """File of a row's result; those of all but the first seed have it in their name."""
    return f"{row.name}.json" if seed == seeds[0] else f"{row.name}-seed-{seed}.json"


def missing(rows: Sequence[Experiment], seeds: Sequence[int], results: Path) -> Iterator[tuple[Experiment, int, Path]]:
    """Each row and seed without a result in the folder, and the file of its result; says which others have one."""
    for row, seed in product(rows, seeds):
        path = results / results_name(row, seed, seeds)
        if path.is_file():
            console.print(f"{path}: exists; remove it to run {row.name} again")
        else:
            yield row, seed, path


def choose(names: list[str]) -> list[Experiment]:
    """The rows of these names and groups. Raises `BadInput` for an unknown one."""
    known = {"all"} | {row.name for row in ROWS} | {row.group for row in ROWS}
    if unknown := [name for name in names if name not in known]:
        near = difflib.get_close_matches(unknown[0], known) or ["all"]
        raise BadInput(f"row {unknown[0]}: expected a row or a group, such as {', '.join(near)}; --rows lists them")
    return [row for row in ROWS if {row.name, row.group, "all"} & set(names)]


def run(
    names: list[str],
    data: Path,
    out: Path,
    results: Path,
    units: int,
    length: float,
    quick: bool,
    every: int,
    seeds: Sequence[int],
) -> None:
    """Train and score rows of the study, one after another: `bgru study run`."""
    with join() as team:
        for row, seed, path in missing(choose(names), seeds, results):
            console.rule(path.stem)
            changes = [f"seed={seed}", *row.with_sizes(units, length)]
            folder = out / results_name(replace(row, name=row.run_of or row.name), seed, seeds).removesuffix(".json")
            settings = config.with_settings("small", changes)
            result = train_and_score(row, settings, data, folder, team, QUICK if quick else ALL, every)
            if result is not None:
                save(result, path)
                console.print(f"{path}: settings, curves and scores")
