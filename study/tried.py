# mypy: ignore-errors
# Functions of other modules are replaced, which has no types.
"""Levers tried on unknown noise: `python -m study.tried NAME --data DIR --out DIR --results DIR`.

Each is `format-real` and then `format-int4`, 96 units and 20 epochs, with one change that the project does not have:
features of earlier or later frames, of a second window, averaged weights, a loss that costs removed speech more.
Changes are made by replacing functions of `model.training` at run time.
"""

import argparse
import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from model.corpora.float_front_end import SlowGain, power
from model.evaluation import scoring
from model.training import batches, config, loss, trainer
from model.training.distributed import join
from model.training.network import BINARY, REAL
from study import networks, protocol
from study.experiments import ROWS
from study.run import QUICK, write

CHANGES = {
    "context-1": "levels of one earlier frame as well",
    "context-3": "levels of three earlier frames as well",
    "ahead-2": "mask two frames late",
    "two-windows": "levels of a 1024-point window as well",
    "averaged": "average of the weights over some 100 steps",
    "speech-2": "removed speech costs twice as much as noise left",
}

LONG = 1024


def framed(change: str, x: Any) -> Any:
    """Features (frames, ...) with those of other frames."""
    if change.startswith("context-"):
        steps = range(1, int(change[8:]) + 1)
        return np.concatenate([x, *(np.concatenate([np.repeat(x[:1], s, 0), x[:-s]]) for s in steps)], -1)
    if change == "ahead-2":
        return np.concatenate([x[2:], np.repeat(x[-1:], 2, 0)])
    return x


