"""How denoisers do on noise of kinds they were never trained on: `bgru study generalisation`.

Every system hears the same mixtures: test speakers, in a sample of the kinds that training hears, in one of the kinds
that are held back from it (`protocol.HELD_OUT`), and without noise. `study.tables` makes the tables of docs/study.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.evaluation import scoring
from model.evaluation.scoring import MIXTURE, Golden, System, Trial, unprocessed
from model.pages import model_card
from model.training import run_report, trainer
from model.training.export import to_bundle
from model.training.network import BINARY
from study import protocol
from study.denoisers import RNNoise
from study.run import write

RATE, RMS = 16000, 0.1


def trials(data: Path, count: int, snrs: Sequence[float]) -> dict[str, list[Trial]]:
    """`count` mixtures of held-out kinds and as many of known ones, and every test utterance without noise."""
    source = protocol.general(data)
    made = {
        name: scoring.sample(source, snrs, RATE, RMS, count, held_out)
        for name, held_out in (("held out", True), ("known", False))
    }
    utterances = {(trial.speaker, trial.speech): trial for trial in scoring.trials(source, math.inf, RATE, RMS)}
    return made | {"clean": list(utterances.values())}


def run(
    data: Path,
    bundles: list[Path],
    runs: list[Path],
    count: int,
    snrs: list[float],
    rnnoise: bool,
    name: str,
    results: Path,
    processes: int,
) -> None:
    """Score systems on known and on held-out kinds of noise: `bgru study generalisation`."""
    systems: dict[str, System] = {MIXTURE: unprocessed}
    if rnnoise:
        systems["RNNoise"] = RNNoise(RATE)
    for folder in bundles:
        systems[f"`{folder.name}`"] = Golden(read_bundle(folder))
    for folder in runs:
        network, front_end = trainer.load(folder, trainer.settings_of(folder), BINARY)
        systems[folder.name] = Golden(to_bundle(network, front_end, folder.name, {}))
    if len(systems) < 1 + rnnoise + len(bundles) + len(runs):
        raise BadInput("bundles and runs: expected folders of different names, got one twice")
    found = {}
    for part, chosen in trials(data, count, snrs or protocol.SNRS_DB).items():
        metrics = model_card.CLEAN if part == "clean" else ("sdr", *model_card.CLEAN)
        found[part] = scoring.summary(scoring.score(systems, chosen, metrics, processes))
        for system, scores in found[part].items():
            mean = scores["all"]["mean"]
            text = ", ".join(f"{key} {value:.3f}" for key, value in mean.items())
            console.print(f"{part}, {system}: {text}, harmed {scores['all'].get('harmed', 0):.0%}")
    path = results / f"generalisation-{name}.json"
    kinds = sorted(protocol.HELD_OUT)
    write({"held_out": kinds, "environment": run_report.environment(), "scores": found}, path)
    console.print(f"{path}: written")
