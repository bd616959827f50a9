"""The simulation side works where torch is not installed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SIMULATION_SIDE = [
    "model.bundle",
    "model.golden",
    "model.denoise",
    "model.page",
    "model.stream",
    "hw.network",
    "hw.synth",
    "boards.bitstream",
    "boards.host",
    "boards.ip",
    "boards.plan",
    "boards.verilog",
    "cosim.board",
    "cosim.report",
    "cosim.sim",
    "cosim.benchmark",
    "cosim.baselines",
    "cosim.streaming",
]

NO_TORCH = ("audio", "bits", "bundle", "cli", "denoise", "errors", "files", "frontend", "golden")

WITHOUT_TORCH = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ImportError(name)
sys.meta_path.insert(0, NoTorch())
"""


@pytest.mark.parametrize("module", SIMULATION_SIDE)
def test_imports_without_torch(module):
    subprocess.run([sys.executable, "-c", WITHOUT_TORCH + f"import {module}"], check=True)


def test_arrows_go_one_way():
    """hw imports neither boards nor cosim, boards not cosim, and of model only what needs no torch."""
    allowed = {
        "hw": {"hw", "model.bits", "model.bundle", "model.errors", "model.files"},
        "boards": {"hw", "boards", *(f"model.{name}" for name in NO_TORCH)},
    }
    for package, targets in allowed.items():
        imported = {name for path in Path(package).glob("*.py") for name in _imports(path)}
        ours = {name for name in imported if name.split(".")[0] in ("model", "hw", "boards", "cosim")}
        strangers = {name for name in ours if name not in targets and name.split(".")[0] not in targets}
        assert not strangers, f"{package} imports {strangers}"


def _imports(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {
        f"model.{name.name}" if node.module == "model" else str(node.module) for node in nodes for name in node.names
    }
