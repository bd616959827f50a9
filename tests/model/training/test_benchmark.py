"""Training's benchmark, in the smallest size and the shortest time."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from model.training import benchmark  # noqa: E402 (after importorskip)

pytestmark = pytest.mark.training


def test_it_prints_ours_next_to_the_reference_of_the_same_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    benchmark.run(["tiny"], seconds=0.01, threads=1, out=tmp_path / "speed.json")
    (found,) = json.loads((tmp_path / "speed.json").read_text())["results"]
    for what in ("torch.nn.GRU", "pi = 0", "pi = 0.5"):
        assert found[f"{what}, float32"] > 0
        assert found[f"{what}, bfloat16"] > 0
    assert found["mixtures"] > 0
    assert "torch.nn.GRU" in capsys.readouterr().out


def test_the_reference_is_a_network_of_the_same_shape() -> None:
    reference = benchmark.Reference(12, 5, 7)
    assert reference(torch.zeros(4, 3, 12)).shape == (4, 3, 7)
