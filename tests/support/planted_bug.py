"""A checker of fuzz cases whose hardware has a bug: a sum that equals its threshold is not at it."""

import re
from pathlib import Path
from typing import Any

from cosim.bench.runner import generate
from cosim.fuzz.case import Case, compare
from hw.flow.cache import maker
from hw.gateware.network import Network

__all__ = ["check"]


@maker
def check(folder: Path, case: dict[str, Any]) -> None:
    (folder / "mismatch").write_text(compare(Case.of(case), _strict))


def _strict(network: Network, folder: Path) -> Path:
    verilog = generate(network, folder)
    text, count = re.subn(r"(\$signed\(total_\d+\)) >= ", r"\1 > ", verilog.read_text())
    assert count
    verilog.write_text(text)
    return verilog
