"""`report.json`: a network's origin, training and scores, without paths of the machine."""

import dataclasses
import importlib.metadata
import json
import platform
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.bundle.bundle import Bundle
from model.corpora.corpus import Corpus
from model.corpora.notices import short
from model.files import replacing
from model.training.config import Config

PACKAGES = ("torch", "numpy", "scipy", "fast_bss_eval", "pystoi", "pesq")
"""Packages whose versions a report records: scores or weights depend on them."""


def command_line(options: Sequence[tuple[str, Path | str]]) -> str:
    """The training command, with `short` paths and without empty options."""
    words = ["bgru", "train"]
    for option, value in options:
        text = short(value) if isinstance(value, Path) else value
        words += [option, text] if text else []
    return shlex.join(words)


def provenance(
    command: str, settings: Config, speech: Sequence[Path], noise: Sequence[Path], source: Corpus, best: dict[str, Any]
) -> dict[str, Any]:
    """A network's origin, as JSON for its bundle; scores are added later."""
    return {
        "command": command,
        "settings": {**dataclasses.asdict(settings), "stages": [str(stage) for stage in settings.stages]},
        "corpus": {
            "speech": ", ".join(short(folder) for folder in speech),
            "noise": ", ".join(short(folder) for folder in noise),
            "noises": list(source.noise_stretches("training")),
            "held_out": sorted(source.held_out),
            "training_speakers": len(source.split.training),
            "validation": list(source.split.validation),
            "test": list(source.split.test),
        },
        "best": best,
        **environment(),
    }


def environment() -> dict[str, Any]:
    """The revision of the sources and the versions that weights and scores depend on."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {"revision": _revision(), "versions": {"python": platform.python_version(), **versions}}


def _revision() -> str | None:
    """The git revision of this file's checkout, with -dirty if it has changes; None outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return found.stdout.strip()


def write_report(bundle: Bundle, history: Sequence[dict[str, Any]], path: Path) -> None:
    """`report.json`: the bundle's provenance, its size, and every epoch."""
    sizes = {layer.name: {"kind": layer.kind, "inputs": layer.inputs, "units": layer.units} for layer in bundle.layers}
    report = {"name": bundle.name, "weights": bundle.weights, "layers": sizes, **bundle.provenance, "epochs": history}
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
