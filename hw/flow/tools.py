"""Run the FPGA tools, which come as WebAssembly in Python packages."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryFile

from platformdirs import user_cache_dir

from model.errors import BadInput

__all__ = ["run"]

YOWASP_CACHE = "YOWASP_CACHE_DIR"
"""Environment variable with the folder where the tools keep their compiled code; under HOME if not set."""


def run(package: str, module: str, call: str, arguments: Sequence[str], folder: Path) -> None:
    """Run a tool in a folder, with the interpreter that runs this.

    package : its name for pip
    module, call : the Python module, and the call of one of its functions
    Raises `BadInput` where the package is missing or has nowhere to keep its compiled code, and `RuntimeError` with the
    tool's own words where it fails.
    """
    if find_spec(module.partition(".")[0]) is None:
        raise BadInput(f"{package}: expected it to be installed, found none; install it with: pip install {package}")
    if package.startswith("yowasp-"):
        _check_cache(package)
    # -P: a Python file in the folder must not replace a module.
    command = [sys.executable, "-P", "-c", f"import sys, {module} as it; sys.exit(it.{call})", *arguments]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{package} failed: {(result.stderr + result.stdout).strip()[-2000:]}")


def _check_cache(package: str) -> None:
    """Raise `BadInput` where YoWASP cannot write its compiled code, which it does on a tool's first run."""
    folder = Path(os.environ.get(YOWASP_CACHE) or user_cache_dir("YoWASP", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise BadInput(
            f"{package}: expected to write its compiled code to {folder}, got {error.strerror}; "
            f"set {YOWASP_CACHE} to a folder that can be written"
        ) from None
