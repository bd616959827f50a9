"""Credits that folders of recordings bring along."""

from pathlib import Path

import pytest

from model.corpora.notices import LISTED, attributions
from model.errors import BadInput


def test_a_notice_is_copied_under_the_folder_s_short_name(tmp_path: Path) -> None:
    folder = tmp_path / "open" / "noise"
    folder.mkdir(parents=True)
    (folder / "NOTICE.txt").write_text("Rain by Ann, CC BY 4.0.\n")
    assert attributions(folder) == "### open/noise\n\nRain by Ann, CC BY 4.0."


def test_a_manifest_is_listed_by_licence_and_author(tmp_path: Path) -> None:
    rows = [
        "file,licence,author,source",
        "a.flac,CC BY 4.0,Ann,web/a",
        "b.flac,CC BY 4.0,Ann,web/b",
        "c.flac,CC0,Bob,web/c",
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows))
    lines = attributions(tmp_path).splitlines()[2:]
    assert lines == ["- CC BY 4.0, Ann: a.flac (web/a); b.flac (web/b)", "- CC0, Bob: c.flac (web/c)"]
    many = [f"{index}.flac,CC0,Bob,web/{index}" for index in range(LISTED + 1)]
    (tmp_path / "manifest.csv").write_text("\n".join([rows[0], *many]))
    assert attributions(tmp_path).endswith(f"- CC0, Bob: {LISTED + 1} files such as 0.flac (web/0)")


def test_a_folder_without_credits_has_none(tmp_path: Path) -> None:
    assert attributions(tmp_path) == ""


def test_a_manifest_without_its_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("file,author\na.flac,Ann\n")
    with pytest.raises(BadInput, match=r"manifest\.csv: expected columns file, licence, author and source"):
        attributions(tmp_path)
