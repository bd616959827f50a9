"""Checkpoints: one file, whole or absent."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from model import checkpoint  # noqa: E402 (after importorskip)
from model.errors import BadInput  # noqa: E402 (after importorskip)


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
    with pytest.raises(BadInput, match=r"expected a checkpoint of model.train, got .* remove it to start anew"):
        checkpoint.load(path)
