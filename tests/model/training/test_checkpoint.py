"""Checkpoints: one file, whole or absent, whatever happens while it is written."""

import errno
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from model.errors import BadInput  # noqa: E402 (after importorskip)
from model.files import replacing, replacing_folder  # noqa: E402 (after importorskip)
from model.training import checkpoint  # noqa: E402 (after importorskip)


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    tensors = {"a": torch.arange(6.0).view(2, 3).T, "b": torch.tensor(3)}
    checkpoint.save(tmp_path / "c.safetensors", {"one": tensors, "none": {}}, {"epoch": 4, "history": [{"loss": 0.1}]})
    groups, state = checkpoint.load(tmp_path / "c.safetensors")
    assert groups.keys() == {"one"}
    assert all(torch.equal(groups["one"][name], tensor) for name, tensor in tensors.items())
    assert state == {"epoch": 4, "history": [{"loss": 0.1}]}


def test_the_optimiser_goes_on_where_it_was(tmp_path: Path) -> None:
    def steps(parameter: torch.nn.Parameter, optimiser: torch.optim.Adam, count: int) -> None:
        for _ in range(count):
            optimiser.zero_grad()
            ((parameter - 3.0) ** 2).sum().backward()
            optimiser.step()

    whole = torch.nn.Parameter(torch.arange(4.0))
    steps(whole, torch.optim.Adam([whole], lr=0.1), 6)

    first = torch.nn.Parameter(torch.arange(4.0))
    optimiser = torch.optim.Adam([first], lr=0.1)
    steps(first, optimiser, 3)
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, {"optimiser": checkpoint.optimiser_tensors(optimiser)}, {})
    second = torch.nn.Parameter(first.detach().clone())
    optimiser = torch.optim.Adam([second], lr=0.1)
    checkpoint.restore_optimiser(optimiser, checkpoint.load(path)[0]["optimiser"])
    steps(second, optimiser, 3)
    assert torch.equal(second, whole)


@pytest.mark.parametrize("content", [b"", b"not safetensors", b"\x08" + bytes(7) + b"{}      "])
def test_what_is_not_a_checkpoint_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    with pytest.raises(
        BadInput, match=r"expected a checkpoint of model.training.train, got .* remove it to start again"
    ):
        checkpoint.load(path)


STATES = {"one": {"a": torch.zeros(20_000)}}, {"one": {"a": torch.ones(20_000)}}


@contextmanager
def largest_file(octets: int) -> Iterator[None]:
    """No file may grow beyond this: what a full disk is to a program, for this process alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_is_one_sentence_and_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, STATES[0], {"epoch": 1})
    with largest_file(40_000), pytest.raises(BadInput) as caught:
        checkpoint.save(path, STATES[1], {"epoch": 2})
    assert str(caught.value) == f"{path}: expected room to write it, got File too large; what was there is kept"
    assert list(tmp_path.iterdir()) == [path]
    assert checkpoint.load(path)[1] == {"epoch": 1}


@pytest.mark.parametrize("write", [replacing, replacing_folder])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_no_room_for_any_file_or_folder_is_one_sentence(tmp_path: Path, write: Any, code: int) -> None:
    with pytest.raises(BadInput, match=r"new: expected room to write it, got [A-Z][\w ]+; what was there is kept$"):
        with write(tmp_path / "new"):
            raise OSError(code, os.strerror(code))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [replacing, replacing_folder])
def test_any_other_error_stays_what_it_is(tmp_path: Path, write: Any) -> None:
    with pytest.raises(FileNotFoundError), write(tmp_path / "new"):
        (tmp_path / "nowhere").read_text()


def test_a_process_killed_in_the_middle_of_writing_leaves_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next one that is written removes what was left."""

    def die(temporary: Path, content: bytes) -> None:
        with temporary.open("wb") as file:
            file.write(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)

    path = tmp_path / "c.safetensors"
    checkpoint.save(path, STATES[0], {"epoch": 1})
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", die)
        if (child := os.fork()) == 0:
            checkpoint.save(path, STATES[1], {"epoch": 2})
    _, status = os.waitpid(child, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2
    assert checkpoint.load(path)[1] == {"epoch": 1}
    checkpoint.save(path, STATES[1], {"epoch": 2})
    assert list(tmp_path.iterdir()) == [path]
    assert checkpoint.load(path)[1] == {"epoch": 2}
