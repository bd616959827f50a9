"""Train a network on one's own recordings: `bgru train --speech DIR --noise DIR --out runs/NAME`.

The two rounds of Kim, Maity and Kim (ICASSP 2019) as the settings' stages say, the export to a bundle, its scores on
speakers and noise that it never met, a report and a page. Under `torchrun` several processes share each batch.
"""

from pathlib import Path
from typing import Any

from model.bundle import bundle
from model.console import console
from model.corpora import corpus
from model.corpora.corpus import Corpus
from model.corpora.notices import read_notice
from model.errors import BadInput
from model.evaluation import scoring
from model.pages import model_card, training_page, training_plot
from model.training import config, distributed, run_report, trainer
from model.training.config import Config
from model.training.export import to_bundle
from model.training.network import BINARY

EXAMPLES = 3
"""Test mixtures that the page shows, spread over noises and speakers."""


def finish(
    source: Corpus,
    settings: Config,
    history: trainer.History,
    out: Path,
    target: Path,
    origin: dict[str, Any],
    licence: str,
) -> None:
    """From a run that has ended to its bundle, model card, report, page and picture."""
    network, front_end = trainer.load(out, settings, BINARY)
    made = to_bundle(network, front_end, out.resolve().name, origin)
    console.print(f"scoring on {', '.join(source.split.test)}, whom the network never met")
    trials = scoring.trials(source, settings.snr_test, settings.sample_rate, settings.rms)
    origin["scores"] = scoring.summary(scoring.score(scoring.of_bundle(made), trials))
    bundle.write(made, target)
    model_card.write(made, target, licence)
    run_report.write_report(made, history, out / "report.json")
    training_plot.draw(history, out / "curves.png")
    shown = trials[:: -(-len(trials) // EXAMPLES)]
    examples = {f"{trial.speaker}, {trial.utterance} in {trial.noise}": trial.mixture() for trial in shown}
    training_page.write(out / "report.html", made, target, history, examples)
    for line in model_card.table(origin["scores"]):
        console.print(line)
    console.print(f"{target}: bundle and model card; {out}: run_report.html, run_report.json and training_plot.png")
    console.print(f"next: make sim BUNDLE={target}")
    console.print(f"      bgru denoise noisy.wav denoised.wav --bundle {target}")


def run(
    speech: list[Path],
    noise: Path,
    out: Path,
    preset: str,
    bundle_folder: Path | None,
    test_speakers: str,
    validation_speakers: str,
    seed: int | None,
    settings: list[str] | None,
    notice: Path | None,
    skip_broken: bool,
) -> None:
    """Train a network in two rounds and export it as a bundle with a model card: `bgru train`."""
    with distributed.join() as members:
        changes = [*(settings or []), *([] if seed is None else [f"seed={seed}"])]
        chosen = config.with_settings(preset, changes)
        if chosen.stages[-1][1:3] != BINARY or chosen.input != "bits":
            raise BadInput(
                "setting stages: expected a last one at pi 1:1 and input bits, which a bundle needs, got another"
            )
        bundle.check_name(out.resolve().name)  # before the work, not after it
        licence = read_notice(notice)
        names = (_names(test_speakers), _names(validation_speakers))
        source = corpus.find(speech, noise, *names, chosen.speaker_fraction, chosen.seed, skip_broken)
        source.signals("test", chosen.sample_rate)  # a broken one is met now
        history = trainer.train(source, chosen, out, members)
        if not members.leads:
            return
    command = run_report.command_line(
        [
            ("--preset", preset),
            *(("--speech", folder) for folder in speech),
            ("--noise", noise),
            ("--out", out),
            ("--result", bundle_folder or ""),
            ("--test-speakers", test_speakers),
            ("--validation-speakers", validation_speakers),
            *(("--set", setting) for setting in changes),
            ("--notice", notice or ""),
        ]
    ) + (" --skip-broken" if skip_broken else "")
    origin = run_report.provenance(command, chosen, speech, noise, source, trainer.best(history, BINARY))
    finish(source, chosen, history, out, bundle_folder or out / "bundle", origin, licence)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]
