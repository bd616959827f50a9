"""How denoisers do on noise of kinds they were never trained on: `bgru study generalisation`.

Every system hears the same mixtures of the test speakers, in the parts of `trials`. `study.tables` makes the tables of
docs/study. A stopped run resumes.
"""

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from model.bundle.bundle import Bundle
from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.evaluation import scoring
from model.evaluation.metrics import OPINIONS
from model.evaluation.scoring import MIXTURE, Golden, Row, System, Trial, unprocessed
from model.files import replacing
from model.training import run_report, trainer
from model.training.export import to_bundle
from model.training.network import BINARY
from study import protocol
from study.denoisers import RNNoise
from study.run import write

RATE, RMS = 16000, 0.1

SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
"""Of the part `snr`."""


def trials(data: Path, count: int, snrs: Sequence[float]) -> dict[str, list[Trial]]:
    """The mixtures of every part.

    held out, known : `count` of kinds held out from training (`protocol.HELD_OUT`), and as many of known kinds
    snr : a quarter of `count` of held-out kinds, the same ones at each of `SNRS_DB`
    reverberant : half of `count` of held-out kinds, speech in simulated rooms, one for each mixture
    clean : every test utterance without noise
    """
    source = protocol.general(data)

    def held_out(snrs: Sequence[float], count: int) -> list[Trial]:
        return scoring.sample(source, snrs, RATE, RMS, count, held_out=True)

    reverberant = held_out(snrs, max(1, count // 2))
    utterances = {(trial.speaker, trial.speech): trial for trial in scoring.trials(source, math.inf, RATE, RMS)}
    return {
        "clean": list(utterances.values()),
        "snr": [trial for snr in SNRS_DB for trial in held_out([snr], max(1, count // 4))],
        "reverberant": [replace(trial, room=_room(trial)) for trial in reverberant],
        "held out": held_out(snrs, count),
        "known": scoring.sample(source, snrs, RATE, RMS, count, held_out=False),
    }


def _room(trial: Trial) -> int:
    """A room for each mixture, independent of the others, so a journal works for any count."""
    return zlib.crc32("/".join(trial.key[:3]).encode())


class Journal:
    """The rows of a part so far, in a file that is kept until `done`.

    `of` says what is scored: networks with their identities, systems, metrics. Raises `BadInput` if the file is of
    something else, or damaged.
    """

    def __init__(self, path: Path, of: Mapping[str, Any]) -> None:
        self.path, self.rows = path, list[Row]()
        header = json.dumps(of)
        path.parent.mkdir(parents=True, exist_ok=True)
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        first, *lines = text.split("\n")[:-1] or [header]  # a truncated line is scored again
        if first != header:
            raise BadInput(
                f"{path}: expected scores of the same networks, systems and metrics, got others; "
                "remove it to begin again"
            )
        try:
            for line in lines:
                self.rows += [Row(**row) for row in json.loads(line)]
        except (ValueError, TypeError):
            raise BadInput(f"{path}: expected rows of scores, got a damaged line; remove it to begin again") from None
        with replacing(path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in (header, *lines)), encoding="utf-8")

    def done(self) -> None:
        """The scores are in their JSON: the next run begins again."""
        self.path.unlink()

    def score(
        self, systems: dict[str, System], chosen: Sequence[Trial], metrics: Sequence[str], processes: int
    ) -> list[Row]:
        """The rows of the trials; only missing ones are scored."""
        done = {row.trial for row in self.rows}
        left = [trial for trial in chosen if trial.key not in done]
        with self.path.open("a", encoding="utf-8") as file:
            for rows in scoring.scored(systems, left, metrics, processes):
                file.write(json.dumps([asdict(row) for row in rows]) + "\n")
                file.flush()
                self.rows += rows
        asked = {trial.key for trial in chosen}
        return [row for row in self.rows if row.trial in asked]


def run(
    data: Path,
    bundles: list[Path],
    runs: list[Path],
    count: int,
    snrs: list[float],
    parts: list[str],
    quick: bool,
    rnnoise: bool,
    name: str,
    out: Path,
    results: Path,
    processes: int,
) -> None:
    """Score systems on `parts`, or on all: `bgru study generalisation`.

    The JSON is written after each part. Other parts keep their scores in it.
    Raises `BadInput` for an unknown part.
    """
    networks = {f"`{folder.name}`": read_bundle(folder) for folder in bundles}
    networks |= {folder.name: _of_run(folder) for folder in runs}
    if len(networks) < len(bundles) + len(runs):
        raise BadInput("bundles and runs: expected folders of different names, got one twice")
    systems: dict[str, System] = {MIXTURE: unprocessed}
    if rnnoise:
        systems["RNNoise"] = RNNoise(RATE)
    systems |= {label: Golden(network) for label, network in networks.items()}
    identities = {label: network.identity.hex() for label, network in networks.items()}
    path = results / f"generalisation-{name}.json"
    by_part = trials(data, count, snrs or protocol.SNRS_DB)
    for part in parts:
        if part not in by_part:
            raise BadInput(f"part: expected one of {', '.join(by_part)}, got {part}")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["scores"] if parts and path.exists() else {}
    for part in parts or by_part:
        chosen = by_part[part]
        metrics = ["si_sdr", "stoi", *(() if part == "clean" else ("sdr",)), *(() if quick else ("pesq", *OPINIONS))]
        of = {"networks": identities, "systems": [*systems], "metrics": metrics}
        journal = Journal(out / f"generalisation-{name}" / f"{part}.jsonl", of)
        found[part] = scoring.summary(journal.score(systems, chosen, metrics, processes))
        kinds = sorted(protocol.HELD_OUT)
        write({"held_out": kinds, "environment": run_report.environment(), "scores": found}, path)
        journal.done()
        for system, scores in found[part].items():
            mean = scores["all"]["mean"]
            text = ", ".join(f"{key} {value:.3f}" for key, value in mean.items())
            console.print(f"{part}, {system}: {text}, harmed {scores['all'].get('harmed', 0):.0%}")
    console.print(f"{path}: written")


def _of_run(folder: Path) -> Bundle:
    """The best bitwise network of a training run."""
    network, front_end = trainer.load(folder, trainer.settings_of(folder), BINARY)
    return to_bundle(network, front_end, folder.name, {})
