"""The simulator of a test that any will do for."""

import shutil

__all__ = ["QUICKEST"]

QUICKEST = "verilator" if shutil.which("iverilog") is None else "icarus"
"""Icarus where there is one: it builds at once, and a value that nothing has set fails in it."""
