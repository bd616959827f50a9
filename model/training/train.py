"""Train a network on your own recordings: `bgru train --speech DIR --noise DIR --out runs/NAME`.

Trains by the settings' stages (Kim, Maity and Kim, ICASSP 2019), exports a bundle, scores it on speakers and noise that
the network never heard, and writes a report and a page. Under `torchrun` several processes share each batch.
"""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.bundle.bundle import check_name
from model.bundle.write import write_bundle
from model.console import console
from model.corpora import corpus, rooms
from model.corpora.corpus import Corpus
from model.corpora.notices import attributions, read_notice
from model.errors import BadInput
from model.evaluation import scoring
from model.pages import model_card, training_page, training_plot
from model.training import config, distributed, mixed_precision, run_report, trainer
from model.training.config import Config
from model.training.export import to_bundle
from model.training.mixed_precision import Fit
from model.training.network import BINARY

EXAMPLES = 3
"""Test mixtures on the page, spread over noises and speakers."""


def finish(
    source: Corpus,
    settings: Config,
    history: trainer.History,
    out: Path,
    target: Path,
    origin: dict[str, Any],
    licence: str,
) -> None:
    """Turn a finished run into its bundle, model card, report, page and picture."""
    network, front_end = trainer.load(out, settings, BINARY)
    made = to_bundle(network, front_end, out.resolve().name, origin)
    console.print(f"scoring on {', '.join(source.split.test)}: the network never heard them")
    common = (source, settings.snr_test, settings.sample_rate, settings.rms, settings.test_mixtures)
    trials = {part: scoring.sample(*common, held_out) for part, held_out in (("scores", False), ("held_out", True))}
    one_of_each = {(trial.speaker, trial.speech): trial for trial in trials["scores"]}
    trials["clean"] = [replace(trial, snr_db=math.inf) for trial in one_of_each.values()]
    for part, chosen in trials.items():
        if chosen:
            metrics = model_card.CLEAN if part == "clean" else model_card.SHOWN
            origin[part] = scoring.summary(scoring.score(scoring.of_bundle(made), chosen, metrics))
    write_bundle(made, target)
    model_card.write(made, target, licence)
    run_report.write_report(made, history, out / "report.json")
    training_plot.draw(history, out / "curves.png")
    pool = trials["held_out"] or trials["scores"]
    shown = pool[:: -(-len(pool) // EXAMPLES)]
    examples = {
        f"{trial.speaker}, {trial.utterance} in {trial.noise}, {trial.snr_db:g} dB": trial.mixture() for trial in shown
    }
    training_page.write(out / "report.html", made, target, history, examples)
    for line in model_card.tables(origin):
        console.print(line)
    console.print(f"{target}: bundle and model card; {out}: report.html, report.json and curves.png")
    console.print(f"next: make sim BUNDLE={target}")
    console.print(f"      bgru denoise noisy.wav denoised.wav --bundle {target}")


def run(
    speech: list[Path],
    noise: list[Path],
    out: Path,
    preset: str,
    bundle_folder: Path | None,
    test_speakers: str,
    validation_speakers: str,
    held_out_kinds: str,
    rooms_folder: Path | None,
    start: Path | None,
    seed: int | None,
    settings: list[str] | None,
    notice: Path | None,
    skip_broken: bool,
    fit: Fit | None = None,
) -> None:
    """Train a network and export it as a bundle with a model card: `bgru train`.

    With `fit`, each layer gets the weight format that `model.training.mixed_precision` chooses.
    """
    with distributed.join() as members:
        changes = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
        chosen = config.with_settings(preset, changes)
        if chosen.stages[-1][1:3] != BINARY or chosen.input != "bits":
            raise BadInput(
                "setting stages: expected a last one at pi 1:1 and input bits, as a bundle needs, got another"
            )
        check_name(out.resolve().name)  # fail before the work, not after it
        front_end = trainer.untrained_front_end(chosen)
        front_end.to_integers().check()
        to_bundle(trainer.make_network(front_end, chosen), front_end, "untrained", {})  # it checks the formats
        folders = [*speech, *noise, *([rooms_folder] if rooms_folder else [])]
        licence = "\n\n".join(part for part in (read_notice(notice), *map(attributions, folders)) if part)
        names = (_names(test_speakers), _names(validation_speakers))
        kinds = _names(held_out_kinds)
        source = corpus.find(speech, noise, *names, chosen.speaker_fraction, chosen.seed, skip_broken, kinds)
        responses = rooms.recorded(rooms_folder, chosen.sample_rate) if rooms_folder else {}
        source.signals("test", chosen.sample_rate)  # a broken recording shows now
        begin = start
        if fit is not None:
            chosen, begin = mixed_precision.fit(source, chosen, out, members, responses, start, fit)
        history = trainer.train(source, chosen, out, members, responses, begin)
        if not members.leads:
            return
    command = run_report.command_line(
        [
            ("--preset", preset),
            *(("--speech", folder) for folder in speech),
            *(("--noise", folder) for folder in noise),
            ("--held-out-kinds", held_out_kinds),
            ("--rooms", rooms_folder or ""),
            ("--start", start or ""),
            ("--out", out),
            ("--result", bundle_folder or ""),
            ("--test-speakers", test_speakers),
            ("--validation-speakers", validation_speakers),
            *(("--set", setting) for setting in changes),
            ("--fit", fit.device if fit else ""),
            ("--method", fit.method if fit else ""),
            ("--notice", notice or ""),
        ]
    )
    command += (" --skip-broken" if skip_broken else "") + (" --with-audio" if fit and fit.audio else "")
    origin = run_report.provenance(command, chosen, speech, noise, source, trainer.best(history, BINARY))
    finish(source, chosen, history, out, bundle_folder or out / "bundle", origin, licence)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]
