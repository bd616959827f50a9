"""The section of a model card with the scores next to RNNoise's."""

import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.errors import BadInput
from study.cards import HEADING, run, section, with_section
from study.results import read

SHIPPED = sorted(path.parent for path in Path("bundles").glob("*/README.md"))

SECTION = [HEADING, "", "| a |", "| - |", ""]

LINES = st.lists(st.sampled_from(["", "text", "### Part", "## Scores"]), max_size=6)


@pytest.mark.parametrize("folder", SHIPPED, ids=[folder.name for folder in SHIPPED])
def test_the_shipped_cards_have_todays_scores(folder):
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert "RNNoise |" in card
    assert with_section(card, section(read(Path("docs/study")), folder.name)) == card


@given(LINES, LINES)
def test_the_section_stands_before_the_licence_and_is_written_once(before, after):
    card = "".join(f"{line}\n" for line in [*before, "## Licence", *after])
    once = with_section(card, SECTION)
    assert once.splitlines() == [*before, *SECTION, "## Licence", *after]
    assert with_section(once, SECTION) == once


@given(LINES)
def test_without_a_licence_it_stands_at_the_end(before):
    card = "".join(f"{line}\n" for line in before)
    assert with_section(card, SECTION).splitlines() == [*before, *SECTION]


def test_the_command_writes_the_section_and_says_what_has_no_scores(tmp_path, capsys):
    for name in ("small", "mine"):
        shutil.copytree(Path("bundles") / "small", tmp_path / name)
        card = tmp_path / name / "README.md"
        card.write_text(with_section(card.read_text(encoding="utf-8"), []), encoding="utf-8")
    run(Path("docs/study"), [tmp_path / "small", tmp_path / "mine"])
    assert (tmp_path / "small" / "README.md").read_bytes() == Path("bundles/small/README.md").read_bytes()
    assert HEADING not in (tmp_path / "mine" / "README.md").read_text(encoding="utf-8")
    assert "mine: no scores in docs/study; its card stays as it is" in capsys.readouterr().out.replace("\n", " ")


def test_a_bundle_without_a_card_is_refused(tmp_path):
    shutil.copytree(Path("bundles") / "small", tmp_path / "small")
    (tmp_path / "small" / "README.md").unlink()
    with pytest.raises(BadInput, match=r"small: expected a bundle with a model card, got no README\.md"):
        run(Path("docs/study"), [tmp_path / "small"])


def test_a_bundle_without_scores_has_no_section():
    assert section(read(Path("docs/study")), "mine") == []
