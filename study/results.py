"""The results of the study: JSON files, by name."""

import json
from pathlib import Path
from typing import Any

from model.errors import BadInput
from model.evaluation.scoring import MIXTURE

__all__ = ["Result", "on_the_same_mixtures", "read"]

Result = dict[str, Any]


def read(folder: Path) -> dict[str, Result]:
    """All results by the name of their file. Raises `BadInput` if there is none or one is broken."""
    found = {}
    for path in sorted(folder.glob("*.json"), key=lambda path: path.stem):
        try:
            found[path.stem] = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInput(f"{path}: expected a result of study.run, got {error}") from None
    if not found:
        raise BadInput(f"{folder}: expected results of `bgru study run` (*.json), got none")
    return found


def on_the_same_mixtures(results: dict[str, Result], part: str) -> dict[str, Any]:
    """The scores of every system of the results of `study.generalisation`; nothing if there are none.

    Raises `BadInput` if two results are of different mixtures.
    """
    found: dict[str, Any] = {}
    for name, result in results.items():
        if name.startswith("generalisation"):
            scores = result["scores"].get(part, {})
            if not scores:
                continue
            if found.get(MIXTURE, scores[MIXTURE]) != scores[MIXTURE]:
                raise BadInput(f"{name}: expected the mixtures of the other results, got others; score them together")
            found |= scores
    return found
