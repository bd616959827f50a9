"""The simulation side works where torch is not installed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

SIMULATION_SIDE = [
    "model.bundle.bundle",
    "model.reference.golden_model",
    "model.reference.denoise",
    "model.pages.training_page",
    "model.reference.recording",
    "hw.gateware.network",
    "hw.flow.synth",
    "boards.flow.bitstream",
    "boards.host.transfer",
    "boards.flow.ip",
    "boards.flow.plan",
    "boards.flow.verilog",
    "cosim.chips.board",
    "cosim.report.report",
    "cosim.bench.sim",
    "cosim.measure.benchmark",
    "cosim.measure.baselines",
]

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


LAYERS = ("model", "hw", "jobs", "boards", "cosim", "proofs", "study", "bgru")

MAY_IMPORT = {
    "model.bundle": {"model.bundle"},
    "model.reference": {"model.bundle", "model.reference"},
    "model.corpora": {"model.bundle", "model.reference", "model.corpora"},
    "model.evaluation": {"model.bundle", "model.reference", "model.corpora", "model.evaluation"},
    "model.pages": {"model.bundle", "model.reference", "model.corpora", "model.evaluation", "model.pages"},
    "hw": {"hw", "model.bundle"},
    "jobs": {"hw.flow.cache", "jobs"},
    "boards": {"hw", "boards", "model.bundle", "model.reference"},
    "cosim": {"hw", "jobs", "boards", "cosim", "model.bundle", "model.reference", "model.pages"},
    "proofs": {"hw", "boards", "proofs", "model.bundle"},
}
"""What a package may import of ours, next to the modules of `model` itself, such as `model.errors`."""


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_arrows_go_one_way(package):
    allowed = MAY_IMPORT[package] | {"model.errors", "model.files", "model.console", "model.shipped", "model.standard"}
    imported = {name for path in (ROOT / package.replace(".", "/")).rglob("*.py") for name in _imports(path)}
    ours = {name for name in imported if name.split(".")[0] in LAYERS}
    strangers = {name for name in ours if not any(f"{name}.".startswith(f"{one}.") for one in allowed)}
    assert ours
    assert not strangers, f"{package} imports {strangers}"


def _imports(path: Path) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
    return {f"{node.module}.{name.name}" for node in nodes for name in node.names}


def test_nothing_imports_the_command_line():
    sources = [path for package in LAYERS if package != "bgru" for path in (ROOT / package).rglob("*.py")]
    assert sources
    assert not [path for path in sources if any(name.split(".")[0] == "bgru" for name in _imports(path))]
