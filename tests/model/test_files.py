"""Files and folders are either whole or absent, whatever goes wrong while they are written."""

import json
import os
from pathlib import Path

import pytest

from model.errors import BadInput
from model.files import replacing, replacing_folder, write_json


def test_file_appears_whole_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "new folder" / "report.json"
    with replacing(target) as temporary:
        temporary.write_text("done")
        assert temporary.suffix == ".json"  # writers choose the format by it
        assert not target.exists()
    assert target.read_text() == "done"
    assert list(target.parent.iterdir()) == [target]


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


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_what_is_new_has_the_permissions_of_the_umask(umask, tmp_path):
    with replacing(tmp_path / "file"):
        pass
    with replacing_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o666 & ~umask
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o777 & ~umask


def test_what_is_replaced_keeps_its_permissions(tmp_path):
    (tmp_path / "file").touch(0o600)
    (tmp_path / "folder").mkdir(0o700)
    with replacing(tmp_path / "file"):
        pass
    with replacing_folder(tmp_path / "folder"):
        pass
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "folder").stat().st_mode & 0o777 == 0o700


def test_a_link_stays_a_link_to_the_new_file(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(Path("elsewhere") / "file")
    with replacing(tmp_path / "link") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "elsewhere" / "file").read_text() == "new"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["file"]


def test_the_old_folder_comes_back_where_the_new_one_can_not_take_its_place(tmp_path, monkeypatch):
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").write_text("old")
    rename = Path.rename

    def fails_at_the_second(path, to):
        if to == target and (path / "new").exists():
            raise OSError("interrupted")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fails_at_the_second)
    with pytest.raises(OSError, match="interrupted"), replacing_folder(target) as temporary:
        (temporary / "new").write_text("new")
    assert [path.name for path in target.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [target]


def test_json_reads_back(tmp_path):
    write_json(tmp_path / "some" / "value.json", {"a": [1, 2.5, None]})
    assert json.loads((tmp_path / "some" / "value.json").read_text()) == {"a": [1, 2.5, None]}


def test_of_two_writers_of_a_folder_the_later_one_stays(tmp_path, monkeypatch):
    """The other one puts its folder in the place just after the old one was moved aside."""
    target = tmp_path / "bundle"
    target.mkdir()
    (target / "old").touch()
    rename, others = Path.rename, [tmp_path / "other"]

    def racing(path, to):
        moved = rename(path, to)
        if path == target and others:
            others[0].mkdir()
            (others[0] / "other").touch()
            rename(others.pop(), target)
        return moved

    monkeypatch.setattr(Path, "rename", racing)
    with replacing_folder(target) as temporary:
        (temporary / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [target]


def test_a_link_to_a_folder_stays_one(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    with replacing_folder(tmp_path / "link") as temporary:
        (temporary / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["new"]
