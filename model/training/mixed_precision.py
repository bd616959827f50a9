"""A weight format for each layer, chosen under a budget: `bgru train --fit BOARD`.

A layer has one format: the lanes of its hardware hold W and U of all gates in the wider of their formats, so a narrower
one next to it would save no memory (docs/hardware.md).
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from types import MappingProxyType

import torch
from rich.table import Table

from model.bundle.bundle import Bundle
from model.console import console
from model.corpora.corpus import Corpus
from model.corpora.float_front_end import FloatFrontEnd
from model.errors import BadInput
from model.files import write_json
from model.reference.audio import Signal
from model.training import trainer
from model.training.config import BITWISE, Config, Stage
from model.training.distributed import Team
from model.training.export import to_bundle
from model.training.loss import Objective
from model.training.network import BINARY, REAL, MaskNetwork
from model.training.sensitivity import METHODS

__all__ = ["FORMATS", "Assignment", "Budget", "Fit", "choose", "chosen", "fit"]

FORMATS = ("binary", "ternary", *(f"int{bits}" for bits in range(3, 9)))
"""The formats to choose from."""

MOST_LAYERS = 4
"""Layers, the mask's included: every assignment of formats is tried."""

BATCHES, SEQUENCES = 4, 16
"""Batches that the methods hear, and mixtures in each."""

SHOWN = 5
"""Assignments in the table, next to one format for all layers."""

REAL_RUN, RECORD = "real", "fit.json"
"""In a run's folder: the real-valued run that it starts from, and what was chosen."""

Budget = Callable[[Bundle], Mapping[str, tuple[int, int]]]
"""What a network takes, and what there is, by resource; raises `BadInput` if that is not enough."""


@dataclass(frozen=True)
class Fit:
    """What a network has to fit: a device and its budget, and the method that chooses (`sensitivity.METHODS`).

    `audio` says whether the budget leaves room for the audio path.
    """

    device: str
    method: str
    budget: Budget
    audio: bool = False

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadInput(f"--method: expected one of {', '.join(METHODS)}, got {self.method}")

    def __str__(self) -> str:
        """Such as `icebreaker with audio, by curvature`."""
        return f"{self.device}{' with audio' if self.audio else ''}, by {self.method}"


@dataclass(frozen=True)
class Assignment:
    """A format for each layer, its weight bits, what it takes of each resource, and the method's figure."""

    formats: tuple[str, ...]
    weight_bits: int
    needs: Mapping[str, tuple[int, int]]
    predicted: float = float("nan")


def choose(
    run: Path,
    source: Corpus,
    settings: Config,
    team: Team,
    how: Fit,
    responses: Mapping[str, Signal] = MappingProxyType({}),
) -> list[Assignment]:
    """All assignments that fit, the best first, for the real-valued network of a run of these settings.

    Ties go to fewer bits. Raises `BadInput` if none fits: with what the narrowest lacks.
    """
    network, front_end = trainer.load(run, settings, REAL)
    networks = {name: _in_format(network, front_end, settings, name) for name in FORMATS}
    fitting = _fitting(networks, front_end, how.budget)
    rounded = [
        [networks[name].layers[index].rows.rounded().to(team.device) for name in FORMATS]
        for index in range(len(network.layers))
    ]
    mixtures, _ = trainer.fit_front_end(source, settings, list(responses.values()))
    mixtures.front_end = front_end
    quick = replace(settings, batches=BATCHES, sequences=min(SEQUENCES, settings.sequences))
    unheard = len(settings.plan())  # an epoch of its own
    alone = Team(device=team.device)
    heard = [trainer.as_tensors(batch, team.device) for batch in trainer.batches(mixtures, quick, unheard, alone)]
    indices = torch.tensor([[FORMATS.index(name) for name in one.formats] for one in fitting], device=team.device)
    objective = Objective(settings, front_end, team.device)
    method = METHODS[how.method]
    predicted = method(network.to(team.device), rounded, heard, objective, indices, settings.seed)
    found = [replace(one, predicted=value) for one, value in zip(fitting, predicted, strict=True)]
    return sorted(found, key=lambda one: (one.predicted, one.weight_bits))


def _in_format(network: MaskNetwork, front_end: FloatFrontEnd, settings: Config, name: str) -> MaskNetwork:
    """The network with this format in all layers."""
    made = trainer.make_network(front_end, replace(settings, format=(name,)))
    made.load_state_dict(network.state_dict())
    return made


