"""A section in each bundle's model card: its scores next to RNNoise's, from `bgru study generalisation`."""

from pathlib import Path
from typing import Any

from model.bundle.read import read_bundle
from model.console import console
from model.errors import BadInput
from model.evaluation.scoring import MIXTURE
from model.files import replacing
from study.results import Result, on_the_same_mixtures, read
from study.tables import BY_SNR, GENERAL_PARTS, by_snr_table, general_table, harmed_by_snr_table

__all__ = ["run", "section", "with_section"]

CARD = "README.md"

HEADING = "## Next to RNNoise"

BEFORE = "## Licence"
"""The section of a card that this one stands before."""

OTHERS = (MIXTURE, "RNNoise")


def section(results: dict[str, Result], bundle: str) -> list[str]:
    """The section of a bundle's card; nothing if the bundle was not scored."""
    lines: list[str] = []
    for part, title in GENERAL_PARTS.items():
        scores: dict[str, Any] = on_the_same_mixtures(results, part)
        shown = {name: scores[name] for name in (*OTHERS, f"`{bundle}`") if name in scores}
        if f"`{bundle}`" not in shown:
            continue
        lines += [f"### {title}", "", *general_table(shown), ""]
        if part == "snr":
            for table in (*(by_snr_table(shown, metric) for metric in BY_SNR), harmed_by_snr_table(shown)):
                lines += [*table, ""]
    if not lines:
        return []
    note = "All on the same mixtures: scored by `bgru study generalisation`, written here by `bgru study cards`."
    return [HEADING, "", note, "", *lines]


def with_section(card: str, lines: list[str]) -> str:
    """A card with this section, in the place of an older one, before the licence or at the end."""
    old = card.splitlines()
    if HEADING in old:
        start = old.index(HEADING)
        end = next((number for number in range(start + 1, len(old)) if old[number].startswith("## ")), len(old))
        old[start:end] = []
    else:
        start = old.index(BEFORE) if BEFORE in old else len(old)
    return "\n".join([*old[:start], *lines, *old[start:]]) + "\n"


def run(results: Path, bundles: list[Path]) -> None:
    """Write the section into the card of each bundle that has scores: `bgru study cards`.

    Raises `BadInput` for a folder that is no bundle, or has no card.
    """
    found = read(results)
    for folder in bundles:
        read_bundle(folder)
        lines = section(found, folder.name)
        if not lines:
            console.print(f"{folder.name}: no scores in {results}; its card stays as it is", highlight=False)
            continue
        path = folder / CARD
        if not path.is_file():
            raise BadInput(f"{folder}: expected a bundle with a model card, got no {CARD}")
        text = with_section(path.read_text(encoding="utf-8"), lines)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        console.print(f"{path}: written", highlight=False)
