"""Checkers of fuzz cases whose hardware has a bug."""

import re
from functools import partial
from pathlib import Path
from typing import Any

from cosim.bench.runner import generate
from cosim.fuzz.case import Case, compare
from hw.flow.cache import maker
from hw.gateware.network import Network

__all__ = ["equal_is_below", "tables_swapped"]


@maker
def equal_is_below(folder: Path, case: dict[str, Any]) -> None:
    """A sum of a bitwise layer that equals its threshold does not reach it."""
    _check(folder, case, r"(\$signed\(total_\d+\)) >= ", r"\1 > ")


@maker
def tables_swapped(folder: Path, case: dict[str, Any]) -> None:
    """The gates of a gru layer use tanh, and its new state uses sigmoid."""
    _check(folder, case, r"\\table \[\{ gate, index \}\]", r"\\table [{ !gate, index }]")


def _check(folder: Path, case: dict[str, Any], good: str, bad: str) -> None:
    mismatch = compare(Case.of(case), partial(_planted, good, bad))
    (folder / "mismatch").write_text(mismatch)


def _planted(good: str, bad: str, network: Network, folder: Path) -> Path:
    verilog = generate(network, folder)
    text, count = re.subn(good, bad, verilog.read_text())
    assert count
    verilog.write_text(text)
    return verilog