def _fitting(networks: Mapping[str, MaskNetwork], front_end: FloatFrontEnd, budget: Budget) -> list[Assignment]:
    """The assignments that fit. Raises `BadInput` if there is none."""
    bundles = {name: to_bundle(network, front_end, name, {}) for name, network in networks.items()}
    found, narrowest = [], None
    for formats in product(FORMATS, repeat=len(bundles[FORMATS[0]].layers)):
        layers = tuple(bundles[name].layers[index] for index, name in enumerate(formats))
        made = replace(bundles[FORMATS[0]], name="mixed", layers=layers)
        try:
            found.append(Assignment(formats, made.weight_bits, budget(made)))
        except BadInput as error:
            narrowest = narrowest or error  # the first is that of the fewest bits
    if not found:
        assert narrowest is not None
        raise narrowest
    return found


def fit(
    source: Corpus,
    settings: Config,
    out: Path,
    team: Team,
    responses: Mapping[str, Signal],
    start: Path | None,
    how: Fit,
) -> tuple[Config, Path]:
    """Train the real-valued stages, choose the formats, print them, and return what is left to train.

    That is the settings with these formats and the quantised stages, and the run to start from. Both the run, in
    `out`/real, and the choice, in `out`/fit.json, are kept: the same command again goes on.
    """
    real, rest = _stages(settings)
    folder, first = out / REAL_RUN, replace(settings, stages=real)
    trainer.train(source, first, folder, team, responses, start)
    formats = chosen(out, folder, source, first, team, how, responses)
    return replace(settings, stages=rest, format=formats), folder


def chosen(
    out: Path,
    run: Path,
    source: Corpus,
    settings: Config,
    team: Team,
    how: Fit,
    responses: Mapping[str, Signal] = MappingProxyType({}),
) -> tuple[str, ...]:
    """The best of `choose`, which is printed and kept in `out`/fit.json, or what is there already."""
    record = out / RECORD
    if team.leads and not record.is_file():
        found = choose(run, source, settings, team, how, responses)
        console.print(table(found, how))
        write_json(record, {"fit": str(how), "assignments": [dataclasses.asdict(one) for one in found]})
    team.wait()
    formats = _read(record, str(how))
    if team.leads:
        console.print(f"{record}: formats {', '.join(formats)}")
    return formats


def _stages(settings: Config) -> tuple[tuple[Stage, ...], tuple[Stage, ...]]:
    """The real-valued stages, and those after them."""
    if settings.format == BITWISE:
        raise BadInput("setting format: expected integers with --fit, such as those of --preset tiny-int4, got bitwise")
    if len(settings.hidden) >= MOST_LAYERS:
        raise BadInput(f"setting hidden: expected at most {MOST_LAYERS - 1} layers with --fit, got {settings.hidden}")
    count = next((index for index, stage in enumerate(settings.stages) if stage[1:3] == BINARY), 0)
    if not count or len({stage[1:3] for stage in settings.stages[count:]}) != 1:
        raise BadInput("setting stages: expected real-valued ones (pi 0:0), then quantised ones (1:1), with --fit")
    return settings.stages[:count], settings.stages[count:]


def _read(record: Path, asked: str) -> tuple[str, ...]:
    """The formats chosen in a run's folder. Raises `BadInput` if they were chosen for another device or method."""
    try:
        found = json.loads(record.read_text(encoding="utf-8"))
        got, formats = found["fit"], tuple(found["assignments"][0]["formats"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise BadInput(f"{record}: expected the formats that were chosen, got {error!r}") from None
    if got != asked:
        raise BadInput(f"{record}: expected formats for {asked}, got those for {got}; choose another --out")
    return formats


def table(found: Sequence[Assignment], how: Fit) -> Table:
    """The best assignments that fit, then those of one format for all layers."""
    uniform = [one for one in found if len(set(one.formats)) == 1 and one not in found[:SHOWN]]
    shown = Table(title=f"formats that fit {how}", box=None, header_style="bold")
    kinds = list(found[0].needs)
    layers = [f"layer {index}" for index in range(len(found[0].formats))]
    for head in (*layers, "weight bits", *(kind.replace("_", " ") for kind in kinds), "predicted loss"):
        shown.add_column(head, justify="left" if head in layers else "right")
    for one in [*found[:SHOWN], *sorted(uniform, key=lambda other: -other.weight_bits)]:
        needs = (f"{count:,} of {there:,}" for count, there in (one.needs[kind] for kind in kinds))
        shown.add_row(*one.formats, f"{one.weight_bits:,}", *needs, f"{one.predicted:.4g}")
    return shown
