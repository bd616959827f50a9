"""How recordings are named and credited in reports, in model cards and next to the samples."""

import csv
from pathlib import Path

from model.errors import BadInput

LISTED = 20
"""Up to this many files of one author are listed by name."""


def short(path: Path) -> str:
    """The last two parts of a path, such as open/speech, so reports don't show where it is on a machine."""
    return "/".join(path.resolve().parts[-2:])


def read_notice(path: Path | None) -> str:
    """The text of a notice for the model card; empty without a file."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: expected a text file with the recordings' licence, got {error}") from None


def attributions(folder: Path) -> str:
    """The credits in a folder of recordings, as Markdown; empty if it has none.

    Either its `NOTICE.txt` or, from its `manifest.csv` with the columns file, licence, author and source, one line for
    all files of the same licence, author and source.
    """
    title = f"### {short(folder)}\n\n"
    if text := read_notice(folder / "NOTICE.txt" if (folder / "NOTICE.txt").is_file() else None):
        return title + text.strip()
    manifest = folder / "manifest.csv"
    if not manifest.is_file():
        return ""
    try:
        with manifest.open(encoding="utf-8", newline="") as file:
            rows = [(row["licence"], row["author"], row["source"], row["file"]) for row in csv.DictReader(file)]
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise BadInput(f"{manifest}: expected columns file, licence, author and source, got {error!r}") from None
    files: dict[tuple[str, str], list[str]] = {}
    for licence, author, source, file_name in rows:
        files.setdefault((licence, author), []).append(f"{file_name} ({source})")
    lines = [f"- {licence}, {author}: {_listed(names)}" for (licence, author), names in files.items()]
    return title + "\n".join(lines)


def _listed(names: list[str]) -> str:
    return "; ".join(names) if len(names) <= LISTED else f"{len(names)} files such as {names[0]}"
