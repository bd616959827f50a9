"""The FPGA tools, which are programs within Python packages."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from model.errors import BadInput

__all__ = ["run"]


def run(package: str, module: str, call: str, arguments: Sequence[str], folder: Path) -> None:
    """Run a tool in a folder; as WebAssembly, most of them see no other.

    package : what pip installs
    module, call : what Python imports, and what it calls of that
    Raises `BadInput` where the package is missing, and `RuntimeError` with the tool's own words where it fails.
    """
    if find_spec(module.partition(".")[0]) is None:
        raise BadInput(f"{package}: expected it to be installed, found none; install it with: pip install {package}")
    command = [sys.executable, "-c", f"import sys, {module} as it; sys.exit(it.{call})", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{package} failed in {folder}: {(result.stderr + result.stdout).strip()[-2000:]}")
