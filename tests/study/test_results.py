"""Reading the results of the study."""

from pathlib import Path

import pytest

from model.errors import BadInput
from study import results


def test_results_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"expected results of `bgru study run`"):
        results.read(tmp_path)
    (tmp_path / "bgru.json").write_text("{")
    with pytest.raises(BadInput, match=r"bgru\.json: expected a result of study\.run"):
        results.read(tmp_path)
