"""How recordings are named and credited: in reports, model cards and beside the samples."""

from pathlib import Path

from model.errors import BadInput


def short(path: Path) -> str:
    """The last two parts of a path, such as open/speech: reports name folders, not where a machine keeps them."""
    return "/".join(path.resolve().parts[-2:])


def read_notice(path: Path | None) -> str:
    """The text of a notice for the model card; nothing where no file is given."""
    if path is None:
        return ""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: expected a text file with the recordings' licence, got {error}") from None