def change_features(change: str) -> None:
    """Make networks hear the features of the change."""
    plain, two = batches.features, change == "two-windows"
    long: dict[str, Any] = {}

    def features(front_end: Any, heard: Any, magnitudes: bool = False) -> Any:
        if two and "heard" in long:
            other, more = long["front_end"], long.pop("heard")
            x = np.concatenate([plain(front_end, heard), plain(other, more)], -1)
            return x
        return framed(change, plain(front_end, heard, magnitudes))

    batches.features = networks.features = features
    if not two:
        return
    wide: dict[str, Any] = {}

    def other_of(front_end: Any) -> Any:
        thresholds = wide.get("thresholds", np.zeros((LONG // 2 + 1, 1), np.float32))
        return replace(front_end, fft_size=LONG, hop=front_end.hop, thresholds=thresholds)

    def spectra_of(front_end: Any, signal: Any, skip: int, frames: int) -> Any:
        """Frames of the long window that end with those of the short one."""
        other = other_of(front_end)
        late = (LONG - front_end.fft_size) // 2 // front_end.hop
        padded = np.concatenate([np.zeros(LONG, np.float32), signal, np.zeros(LONG, np.float32)])
        begin = LONG // front_end.hop + skip + front_end.transform.p_min - late - other.transform.p_min
        return other.stft(padded)[begin : begin + frames]

    spectra, pair, made = batches.Mixtures.spectra, batches.Mixtures._pair, []

    def remembered(self: Any, samples: int, snr: Any, rng: Any) -> Any:
        result = pair(self, samples, snr, rng)
        made.append(result[0] + result[1])
        return result

    def both(self: Any, frames: int, snr: Any, sources: Any) -> Any:
        made.clear()
        result = spectra(self, frames, snr, sources)
        long["spectrum"] = np.stack([spectra_of(self.front_end, s, self._skip, frames) for s in made])
        return result

    of_mixtures = batches.Mixtures.features

    def mixed(self: Any, mixture: Any, level_db: Any) -> Any:
        gain = np.power(10.0, level_db / 10.0).astype(np.float32)
        heard = np.ascontiguousarray((power(long["spectrum"]) * gain[:, None, None]).swapaxes(0, 1))
        if "thresholds" not in wide:
            level = np.sqrt(np.ldexp(heard, -SlowGain(other_of(self.front_end)).exponents(heard)[..., None]))
            wide["thresholds"] = trainer.level_begins(level.reshape(-1, level.shape[-1]), True)
        long["front_end"], long["heard"] = other_of(self.front_end), heard
        return of_mixtures(self, mixture, level_db)

    batches.Mixtures._pair, batches.Mixtures.spectra, batches.Mixtures.features = remembered, both, mixed

    call = networks.Masker.__call__

    def heard_twice(self: Any, signals: Any) -> Any:
        frames = len(self.front_end.stft(signals.mixture))
        spectrum = spectra_of(self.front_end, signals.mixture, 0, frames)
        long["front_end"], long["heard"] = other_of(self.front_end), power(spectrum)
        return call(self, signals)

    networks.Masker.__call__ = heard_twice


def change_network(change: str) -> None:
    """Make networks as wide as the features of the change."""
    make = trainer.MaskNetwork
    columns = {"context-1": 2, "context-3": 4}.get(change, 1)

    def made(features: int, hidden: Any, bins: int, kind: str, numbers: Any) -> Any:
        inputs = features * columns + (LONG // 2 + 1 if change == "two-windows" else 0)
        return make(inputs, hidden, bins, kind, numbers)

    trainer.MaskNetwork = made


def change_average() -> None:
    """Score and keep the average of the weights."""
    train_epoch = trainer.train_epoch
    save, scores = trainer._save, trainer.Validation.scores
    kept: dict[str, Any] = {}

    def averaging(network: Any, optimiser: Any, *rest: Any) -> float:
        step = optimiser.step

        def stepped() -> None:
            step()
            now = {name: value.detach() for name, value in network.named_parameters()}
            for name, value in now.items():
                kept.setdefault(name, value.clone()).lerp_(value, 0.01)

        optimiser.step = stepped
        try:
            return float(train_epoch(network, optimiser, *rest))
        finally:
            optimiser.step = step

    def swapped(network: Any) -> Any:
        other = copy.deepcopy(network)
        other.load_state_dict({**network.state_dict(), **kept})
        return other

    trainer.train_epoch = averaging
    trainer.Validation.scores = lambda self, network, *rest: scores(self, swapped(network), *rest)

    def saved(out: Path, network: Any, optimiser: Any, *rest: Any) -> None:
        save(out, swapped(network), optimiser, *rest)

    trainer._save = saved


def change_loss() -> None:
    """Weigh errors where the speech is louder twice."""
    factor = 2.0

    def weighted(v: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
        wanted, softplus = (1.0 + mask) / 2.0, torch.nn.functional.softplus
        share = 2.0 * factor / (1.0 + factor), 2.0 / (1.0 + factor)
        each = share[0] * wanted * softplus(-2.0 * v) + share[1] * (1.0 - wanted) * softplus(2.0 * v)
        return (weight * each).mean()

    loss.weighted_loss = weighted


def main() -> None:
    """Train and score one change."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("change", choices=CHANGES)
    for name in ("data", "out", "results"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    given = parser.parse_args()
    change_features(given.change)
    change_network(given.change)
    if given.change == "averaged":
        change_average()
    if given.change == "speech-2":
        change_loss()
    rows = {row.name: row for row in ROWS}
    source = protocol.source(given.data, "general")
    folder, systems, history = given.out / given.change, {}, []
    with join() as team:
        for name, pi in (("format-real", REAL), ("format-int4", BINARY)):
            row = rows[name]
            settings = config.with_settings("small", row.with_sizes(1024, 1.0))
            start = folder / row.start if row.start else None
            history += trainer.train(source, settings, folder / name, team, start=start)
            systems[name] = networks.Masker(*trainer.load(folder / name, settings, pi), pi, False)
    trials = protocol.trials(given.data, "general", settings.sample_rate, settings.rms)
    scores = scoring.summary(scoring.score(systems, trials, QUICK), protocol.SHARED_SENTENCES)
    means = {
        name: {m: round(one["all"]["mean"][m], 4) for m in QUICK} for name, one in scores.items() if name in systems
    }
    write({"change": CHANGES[given.change], "scores": means}, given.results / f"{given.change}.json")
    print(json.dumps(means, indent=1))


if __name__ == "__main__":
    main()
