"""Files and folders are either whole or absent, whatever goes wrong while they are written."""

import pytest

from model.errors import BadInput
from model.files import replacing, replacing_folder


def test_file_appears_whole_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "new folder" / "report.json"
    with replacing(target) as temporary:
        temporary.write_text("done")
        assert temporary.suffix == ".json"  # writers choose the format by it
        assert not target.exists()
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o644


def test_failure_keeps_the_old_file(tmp_path):
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(RuntimeError), replacing(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_failure_leaves_no_new_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "report.json") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_folder_replaces_an_older_one(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").write_text("old")
    with replacing_folder(target) as temporary:
        (temporary / "new").write_text("new")
        assert (target / "old").exists()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]
    assert target.stat().st_mode & 0o777 == 0o755


def test_failure_keeps_the_old_folder(tmp_path):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(RuntimeError), replacing_folder(target) as temporary:
        (temporary / "new").write_text("half")
        raise RuntimeError
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("write", [replacing, replacing_folder])
def test_a_file_where_a_folder_must_be_is_refused(tmp_path, write):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match="file/new: expected a place to write to, got"), write(tmp_path / "file" / "new"):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_folder_in_the_place_of_the_file_is_refused(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInput, match="taken: expected a file to write, got a folder"), replacing(tmp_path / "taken"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(BadInput, match="taken: expected a folder to write, got a file"):
        with replacing_folder(tmp_path / "taken"):
            pass
    assert (tmp_path / "taken").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
