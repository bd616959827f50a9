"""The cache: one entry per set of inputs, whole or absent."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.flow import cache
from model.errors import BadInput


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path_factory.mktemp("cache")))


def write(text: str):
    return lambda folder: (folder / "text").write_text(text)


def test_an_entry_is_made_once():
    first = cache.cached("demo", ["a", b"b"], write("first"))
    again = cache.cached("demo", ["a", b"b"], write("again"))
    assert first == again
    assert (again / "text").read_text() == "first"


def test_other_inputs_are_another_entry():
    assert cache.cached("demo", ["ab"], write("")) != cache.cached("demo", ["a", "b"], write(""))


@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_only_equal_inputs_have_equal_keys(one, other):
    assert (cache.key(one) == cache.key(other)) == (one == other)


def test_what_fails_or_is_interrupted_leaves_nothing():
    def interrupted(folder: Path) -> None:
        (folder / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.cached("demo", ["a"], interrupted)
    assert list((cache.folder() / "demo").iterdir()) == []
    assert (cache.cached("demo", ["a"], write("whole")) / "text").read_text() == "whole"


def test_of_two_commands_at_once_the_first_wins():
    def slow(folder: Path) -> None:
        cache.cached("demo", ["a"], write("quick"))
        (folder / "text").write_text("slow")

    assert (cache.cached("demo", ["a"], slow) / "text").read_text() == "quick"
    assert len(list((cache.folder() / "demo").iterdir())) == 1


def test_a_cache_that_can_not_be_written_is_a_sentence(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("BGRU_CACHE", str(tmp_path / "file"))
    with pytest.raises(BadInput, match=r"file: expected a cache folder that can be written, got .*; set BGRU_CACHE to"):
        cache.cached("demo", ["a"], write("text"))


def test_without_the_variable_it_is_in_the_build_folder(monkeypatch):
    monkeypatch.delenv("BGRU_CACHE")
    assert cache.folder() == Path("build/cache")


@cache.maker
def twice(folder: Path, value: int) -> None:
    (folder / "text").write_text(str(2 * value))


@given(st.integers())
def test_an_entry_is_made_from_its_inputs_where_cached_would_look_for_it(value):
    entry = cache.Entry("demo", (str(value),), twice, {"value": value})
    assert (entry.made() / "text").read_text() == str(2 * value)
    assert cache.cached("demo", [str(value)], write("again")) == entry.path
